"""What PyTorch finds to run on."""

from __future__ import annotations

import torch


def has_gpu() -> bool:
    """Whether there is a GPU that this build of PyTorch can use."""
    return bool(torch.cuda.is_available())


def give_back_memory() -> None:
    """Memory of GPUs that PyTorch keeps in this process though no model is there any more."""
    if has_gpu():
        torch.cuda.empty_cache()


def gpu_names() -> tuple[str, ...]:
    """The GPUs' names in their order, as in "NVIDIA H100 80GB HBM3"."""
    return tuple(torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count()))
