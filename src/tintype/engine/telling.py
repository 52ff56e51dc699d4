"""What a scan tells those that help it, and the same work made of that in another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tintype.core.errors import ConfigError, UsageError
from tintype.core.names import shown
from tintype.core.settings import Config
from tintype.engine.prepare import work_of
from tintype.engine.work import StageRun, Work
from tintype.models.engines import Engine, default
from tintype.models.settling import require
from tintype.sources.base import Source
from tintype.stages import registry
from tintype.stages.base import Model
from tintype.store.scan_run import ScanRun, StageTold


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a scan was asked for, in words that another process can follow."""

    sources: tuple[str, ...]  # the place of each source, in order
    ignore: tuple[str, ...]
    hidden: bool
    stages: tuple[str, ...]  # each once; cards by name or absolute path


def told(asked: Asked, work: Work, *, run: str, version: int, has_known: bool, images: int, lease_s: float) -> ScanRun:
    """What helpers of a run are told."""
    return ScanRun(
        run=run,
        sources=asked.sources,
        ignore=asked.ignore,
        hidden=asked.hidden,
        stages=_stages_told(asked.stages, work.stages),
        limits=work.limits,
        decoding=work.decode_state,
        version=version,
        has_known=has_known,
        images=images,
        lease_s=lease_s,
    )


def _stages_told(names: Sequence[str], stages: Sequence[StageRun]) -> tuple[StageTold, ...]:
    return tuple(
        StageTold(
            name=name,
            settings=dataclasses.asdict(run.settings),
            backend=run.stage.needs.backend if isinstance(run.stage.needs, Model) else "",
            thumbnails=run.stage.needs.thumbnails if isinstance(run.stage.needs, Model) else 0,
            state=run.state,
        )
        for name, run in zip(names, stages, strict=True)
    )


def work_told(run: ScanRun, source: Source, place: str) -> Work:
    """The work of a run, for the source whose labels are those of the collection at `place`.

    Raises UsageError where this process would do it otherwise, PluginError, ModelError and MissingExtra where it lacks
    a part.
    """
    plain = work_of(source, (), Config({}).get, run.limits)
    if plain.decode_state != run.decoding:
        raise _other(place, "with other decoders", "Install the same version with the same extras")
    return replace(plain, stages=tuple(_stage_run(stage, place) for stage in run.stages))


def _stage_run(stage_told: StageTold, place: str) -> StageRun:
    stage = registry.stage(stage_told.name)
    if isinstance(stage.needs, Model):
        card = stage.needs.card
        require(card, Engine.of(stage_told.backend) if stage_told.backend else default(card))
        needs = replace(stage.needs, backend=stage_told.backend, thumbnails=stage_told.thumbnails)
        stage = replace(stage, needs=needs)
    kind = stage_told.name.partition(":")[0]
    try:
        given = {f"{kind}.{name}": value for name, value in stage_told.settings.items()}
        settings = Config({kind: stage.settings()}).replace(given)[kind]
    except ConfigError as error:
        raise _other(place, f"with settings of {shown(stage_told.name)} that there are not here", str(error)) from error
    run = StageRun(stage, settings, registry.fingerprint(stage, settings))
    if run.state != stage_told.state:
        what = "another version of the stage or its model" if isinstance(stage.needs, Model) else "another version"
        raise _other(place, f"with {shown(stage_told.name)} as {what} makes it", "Install the same")
    return run


def _other(place: str, how: str, mend: str) -> UsageError:
    return UsageError(f"{place} is scanned {how}: what is made here would not be the same. Nothing was changed. {mend}")
