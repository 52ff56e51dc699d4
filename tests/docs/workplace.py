"""Where the examples of a page run."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

SERVERS = ("TINTYPE_TRITON",)
"""Variables that say where a server of the tests is."""


@dataclass(frozen=True)
class Workplace:
    """`home` is both the home and the working folder; `~/Pictures` are the pictures of the demo.

    There is one worker: starting a second one costs more than such scans.
    """

    home: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TINTYPE_", "XDG_"))}
        kept |= {name: os.environ[name] for name in SERVERS if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return kept | {"HOME": str(self.home), "PATH": path, "NO_COLOR": "1", "TINTYPE_SCAN_WORKERS": "1"}
