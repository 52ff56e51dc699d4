"""Run in a process of its own with bounded memory and time: what the codec says of each hostile file, as JSON lines."""

import json
import resource
import sys
from pathlib import Path

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.core.errors import ImageError

ADDRESS_SPACE = 4_000_000_000  # bytes; the libraries alone map more than one


def main(folder: str, names: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    start_mb = peak_mb()  # not zero: what the parent process held counts in
    for name in names:
        data = (Path(folder) / name).read_bytes()
        try:
            image = decode(data, side_px=320, limits=Limits())
            status, reason = "ok", None
            assert image.rgb.dtype == "uint8"
            assert image.rgb.ndim == 3
            assert max(image.rgb.shape[:2]) <= 320
        except ImageError as error:
            status, reason = error.status, error.reason
        grown_mb = peak_mb() - start_mb
        print(json.dumps({"name": name, "status": status, "reason": reason, "grown_mb": grown_mb}), flush=True)


def peak_mb() -> float:
    """Not ru_maxrss: that one begins with the size of the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
