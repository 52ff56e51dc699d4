"""Communities of a graph: parts whose nodes have more links among themselves than chance would give them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Nodes = NDArray[np.int64]

_SWEEPS = 20  # of one level at most; what has not come to rest by then swings between equally good places
_AT_REST = 1_000  # a level ends when at most one node in so many moved in a sweep


@dataclass(frozen=True)
class Links:
    """An undirected graph of `count` nodes, each link in both directions, sorted by `first`, then `second`.

    A node's link to itself stands once and holds twice the weight of what was joined into the node.
    """

    count: int
    first: Nodes  # (e,)
    second: Nodes  # (e,)
    weight: Nodes  # (e,) whole numbers, so that sums are exact in any order

    def degrees(self) -> Nodes:
        """(count,) weight of all links of each node."""
        ends = np.append(np.searchsorted(self.first, np.arange(self.count)), len(self.first))
        sums = np.concatenate([[0], np.cumsum(self.weight)])
        return np.asarray(np.diff(sums[ends]))


def links(count: int, first: Nodes, second: Nodes, weight: Nodes) -> Links:
    """The graph of these links, given in one direction or both; the weights of equal ones are added."""
    summed = _summed(count, np.concatenate([first, second]), np.concatenate([second, first]), np.tile(weight, 2))
    return Links(count, *summed)


def communities(graph: Links, resolution: float = 1.0) -> Nodes:
    """Number of each node's community, (count,), numbered in the order of their first nodes; each is connected.

    Maximizes modularity by moving nodes and joining communities into nodes in turn (Blondel et al., "Fast unfolding
    of communities in large networks", 2008), with the resolution of Reichardt and Bornholdt (2006): more gives
    smaller communities. Half of the nodes move at a time, each to where the gain is largest, equal ones to the
    lower number. Communities that fall apart are split, as the Leiden method does (Traag, Waltman and van Eck, "From
    Louvain to Leiden: guaranteeing well-connected communities", 2019).
    """
    label = np.arange(graph.count)
    level = graph
    while True:
        moved = _renumbered(_moved(level, np.arange(level.count), resolution))
        label = moved[label]
        if moved.max(initial=-1) + 1 == level.count:
            break
        level = _joined(level, moved)
    label = _moved(graph, label, resolution)  # nodes that would now rather be elsewhere
    inside = label[graph.first] == label[graph.second]
    return _renumbered(connected(graph.count, graph.first[inside], graph.second[inside]))


def connected(count: int, first: Nodes, second: Nodes) -> Nodes:
    """(count,) smallest node of the connected component of each of `count` nodes."""
    label = np.arange(count)
    while True:
        lower = np.minimum(label[first], label[second])
        before = label.copy()
        np.minimum.at(label, before[first], lower)
        np.minimum.at(label, before[second], lower)
        label = label[label]
        if np.array_equal(label, before):
            return label


def _moved(graph: Links, label: Nodes, resolution: float) -> Nodes:
    """Labels after nodes have moved to their neighbors' communities for as long as it raises modularity."""
    label = label.copy()
    degree = graph.degrees()
    total = np.bincount(label, degree, graph.count)
    scale = resolution / max(int(degree.sum()), 1)
    other = graph.first != graph.second
    first, second, weight = graph.first[other], graph.second[other], graph.weight[other]
    sides = np.random.default_rng(0)  # which nodes move together; of no other meaning
    for _ in range(_SWEEPS):
        side = sides.random(graph.count) < 0.5
        moved = 0
        for turn in (side, ~side):
            chosen = turn[first]
            node, place, gain = _candidates(graph.count, first[chosen], label[second[chosen]], weight[chosen], label)
            own = label[node] == place
            gain = gain - scale * degree[node] * (total[place] - own * degree[node])
            target = _best(node, place, gain, own, graph.count)
            movers = np.flatnonzero((target >= 0) & (target != label))
            np.subtract.at(total, label[movers], degree[movers])
            np.add.at(total, target[movers], degree[movers])
            label[movers] = target[movers]
            moved += len(movers)
        if moved * _AT_REST <= graph.count:
            break
    return label


def _candidates(
    count: int, node: Nodes, place: Nodes, weight: Nodes, label: Nodes
) -> tuple[Nodes, Nodes, NDArray[np.float64]]:
    """Each node with each community it has links to, its own among them, and the weight of those links."""
    present = np.unique(node)
    node = np.concatenate([node, present])
    place = np.concatenate([place, label[present]])
    weight = np.concatenate([weight, np.zeros(len(present), np.int64)])
    node, place, weight = _summed(count, node, place, weight)
    return node, place, weight.astype(np.float64)


def _best(node: Nodes, place: Nodes, gain: NDArray[np.float64], own: NDArray[np.bool_], count: int) -> Nodes:
    """(count,) the community of the largest gain, the own one where none is better, -1 for nodes not among these."""
    target = np.full(count, -1)
    if not len(node):
        return target
    starts = np.flatnonzero(np.concatenate([[True], node[1:] != node[:-1]]))
    most = np.repeat(np.maximum.reduceat(gain, starts), np.diff(np.append(starts, len(node))))
    ranked = np.where(gain < most, count, np.where(own, -1, place))  # the own one first, then the lowest number
    lowest = np.minimum.reduceat(ranked, starts)
    nodes = node[starts]
    target[nodes] = lowest
    stay = lowest == -1
    target[nodes[stay]] = place[own][np.searchsorted(node[own], nodes[stay])]
    return target


def _joined(graph: Links, label: Nodes) -> Links:
    """The graph whose nodes are the communities."""
    count = int(label.max()) + 1
    return Links(count, *_summed(count, label[graph.first], label[graph.second], graph.weight))


def _summed(count: int, first: Nodes, second: Nodes, weight: Nodes) -> tuple[Nodes, Nodes, Nodes]:
    """The links sorted, equal ones once with the sum of their weights."""
    key = first * count + second
    order = np.argsort(key, kind="stable")
    key = key[order]
    if not len(key):
        return first, second, weight
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return key[starts] // count, key[starts] % count, np.add.reduceat(weight[order], starts)


def _renumbered(label: Nodes) -> Nodes:
    """The same parts, numbered from 0 in the order of their first nodes."""
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
