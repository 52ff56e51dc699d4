"""Lets processes that tests start import torchvision beside a PyTorch for processors alone, as `torch_libraries` does.

Python imports a module of this name when it starts; `torch_libraries.WORKERS` goes into PYTHONPATH.
"""

import sys


class _DeclareFirst:
    """Sees the first import of torchvision, and declares the operators that it misses."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            for operator in ("nms", "qnms"):
                if not hasattr(torch.ops.torchvision, operator):
                    signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                    torch.library.define(f"torchvision::{operator}", signature)


sys.meta_path.insert(0, _DeclareFirst())
