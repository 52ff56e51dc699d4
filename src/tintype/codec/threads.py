"""How many threads the decoders start by themselves."""

from __future__ import annotations

import cv2
import pi_heif
from PIL import AvifImagePlugin


def use_one_thread() -> None:
    """Keep OpenCV, libavif and libheif to the calling thread, in this process, for good.

    For workers, of which there is one for each core: threads of their own only take turns with one another.
    """
    cv2.setNumThreads(1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pi_heif.options.DECODE_THREADS = 1
