"""Embeds into an output, slowly enough to be killed in the middle, with a lease that soon runs out.

Arguments: output, and the root to plan it with; without one it helps to embed what is planned.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any

from tintype import api
from tintype.api import outputs
from tintype.engine.vectors.job import EmbedJob

LEASE_S = 1.0
_EACH_S = 0.01
SHARD_IMAGES = 5


@dataclass(frozen=True)
class SlowJob(EmbedJob):
    def begin(self) -> Any:
        from tintype.engine.vectors import job

        plain = job.decode

        def slow(data: bytes, **named: Any) -> Any:
            time.sleep(_EACH_S)
            return plain(data, **named)

        job.decode = slow
        return super().begin()


if __name__ == "__main__":
    import embed_slowly  # workers find the job under its own name

    outputs.EmbedJob = embed_slowly.SlowJob  # type: ignore[misc]  # in the place of the plain one
    output, *roots = sys.argv[1:]
    if roots:
        api.embed_to(output, *roots, model="descriptor", shard_images=SHARD_IMAGES, workers=2, lease_s=LEASE_S)
    else:
        api.work(output)
