"""Vectors as a Lance table: a data file a shard, which become one table at the end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance import LanceOperation
from lance.file import LanceFileReader
from lance.fragment import FragmentMetadata, write_fragments

from tintype.core.platform import full_disk_is_said
from tintype.store.outputs.base import Gathers, Part
from tintype.store.places.base import Place

_TABLE = "vectors.lance"
_READ = ["id", "embedding", "status", "reason"]


class Lance:
    """The table `vectors.lance`, whose data files are named by their shard."""

    @property
    def gathered(self) -> str:
        return f"{_TABLE}/_"

    def names(self, part: Part) -> tuple[str, ...]:
        return (f"{_TABLE}/data/{part.padded(5)}.lance",)

    def encode(self, rows: pa.Table, part: Part) -> tuple[bytes, ...]:
        return (_file(rows)[0],)

    def decode(self, contents: Sequence[bytes]) -> pa.Table:
        if not contents[0]:
            raise ValueError("it is empty")  # Lance itself panics
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "part.lance")
            path.write_bytes(contents[0])
            try:
                return LanceFileReader(str(path)).read_all().to_table().select(_READ)
            except (OSError, ValueError, RuntimeError, KeyError) as error:
                raise ValueError(f"it cannot be read as a Lance file: {error}") from error

    def gather(self, place: Place, parts: Sequence[tuple[Part, int]], schema: pa.Schema) -> None:
        address = f"{place.url.rstrip('/')}/{_TABLE}"
        with full_disk_is_said(place.url):
            is_made = any(place.names(f"{_TABLE}/_versions/"))
            if is_made and lance.dataset(address).count_rows() == sum(part.rows for part, _ in parts):
                return
            template = _file(pa.table([_one(field) for field in schema], schema=schema))[1]
            fragments = [_fragment(template, self.names(part)[0], part, size) for part, size in parts if part.rows]
            lance.LanceDataset.commit(address, LanceOperation.Overwrite(schema, fragments))


def _file(rows: pa.Table) -> tuple[bytes, dict[str, Any]]:
    """A data file, and what a table has to know of it."""
    with tempfile.TemporaryDirectory() as folder, full_disk_is_said(folder):
        (made,) = write_fragments(rows, folder, mode="create", max_rows_per_file=max(1, rows.num_rows))
        facts: dict[str, Any] = made.to_json()
        return Path(folder, "data", facts["files"][0]["path"]).read_bytes(), facts


def _one(field: pa.Field) -> pa.Array:
    return pa.nulls(1, field.type) if field.nullable else pa.array([""], field.type)


def _fragment(template: dict[str, Any], name: str, part: Part, size_bytes: int) -> FragmentMetadata:
    file = template["files"][0] | {"path": name.rpartition("/")[2], "file_size_bytes": size_bytes}
    facts = template | {"id": part.number, "files": [file], "physical_rows": part.rows}
    return FragmentMetadata.from_json(json.dumps(facts))


_format: type[Gathers] = Lance
