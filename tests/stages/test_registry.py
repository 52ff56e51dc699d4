"""The registry of stages: names, plug-ins, and what a fingerprint tells."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.core.errors import PluginError
from tintype.core.plugins import Plugins
from tintype.stages import registry
from tintype.stages.base import Stage
from tintype.stages.quality import STAGE as QUALITY

PLUGIN = """
from tintype.stages.base import Bytes, Stage
from tintype.stages.phash import Settings

def compute(batch, settings):
    return {}

STAGE = Stage("%s", 1, (), Bytes(), Settings, compute)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path that plug-ins can be installed in; the registry looks anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "PLUGINS", Plugins("stage"))
    return tmp_path


def install(site: Path, package: str, name: str, module: str, attribute: str = "STAGE", stage_name: str = "") -> None:
    """What pip leaves of a package with one stage."""
    (site / f"{module}.py").write_text(PLUGIN % (stage_name or name))
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tintype.stages]\n{name} = {module}:{attribute}\n")


def test_the_default_stages_are_registered_under_their_own_names() -> None:
    assert set(registry.DEFAULT_STAGES) <= set(registry.names())
    for name in registry.DEFAULT_STAGES:
        assert registry.stage(name).name == name


def test_columns_of_the_default_stages_do_not_collide() -> None:
    names = [column.name for name in registry.DEFAULT_STAGES for column in registry.stage(name).columns]
    assert len(names) == len(set(names))


def test_names_are_sorted_and_load_no_stage() -> None:
    code = (
        "import sys; from tintype.stages import registry; names = registry.names();"
        "assert list(names) == sorted(names); print('cv2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_plug_in_is_found_by_its_entry_point(site: Path) -> None:
    install(site, "borders", "frame_width", "plugin_borders")
    assert "frame_width" in registry.names()
    assert isinstance(registry.stage("frame_width"), Stage)


def test_two_plug_ins_with_one_name_are_an_error_that_names_both(site: Path) -> None:
    install(site, "first-one", "frame_depth", "plugin_first")
    install(site, "second-one", "frame_depth", "plugin_second")
    with pytest.raises(PluginError, match=r"frame_depth") as caught:
        registry.names()
    assert "first-one" in str(caught.value)
    assert "second-one" in str(caught.value)


def test_a_plug_in_cannot_take_the_name_of_ours(site: Path) -> None:
    install(site, "rival", "quality", "plugin_rival")
    with pytest.raises(PluginError, match="rival"):
        registry.stage("quality")


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(PluginError, match="Did you mean quality"):
        registry.stage("qualty")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(PluginError, match="colors, descriptor, exif"):
        registry.stage("zzz")


@pytest.mark.parametrize("attribute", ["MISSING", "compute"])
def test_a_plug_in_that_does_not_hold_what_it_says_is_named(site: Path, attribute: str) -> None:
    module = f"plugin_hollow_{attribute.lower()}"
    install(site, "hollow", f"hollow_{attribute.lower()}", module, attribute)
    with pytest.raises(PluginError, match=module):
        registry.stage(f"hollow_{attribute.lower()}")


def test_a_plug_in_whose_stage_has_another_name_is_refused(site: Path) -> None:
    install(site, "liar", "one_name", "plugin_liar", stage_name="another_name")
    with pytest.raises(PluginError, match="liar"):
        registry.stage("one_name")


@given(st.floats(0, 10), st.floats(0, 10))
def test_equal_settings_have_equal_fingerprints_and_others_have_not(first: float, second: float) -> None:
    prints = [registry.fingerprint(QUALITY, QUALITY.settings(noise_weight=value)) for value in (first, second)]
    assert (prints[0] == prints[1]) == (first == second)
    assert all(0 < number < 2**31 for number in prints)


def test_a_new_version_or_name_has_another_fingerprint() -> None:
    settings = QUALITY.settings()
    others = [dataclasses.replace(QUALITY, version=2), dataclasses.replace(QUALITY, name="other")]
    assert len({registry.fingerprint(stage, settings) for stage in (QUALITY, *others)}) == 3


def test_fingerprints_last_between_processes() -> None:
    """A stored number must mean the same next year: this one changes only with the stage."""
    code = (
        "from tintype.stages.registry import fingerprint, stage; s = stage('thumbnail');"
        "print(fingerprint(s, s.settings()))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    thumbnail = registry.stage("thumbnail")
    assert runs == [f"{registry.fingerprint(thumbnail, thumbnail.settings())}\n"] * 2
