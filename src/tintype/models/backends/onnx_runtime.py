"""ONNX Runtime, kept from reporting to its makers: nothing goes over a network that nobody asked for.

Since 1.29 its builds for Linux and macOS write a device's number and send events unless this is in the environment
before they are loaded (decisions/0043-no-telemetry.md); processes that we start inherit it.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
