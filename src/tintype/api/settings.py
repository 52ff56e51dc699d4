"""The configuration as a whole: its sections, and the files that it is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tintype.api.places import Place, absolute
from tintype.codec.limits import Limits
from tintype.core.errors import CollectionNotFound
from tintype.core.object_facts import Budget
from tintype.core.settings import PROJECT_FILE, Config, resolve, user_file
from tintype.engine.settings import ModelSettings, ScanSettings
from tintype.finders import registry as finders
from tintype.sources.remote_cache import CacheSettings
from tintype.stages import registry as stages
from tintype.store.layout import Layout, default_place, read_record
from tintype.store.trust import is_trusted


def config(root: Place | None = None, flags: Mapping[str, object] | None = None) -> Config:
    """All settings with their origins: flags over environment over project file over user file over defaults.

    The project file is `tintype.yaml` in `root`; it is passed over where the collection there is not trusted.
    Raises ConfigError.
    """
    project = None if root is None else _project_file(Path(absolute(root)))
    return resolve(sections(), flags=flags or {}, project=project, user=user_file())


def config_for(places: Sequence[str], layout: Layout) -> Config:
    """The settings for a scan of these sources into this collection."""
    project = _project_file(Path(places[0]), layout) if len(places) == 1 else None
    return resolve(sections(), project=project, user=user_file())


def sections() -> dict[str, type]:
    """The sections of the configuration with the dataclasses that hold them."""
    found: dict[str, type] = {"scan": ScanSettings, "models": ModelSettings, "limits": Limits}
    found |= {"transfer": Budget, "cache": CacheSettings}
    found |= {name: stages.stage(name).settings for name in stages.names()}
    found |= {name: stages.family(name).settings for name in stages.CARD_PLUGINS.names()}
    found |= {name: finders.finder(name).settings for name in finders.names()}
    return found


def _project_file(root: Path, layout: Layout | None = None) -> Path | None:
    """The folder's settings, unless they came with a collection of somebody else's."""
    if not root.is_dir():
        return None
    layout = layout or Layout(default_place(root))
    try:
        is_own = is_trusted(layout, read_record(layout))
    except CollectionNotFound:
        is_own = True
    return root / PROJECT_FILE if is_own else None
