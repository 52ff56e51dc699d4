"""Teaches the upper layers of a network what an edited copy has in common with its original.

The lower layers stay as they are, so what they see of each picture is computed once. Two terms are minimized:

* *Distillation by instances*: the vector of an edited picture must find the untuned network's vector of its own
  original among those of all originals (the cross-entropy of a softmax over all pictures, as in non-parametric instance
  discrimination; Wu et al., 2018). It keeps likeness between different pictures what it was before.
* *Contrast*: two edits of one picture must find each other in the batch (SimCLR; Chen et al., 2020), and the nearest
  other picture is pushed away (the entropy term of SSCD; Pizzi et al., 2022).

torch lives here and nowhere else in the recipe. The same seed gives the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tintype.train.network import MIDDLE_LEVEL, Head
from tintype.train.start import Layer

_LEVELS = 255 / 6  # features behind a ReLU6 are kept in 8 bits


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How long and how strongly the upper layers are taught."""

    steps: int = 2000
    pictures_a_step: int = 64
    rate: float = 3e-4
    temperature: float = 0.07
    contrast: float = 0.5  # weight beside distillation
    apart: float = 0.2  # weight of pushing the nearest other picture away


class Convolutions(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """Convolutions with ReLU6, as `network.build` writes them; the first layer of a network takes plain pixels."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = list(layers)
        self.weights = nn.ParameterList(torch.from_numpy(layer.weight.copy()) for layer in layers)
        self.biases = nn.ParameterList(torch.from_numpy(layer.bias.copy()) for layer in layers)

    def forward(self, value: Tensor) -> Tensor:
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            above, left, below, right = layer.pads
            padding: int | tuple[int, int] = (above, left)
            if (above, left) != (below, right):
                value, padding = functional.pad(value, (left, right, above, below)), 0
            value = functional.conv2d(value, weight, bias, layer.stride, padding, groups=layer.groups).clamp(0, 6)
        return value

    def tuned(self) -> list[Layer]:
        """The layers with the weights of now."""
        pairs = zip(self.layers, self.weights, self.biases, strict=True)
        return [
            Layer(weight.detach().numpy().copy(), bias.detach().numpy().copy(), layer.stride, layer.groups, layer.pads)
            for layer, weight, bias in pairs
        ]


def lower_features(layers: Sequence[Layer], squares: NDArray[np.uint8], batch: int = 64) -> NDArray[np.uint8]:
    """(n, channels, high, wide): what these layers make of (n, side, side, 3) pixels, 0 to 6 in 255 steps."""
    torch.set_num_threads(1)  # sums in the same order on every machine
    network = Convolutions(layers).eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(squares), batch):
            pixels = torch.from_numpy(squares[start : start + batch].copy()).permute(0, 3, 1, 2).float()
            parts.append((network((pixels - MIDDLE_LEVEL) / MIDDLE_LEVEL) * _LEVELS).round().to(torch.uint8).numpy())
    return np.concatenate(parts)


def maps(layers: Sequence[Layer], lower: NDArray[np.uint8], batch: int = 32) -> NDArray[np.float16]:
    """(pictures, views, channels, cells): the last feature map, from (pictures, views, channels, high, wide)."""
    torch.set_num_threads(1)  # sums in the same order on every machine
    network = Convolutions(layers).eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(lower), batch):
            some = lower[start : start + batch]
            made = network(_floats(some.reshape(-1, *some.shape[2:]))).flatten(2).half().numpy()
            parts.append(made.reshape(*some.shape[:2], *made.shape[1:]))
    return np.concatenate(parts)


def tune(
    layers: Sequence[Layer],
    lower: NDArray[np.uint8],
    teacher: NDArray[np.float32],
    head: Head,
    settings: Tuning,
    seed: int,
    report: Callable[[str], None],
) -> list[Layer]:
    """The upper layers, taught. `lower` is (pictures, views, channels, high, wide): each original, then its edits.

    `teacher` (pictures, dimension) are the untuned network's unit vectors of the originals.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    random = np.random.default_rng(seed)
    network = Convolutions(layers).train()
    projection = nn.Parameter(torch.from_numpy(head.projection.copy()))
    offset, pooling = torch.from_numpy(head.offset), torch.from_numpy(head.pooling[:, 0].copy())
    targets = torch.from_numpy(teacher)
    groups = [{"params": network.parameters(), "weight_decay": 1e-4}, {"params": [projection], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, settings.steps, pct_start=0.1)
    pictures, views = lower.shape[:2]
    began, shown = time.monotonic(), np.zeros(3)
    for step in range(settings.steps):
        rows = random.choice(pictures, min(settings.pictures_a_step, pictures), replace=False)
        pair = np.stack([random.choice(views, 2, replace=False) for _ in rows])
        chosen = _floats(np.concatenate([lower[rows, pair[:, 0]], lower[rows, pair[:, 1]]]))
        pooled = (network(chosen).flatten(2).square() @ pooling + 1e-6).sqrt()
        vectors = functional.normalize((pooled - offset) @ projection, dim=1)
        own = torch.from_numpy(np.tile(rows, 2))
        distilled = functional.cross_entropy(vectors @ targets.T / settings.temperature, own)
        contrast, apart = _contrast(vectors, len(rows), settings.temperature)
        loss = distilled + settings.contrast * contrast + settings.apart * apart
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        shown += [distilled.item(), contrast.item(), apart.item()]
        if (step + 1) % 100 == 0:
            terms = "  ".join(f"{term / 100:.3f}" for term in shown)
            report(f"step {step + 1} of {settings.steps}  loss {terms}  {time.monotonic() - began:.0f} s")
            shown[:] = 0
    tuned: list[Layer] = network.tuned()
    return tuned


def _contrast(vectors: Tensor, pictures: int, temperature: float) -> tuple[Tensor, Tensor]:
    """How hard the other view of each picture is to find, and how near the nearest other picture is."""
    likeness = vectors @ vectors.T
    itself = torch.eye(2 * pictures, dtype=torch.bool)
    other_view = torch.arange(2 * pictures).roll(pictures)
    contrast = functional.cross_entropy(likeness.masked_fill(itself, -10) / temperature, other_view)
    nearest = likeness.masked_fill(itself | itself.roll(pictures, 1), -10).amax(1)
    apart = -(2 - 2 * nearest).clamp_min(1e-4).sqrt().log().mean()  # the distance of unit vectors
    return contrast, apart


def _floats(levels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(levels).float() / _LEVELS
