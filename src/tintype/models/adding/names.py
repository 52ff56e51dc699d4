"""Names of cards, made of the names of their sources."""

from __future__ import annotations

import re

_LONGEST = 50  # of the 64 that a card's name may have


def slug(source: str) -> str:
    """A card's name from the last part of a source: "openai/clip-vit-base-patch32" gives clip_vit_base_patch32."""
    made = re.sub(r"[^a-z0-9]+", "_", source.rpartition("/")[2].lower()).strip("_")[:_LONGEST].strip("_")
    return made if made[:1].isalpha() else f"model_{made}".strip("_")
