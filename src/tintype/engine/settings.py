"""What a user can set about scanning as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from tintype.stages.registry import DEFAULT_STAGES


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """Section `scan` of the configuration."""

    stages: tuple[str, ...] = DEFAULT_STAGES
    workers: int = 0  # 0 means one for each processor that may be used
    ignore: tuple[str, ...] = ()  # patterns as in .gitignore, beneath the root of a folder
    hidden: bool = False  # whether names that begin with a dot are looked at

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 1024:
            raise ValueError(f"scan.workers must be between 0 and 1024, not {self.workers}")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Section `models` of the configuration."""

    backend: str = ""  # what runs cards: auto, onnx, torch, tensorrt, triton or an engine; empty: as the column has it
