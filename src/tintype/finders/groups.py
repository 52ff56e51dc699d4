"""Groups of bounded diameter: one best image, and others that were each compared with that very one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tintype.finders.hamming import run_edges
from tintype.finders.sets import Rows

Compare = Callable[[Rows, Rows], NDArray[np.bool_]]
"""(keepers, others) → which of these pairs belong together; asked for each pair once at most."""

_ROUNDS = 64  # groups that one component is parted into outward; the rest of it by known pairs alone


def stars(count: int, first: Rows, second: Rows, together: Compare, apart: Iterable[tuple[int, int]] = ()) -> Rows:
    """The keeper of each of `count` nodes, itself for those that are alone; nodes are numbered from the best on.

    The edges `first` < `second` are pairs known to belong together. Of each component the best node is a keeper.
    What has an edge with it joins it; then what has an edge with one that joined is compared with the keeper, and so
    on outward. Those that are left form groups among themselves in the same way. Nobody joins by hearsay, so no two
    of a group are further apart than twice what the comparison allows, and a chain costs no more comparisons than it
    has edges. Nodes that are `apart` are never in one group.
    """
    nodes, ends = np.unique(np.concatenate([first, second]), return_inverse=True)
    place = {int(node): at for at, node in enumerate(nodes)} if apart else {}
    foes = _foes((place[a], place[b]) for a, b in apart if a in place and b in place)
    half = len(first)
    among = _parted(len(nodes), ends[:half], ends[half:], lambda a, b: together(nodes[a], nodes[b]), foes)
    keeper = np.arange(count)
    keeper[nodes] = nodes[among]
    return keeper


def _parted(count: int, first: Rows, second: Rows, together: Compare, foes: Mapping[int, set[int]]) -> Rows:
    keeper = np.arange(count)
    for _ in range(_ROUNDS):
        if not len(first):
            return keeper
        head = components(count, first, second)
        _gather(keeper, head, first, second, together, foes)
        left = np.ones(count, np.bool_)
        left[keeper != np.arange(count)] = False
        left[head[first]] = False
        among = left[first] & left[second]
        first, second = first[among], second[among]
    return _by_pairs(keeper, first, second, foes)


def components(count: int, first: Rows, second: Rows) -> Rows:
    """For each of `count` nodes the least node that it hangs together with over these edges."""
    least = np.arange(count)
    while True:
        low = np.minimum(least[first], least[second])
        grown = least.copy()
        for end in (first, second, least[first], least[second]):
            np.minimum.at(grown, end, low)
        grown = grown[grown]
        if np.array_equal(grown, least):
            return least
        least = grown


def _gather(
    keeper: Rows, head: Rows, first: Rows, second: Rows, together: Compare, foes: Mapping[int, set[int]]
) -> None:
    """Let the nodes of each component join its head, outward from it."""
    source, target = np.concatenate([first, second]), np.concatenate([second, first])
    reached = np.zeros(len(keeper), np.bool_)  # joined in the step before
    reached[head[source]] = True
    asked = reached.copy()
    while True:
        near = np.unique(target[reached[source] & ~asked[target]])
        if not len(near):
            return
        asked[near] = True
        direct = np.zeros(len(keeper), np.bool_)
        direct[target[source == head[target]]] = True
        joins = direct[near]
        joins[~joins] = together(head[near[~joins]], near[~joins])
        near = near[joins]
        if foes:
            near = _welcomed(keeper, head, near, foes)
        keeper[near] = head[near]
        reached[:] = False
        reached[near] = True


def _by_pairs(keeper: Rows, first: Rows, second: Rows, foes: Mapping[int, set[int]]) -> Rows:
    """Each of the rest joins the best keeper among those that it has an edge with."""
    order = np.lexsort((first, second))
    first, second = first[order], second[order]
    for start, end in pairwise(run_edges(second).tolist()):
        node = int(second[start])
        for better in first[start:end].tolist():
            if keeper[better] == better and _welcome(keeper, better, node, foes):
                keeper[node] = better
                break
    return keeper


def _foes(apart: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    foes: dict[int, set[int]] = {}
    for a, b in apart:
        foes.setdefault(a, set()).add(b)
        foes.setdefault(b, set()).add(a)
    return foes


def _welcomed(keeper: Rows, head: Rows, near: Rows, foes: Mapping[int, set[int]]) -> Rows:
    """Those that may join, in their order: each is noted before the next one is asked."""
    kept = []
    for node in near.tolist():
        if _welcome(keeper, int(head[node]), node, foes):
            keeper[node] = head[node]
            kept.append(node)
    return np.array(kept, np.int64)


def _welcome(keeper: Rows, head: int, node: int, foes: Mapping[int, set[int]]) -> bool:
    """Whether the group holds none that the node is apart from."""
    against = foes.get(node)
    return not against or not any(keeper[foe] == head for foe in against)
