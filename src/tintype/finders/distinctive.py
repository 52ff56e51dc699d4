"""What sets parts of a collection apart from the whole, in plain words: camera, year, folder, light, labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.names import shown

_MOST_WORDS = 3  # facts of one part
_LEAST_SHARE = 0.3  # of a part that a value must have
_LEAST_TIMES = 2.0  # as frequent as elsewhere
_LEAST_SURPRISE = 4.0  # standard deviations of what chance would draw
_EDGE = 0.1  # share of the others that is beyond the middle of a part that is called high or low
_FEWEST = 3  # images with a value
_LONGEST = 60  # characters of a value

Parts = NDArray[np.int64]


def distinctive(columns: pa.Table, part: Parts, parts: int) -> list[list[str]]:
    """For each of `parts` parts up to three facts, the most telling first.

    `part` (n,) is the part of each row of `columns`, -1 for none; rows of none count in the whole. Columns of text,
    booleans, whole numbers and dates (by their year) tell which of their values are over-represented; those of
    floats whether the part's median is near an end of the others. Other types, and nulls, tell nothing.
    """
    facts: list[list[tuple[float, str]]] = [[] for _ in range(parts)]
    for name in columns.column_names:
        column = columns[name].combine_chunks()
        if pa.types.is_floating(column.type):
            _measures(facts, name, column, part)
        else:
            _values(facts, name, _as_text(column), part)
    return [
        [words for _, words in sorted(found, key=lambda fact: (-fact[0], fact[1]))[:_MOST_WORDS]] for found in facts
    ]


def folders(uris: pa.Array) -> pa.Array:
    """The folder of each uri, null at the top."""
    folder = pc.struct_field(pc.extract_regex(uris, r"(?s)^(?P<folder>.*)/[^/]*$"), "folder")
    return pc.if_else(pc.equal(folder, ""), None, folder)


def _as_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind) and not pa.types.is_duration(kind):
        return pc.year(column).cast(pa.string())
    plain = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    if pa.types.is_dictionary(kind) or any(is_kind(kind) for is_kind in plain):
        return column.cast(pa.string())
    return pa.nulls(len(column), pa.string())


def _values(facts: list[list[tuple[float, str]]], name: str, texts: pa.Array, part: Parts) -> None:
    """Values that are much more frequent in a part than chance would draw from the whole."""
    known = texts.is_valid().to_numpy(zero_copy_only=False)
    coded = texts.filter(pa.array(known)).dictionary_encode()
    code, values = coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()
    if len(values) < 2:
        return
    part = part[known]
    everywhere = np.bincount(code, minlength=len(values))
    in_part = np.bincount(part[part >= 0], minlength=len(facts))
    pairs, count = np.unique(part[part >= 0] * len(values) + code[part >= 0], return_counts=True)
    own, value = pairs // len(values), pairs % len(values)
    share, usual = count / in_part[own], everywhere[value] / len(code)
    elsewhere = (everywhere[value] - count) / np.maximum(len(code) - in_part[own], 1)
    surprise = (share - usual) / np.sqrt(usual * (1 - usual) / in_part[own])
    telling = (share >= _LEAST_SHARE) & (share >= _LEAST_TIMES * elsewhere) & (surprise >= _LEAST_SURPRISE)
    for at in np.flatnonzero(telling & (count >= _FEWEST)).tolist():
        words = f"{_said(name, values[value[at]])}: {_percent(share[at])} here, {_percent(elsewhere[at])} of the others"
        facts[own[at]].append((_weight(count[at], share[at], elsewhere[at], len(code)), words))


def _weight(count: int, share: float, elsewhere: float, images: int) -> float:
    """How telling: of how many images, times how much more frequent (a part of the likelihood ratio G)."""
    return float(count * np.log(share / max(elsewhere, 1 / images)))


def _measures(facts: list[list[tuple[float, str]]], name: str, column: pa.Array, part: Parts) -> None:
    """Medians of parts that are beyond nine tenths of the others."""
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    known = np.isfinite(values)
    values, part = values[known], part[known]
    ordered = np.sort(values)
    rows = np.lexsort((values, part))
    starts = np.searchsorted(part[rows], np.arange(len(facts) + 1))
    for own, (start, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        others = len(ordered) - (end - start)
        if end - start < _FEWEST or not others:
            continue
        here = values[rows[start:end]]
        middle = here[len(here) // 2]
        less = (np.searchsorted(ordered, middle) - np.searchsorted(here, middle)) / others
        more = 1 - (np.searchsorted(ordered, middle, "right") - np.searchsorted(here, middle, "right")) / others
        for side, than, beyond in (("high", "at least", 1 - less), ("low", "at most", 1 - more)):
            if beyond <= _EDGE:
                words = (
                    f"{side} {_plain(name)}: {than} {middle:.3g} in half of these, in {_percent(beyond)} of the others"
                )
                facts[own].append((_weight((end - start) // 2, 0.5, beyond, len(ordered)), words))


def _said(name: str, value: str) -> str:
    text = shown(value)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    if name.endswith("_at"):
        return f"{_plain(name[: -len('_at')])} in {text}"
    if value in ("true", "false"):
        return f"{_plain(name)}: {'yes' if value == 'true' else 'no'}"
    return f"{_plain(name.removeprefix('label_'))} {text}"


def _plain(name: str) -> str:
    return name.replace("_", " ").strip()


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "under 1 %"
