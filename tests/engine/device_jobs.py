"""Embeds with a device process for all workers, on a processor in the place of a GPU. PYTHONPATH must name this folder
and that of `device_models`."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

sys.path.append(str(Path(__file__).parents[1] / "models"))

from device_models import ONNX, Tight
from embedding import DeadlyJob

from tintype.engine.scan_job import ScanJob
from tintype.models.devices.hosted import Hosted
from tintype.stages.base import Model

PYTHONPATH = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1] / "models")])


@dataclass(frozen=True)
class DeviceJob(DeadlyJob):
    """What the device is like is said by `device`, in the process that starts it."""

    device: ClassVar[dict[str, Any]] = {}

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        return (Tight(self.card, self.plan.backend, **self.device),)


@dataclass(frozen=True)
class DeviceScanJob(ScanJob):
    """The same for a scan, whose stages with models run on what is like a device."""

    device: ClassVar[dict[str, Any]] = {}

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        cards = [run.stage.needs.card for run in self.work.stages if isinstance(run.stage.needs, Model)]
        return tuple(Tight(card, ONNX, **self.device) for card in dict.fromkeys(cards))
