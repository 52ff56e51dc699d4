"""Settings: which layer wins, where a value comes from, and how slips are named."""

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.core.errors import ConfigError
from tintype.core.settings import Config, resolve, user_file, variable


@dataclass(frozen=True, kw_only=True)
class Scan:
    workers: int = 0
    name: str = "plain"
    ignore: tuple[str, ...] = ()
    hidden: bool = False
    mode: Literal["fast", "slow"] = "fast"
    place: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError("there cannot be fewer than 0 workers")


@dataclass(frozen=True, kw_only=True)
class Quality:
    dark_below: float = 0.1
    bright_above: float = 0.9


SECTIONS = {"scan": Scan, "quality": Quality}


@pytest.fixture
def user(tmp_path) -> Path:
    return tmp_path / "config.yaml"


@pytest.fixture
def project(tmp_path) -> Path:
    return tmp_path / "tintype.yaml"


def from_text(user: Path, text: str) -> Config:
    user.write_text(text)
    return resolve(SECTIONS, environ={}, user=user)


def test_without_anything_the_defaults_stand():
    config = resolve(SECTIONS, environ={})
    assert (config.scan, config.quality) == (Scan(), Quality())
    assert {setting.origin for setting in config.settings()} == {"default"}


def test_flags_go_over_environment_over_project_over_user_over_defaults(user, project):
    user.write_text("scan: {workers: 1, name: user, hidden: true}\nquality: {dark_below: 0.2}\n")
    project.write_text("scan:\n  workers: 2\n  name: project\n")
    config = resolve(
        SECTIONS,
        flags={"scan.workers": 4},
        environ={"TINTYPE_SCAN_WORKERS": "3", "TINTYPE_SCAN_NAME": "environment"},
        project=project,
        user=user,
    )
    assert config.scan == Scan(workers=4, name="environment", hidden=True)
    assert config.quality == Quality(dark_below=0.2)
    assert {setting.key: setting.origin for setting in config.settings() if setting.origin != "default"} == {
        "scan.workers": "flag",
        "scan.name": "environment TINTYPE_SCAN_NAME",
        "scan.hidden": f"user file {user}:1",
        "quality.dark_below": f"user file {user}:2",
    }
    assert resolve(SECTIONS, environ={}, project=project, user=user).origin("scan.name") == f"project file {project}:3"


def test_values_are_read_by_dots_and_by_key():
    config = resolve(SECTIONS, flags={"quality.dark_below": 0.3}, environ={})
    assert config.quality.dark_below == config.get("quality.dark_below") == 0.3
    assert config.get("quality") == config["quality"] == Quality(dark_below=0.3)
    assert (config.origin("quality.dark_below"), config.origin("quality.bright_above")) == ("flag", "default")
    assert list(config) == ["scan", "quality"]
    with pytest.raises(AttributeError, match="nearest: quality"):
        _ = config.qualty
    with pytest.raises(ConfigError, match=r"nearest: quality\.dark_below"):
        config.get("quality.dark_bellow")


def test_replace_leaves_the_old_config_as_it_was():
    old = resolve(SECTIONS, environ={})
    new = old.replace({"scan.workers": 7, "scan.ignore": ["a", "b"]})
    assert (old.scan.workers, new.scan.workers, new.scan.ignore) == (0, 7, ("a", "b"))
    assert new.origin("scan.workers") == "call"
    assert old != new
    with pytest.raises(ConfigError, match=r"scan\.workers: \"7\" does not fit: a whole number"):
        old.replace({"scan.workers": "7"})


def test_a_config_travels_to_another_process():
    config = resolve(SECTIONS, flags={"scan.name": "x"}, environ={})
    assert pickle.loads(pickle.dumps(config)) == config


def test_the_process_environment_is_read_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("TINTYPE_SCAN_WORKERS", "5")
    assert resolve(SECTIONS).scan.workers == 5
    assert resolve(SECTIONS, environ={}).scan.workers == 0


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("TINTYPE_SCAN_WORKERS", "4", "scan.workers", 4),
        ("TINTYPE_SCAN_NAME", "no", "scan.name", "no"),
        ("TINTYPE_SCAN_NAME", "a: b", "scan.name", "a: b"),
        ("TINTYPE_SCAN_NAME", "", "scan.name", "plain"),
        ("TINTYPE_SCAN_HIDDEN", "yes", "scan.hidden", True),
        ("TINTYPE_SCAN_HIDDEN", "FALSE", "scan.hidden", False),
        ("TINTYPE_SCAN_IGNORE", "[a, 'b c']", "scan.ignore", ("a", "b c")),
        ("TINTYPE_SCAN_MODE", "slow", "scan.mode", "slow"),
        ("TINTYPE_SCAN_PLACE", "/x", "scan.place", "/x"),
        ("TINTYPE_QUALITY_DARK_BELOW", "1", "quality.dark_below", 1.0),
        ("TINTYPE_QUALITY_DARK_BELOW", "1e-3", "quality.dark_below", 0.001),
    ],
)
def test_text_of_variables_and_flags_is_read_as_the_setting_asks(name, text, key, value):
    assert resolve(SECTIONS, environ={name: text}).get(key) == value
    if text:
        assert resolve(SECTIONS, environ={}, flags={key: text}).get(key) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scan:\n  name: no", '2: scan.name: no is not read as text; put it in quotes: "no"'),
        ("scan:\n  name: 1e3", '2: scan.name: 1e3 is not read as text; put it in quotes: "1e3"'),
        ("scan:\n  name:", '2: scan.name:  is not read as text; put it in quotes: ""'),
        ("scan:\n  ignore: [a, off]", '2: scan.ignore: off is not read as text; put it in quotes: "off"'),
        ("scan:\n  workers: 012", "2: scan.workers: 012 does not fit: a whole number is expected"),
        ("scan:\n  workers: 1.0", "2: scan.workers: 1.0 does not fit: a whole number is expected"),
        ("scan:\n  workers: true", "2: scan.workers: true does not fit: a whole number is expected"),
        ("scan:\n  workers: '4'", '2: scan.workers: "4" does not fit: a whole number is expected'),
        ("scan:\n  hidden: 1", "2: scan.hidden: 1 does not fit: true or false is expected"),
        ("scan:\n  ignore: a", "2: scan.ignore: a does not fit: a list is expected, as in [a, b]"),
        ("scan:\n  mode: quick", "2: scan.mode: quick does not fit: it must be 'fast' or 'slow'"),
        ("quality:\n  dark_below: .nan", "2: quality.dark_below: .nan does not fit: a number is expected"),
        ("scan:\n  workers: -1", "2: scan.workers: there cannot be fewer than 0 workers"),
        ("scan:\n\n  wrokers: 1", "3: no setting 'scan.wrokers'; nearest: scan.workers"),
        ("scna:\n  workers: 1", "1: no section 'scna' of settings; nearest: scan"),
        ("scan: 4", "1: scan is a section; its settings go below it, indented"),
        ("- scan", "1: sections with settings are expected, as in `scan:`"),
        ("scan:\n  'a\\nb': 1", "2: no setting 'scan.a\\\\nb'"),
    ],
)
def test_refuses_with_file_line_and_key(user, text, message):
    with pytest.raises(ConfigError) as refused:
        from_text(user, text)
    assert str(refused.value).startswith(f"{user}:{message}")
    assert "\n" not in str(refused.value)


