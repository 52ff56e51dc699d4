"""Embeds into an output, slowly enough to be killed in the middle, with a lease that soon runs out.

Arguments: output, ledger, seconds of a lease, and the root to plan it with; without one it helps to embed what is
planned.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any

from tintype import api
from tintype.api import outputs
from tintype.engine.vectors.job import EmbedJob

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
    output, ledger, lease_s, *roots = sys.argv[1:]
    if ledger.startswith("dynamodb"):
        from tintype.engine.ledger.dynamodb import DynamoLedger

        DynamoLedger.reclaim_s = 2 * float(lease_s)  # a minute otherwise
    how = {"model": "descriptor", "shard_images": SHARD_IMAGES, "ledger": ledger, "lease_s": float(lease_s)}
    if roots:
        api.embed_to(output, *roots, workers=2, **how)
    else:
        api.work(output)
