"""One thing that was looked at for `tintype doctor`, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """`ok` is None where nothing is wrong but something is worth knowing."""

    name: str
    ok: bool | None
    message: str  # one line
    mend: str | None = None  # what to try where something is wrong

    def to_json(self) -> dict[str, str | bool | None]:
        return {"name": self.name, "ok": self.ok, "message": self.message, "mend": self.mend}