def test_text_that_looks_like_a_time_or_an_octal_number_stays_as_written(user):
    assert from_text(user, "scan: {name: 12:30:00, place: 012, ignore: [2020-01-01, 1_000]}").scan == Scan(
        name="12:30:00", place="012", ignore=("2020-01-01", "1_000")
    )


def test_empty_files_and_sections_change_nothing(user):
    for text in ("", "# nothing\n", "scan:\n", "scan: {}\n"):
        assert from_text(user, text) == resolve(SECTIONS, environ={})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TINTYPE_SCAN_WRKERS", "1", "nearest: TINTYPE_SCAN_WORKERS"),
        ("TINTYPE_SCAN_ANYTHING", "1", "TINTYPE_SCAN_ANYTHING sets nothing"),
        ("TINTYPE_SCNA_WORKERS", "1", "nearest: TINTYPE_SCAN_WORKERS"),
        ("TINTYPE_SCAN_WORKERS", "many", 'variable TINTYPE_SCAN_WORKERS: "many" does not fit: a whole number'),
        ("TINTYPE_SCAN_WORKERS", "[1", "TINTYPE_SCAN_WORKERS:1: "),
        ("TINTYPE_SCAN_WORKERS", "!!python/name:os.system", "tags"),
    ],
)
def test_a_slip_in_the_environment_is_named(name, value, words):
    with pytest.raises(ConfigError) as refused:
        resolve(SECTIONS, environ={name: value})
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_variables_of_others_are_left_alone():
    environ = {"TINTYPE_TEST_DATA": "/x", "PATH": "/bin", "TINTYPE": "1", "_TINTYPE_COMPLETE": "bash_source"}
    assert resolve(SECTIONS, environ=environ) == resolve(SECTIONS, environ={})


def test_unknown_flags_are_refused():
    with pytest.raises(ConfigError, match=r"nearest: scan\.workers"):
        resolve(SECTIONS, environ={}, flags={"scan.worker": 1})
    with pytest.raises(ConfigError, match="no value for a setting"):
        resolve(SECTIONS, environ={}, flags={"scan.workers": object()})


def test_hostile_project_files_are_refused_in_one_line(data):
    for file in sorted((data / "hostile-archives").glob("*.yaml")):
        with pytest.raises(ConfigError) as refused:
            resolve(SECTIONS, environ={}, project=file)
        assert str(refused.value).startswith(f"{file}:")
        assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="is not a file"):
        resolve(SECTIONS, environ={}, user=tmp_path)
    loop = tmp_path / "loop.yaml"
    os.symlink(loop, loop)
    with pytest.raises(ConfigError, match=r"loop\.yaml cannot be read"):
        resolve(SECTIONS, environ={}, user=loop)


def test_the_document_holds_every_setting_as_plain_data():
    document = resolve(SECTIONS, environ={}, flags={"scan.ignore": "[a]"}).to_json()
    assert document["schema"] == 1
    assert {"key": "scan.ignore", "value": ["a"], "default": [], "origin": "flag"} in document["settings"]
    assert len(document["settings"]) == 8


def test_the_user_file_lies_where_the_system_keeps_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_file() == tmp_path / "tintype" / "config.yaml"


@given(
    st.builds(
        Scan,
        workers=st.integers(0, 10**9),
        name=st.text(st.characters(codec="utf-8"), max_size=20),
        ignore=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3).map(tuple),
        hidden=st.booleans(),
    )
)
def test_any_value_given_as_a_flag_stands_as_it_was_given(scan):
    flags = {
        "scan.workers": scan.workers,
        "scan.name": scan.name,
        "scan.ignore": scan.ignore,
        "scan.hidden": scan.hidden,
    }
    assert resolve(SECTIONS, environ={}, flags=flags).scan == scan


def test_each_setting_has_its_own_variable():
    keys = [setting.key for setting in resolve(SECTIONS, environ={}).settings()]
    assert len({variable(key) for key in keys}) == len(keys)
