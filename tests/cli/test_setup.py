"""config, doctor, plugins, completion, version."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from tintype import doctor
from tintype.core.checks import Check
from tintype.finders import registry as finders


def document(ended) -> dict:
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found["schema"] == 1
    return found


@pytest.fixture
def settings_home(tmp_path) -> dict[str, str]:
    (tmp_path / "tintype").mkdir()
    (tmp_path / "tintype" / "config.yaml").write_text("limits:\n  pixels: 1000\n  frames: 7\n")
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_config_show_says_where_each_value_comes_from(called, settings_home, tmp_path):
    project = tmp_path / "photos"
    project.mkdir()
    (project / "tintype.yaml").write_text("limits: {frames: 8}\n")
    env = settings_home | {"TINTYPE_LIMITS_SIDE_PX": "500"}
    found = document(called("config", "show", project, "--json", "--set", "scan.workers=3", env=env))
    by_key = {entry["key"]: (entry["value"], entry["origin"]) for entry in found["settings"]}
    assert by_key["limits.pixels"] == (1000, f"user file {tmp_path / 'tintype' / 'config.yaml'}:2")
    assert by_key["limits.frames"] == (8, f"project file {project / 'tintype.yaml'}:1")
    assert by_key["limits.side_px"] == (500, "environment TINTYPE_LIMITS_SIDE_PX")
    assert by_key["scan.workers"] == (3, "flag")
    assert by_key["limits.bytes"] == (1_000_000_000, "default")
    assert "limits.pixels" in called("config", "show", env=env).out


def test_a_wrong_setting_is_one_line(called, settings_home):
    ended = called("config", "show", "--set", "limits.pixls=3", env=settings_home)
    assert (ended.code, ended.out, ended.err) == (3, "", "tintype: no setting 'limits.pixls'; nearest: limits.pixels\n")
    ended = called("config", "show", env={"TINTYPE_LIMITS_PIXELS": "many"})
    assert ended.code == 3
    assert ended.err == (
        'tintype: environment variable TINTYPE_LIMITS_PIXELS: "many" does not fit: a whole number is expected\n'
    )


def test_every_setting_has_a_default_that_fits():
    """Each default, written as text, is read back as itself: strict checks and defaults agree."""
    from tintype import api
    from tintype.cli.words import value_text
    from tintype.core.settings import resolve

    plain = resolve(api.sections(), environ={})
    entries = plain.to_json()["settings"]
    given = {entry["key"]: value_text(entry["value"]) for entry in entries if entry["value"] not in (None, "")}
    assert resolve(api.sections(), environ={}, flags=given) == plain


def test_doctor_lists_versions_machine_extras_and_checks(called):
    found = document(called("doctor", "--json"))
    assert found["is_well"]
    assert found["versions"]["pyarrow"] == metadata.version("pyarrow")
    assert found["system"]["processors"] >= 1
    assert found["system"]["memory_bytes"] > 100_000_000
    extras = {extra["extra"]: extra for extra in found["extras"]}
    assert extras["raw"]["install"] == "pip install 'tintype[raw]'"
    assert extras["raw"]["packages"] == ["rawpy"]
    assert extras["testing"]["installed"]
    words = called("doctor").out
    for title in ("Versions", "This machine", "Extras", "Checks"):
        assert f"\n{title}\n" in f"\n{words}"


def test_doctor_finds_a_user_file_that_cannot_be_read(called, tmp_path):
    (tmp_path / "tintype").mkdir()
    (tmp_path / "tintype" / "config.yaml").write_text("a: &x [*x]\n")
    ended = called("doctor", "--json", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert ended.code == 1
    found = json.loads(ended.out)
    assert [check["name"] for check in found["checks"] if check["ok"] is False] == ["settings"]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs packages that are nothing but their metadata."""

    def install(name: str, entry_points: str = "") -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(entry_points)

    monkeypatch.syspath_prepend(str(tmp_path))
    return install


def test_doctor_finds_two_owners_of_one_module(installed):
    installed("opencv-python")
    checks = doctor.examine().checks
    assert [check.message for check in checks if check.ok is False] == [
        "opencv-python-headless and opencv-python both own the module cv2."
    ]


def test_doctor_finds_two_plugins_of_one_name(installed):
    installed("other-colors", "[tintype.finders]\nduplicates = other:FINDER\n")
    wrong = [check for check in doctor.examine().checks if check.ok is False]
    assert any("'duplicates' comes from" in check.message and "other-colors 1.0" in check.message for check in wrong)


def test_plugins_of_others_are_listed_with_their_package(installed, called):
    installed("tintype-fog", "[tintype.stages]\nfog = tintype_fog:STAGE\n[tintype.exports]\nfog = tintype_fog:EXPORT\n")
    found = document(called("plugins", "--json"))["plugins"]
    assert {"kind": "stages", "name": "fog", "package": "tintype-fog 1.0", "target": "tintype_fog:STAGE"} in found
    assert {"kind": "exports", "name": "fog", "package": "tintype-fog 1.0", "target": "tintype_fog:EXPORT"} in found
    assert [plugin["name"] for plugin in found if plugin["kind"] == "finders"] == sorted(finders.names())
    assert "phash" in called("plugins").out


def test_one_failed_check_makes_it_unwell_and_a_note_does_not():
    def found(ok: bool | None) -> doctor.Findings:
        return doctor.Findings({}, {}, (), (Check("a", True, ""), Check("b", ok, "")))

    assert [found(ok).is_well for ok in (True, None, False)] == [True, True, False]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(shell, called):
    script = called("completion", shell).out
    assert "_TINTYPE_COMPLETE" in script
    assert document(called("completion", shell, "--json")) == {
        "schema": 1,
        "shell": shell,
        "script": script,
    }


@pytest.mark.parametrize("shell", ["bash"])
def test_the_script_is_one_that_the_shell_reads(shell, called):
    script = called("completion", shell).out
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_words_are_completed(tintype):
    def completed(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return tintype(env=words | {"_TINTYPE_COMPLETE": "bash_complete"}).out.split()

    assert completed("tintype dup") == ["plain,duplicates"]
    assert completed("tintype config s") == ["plain,show"]
    assert "plain,--max-distance" in completed("tintype duplicates --")


def test_the_version_is_that_of_the_package(called):
    version = metadata.version("tintype")
    assert document(called("version", "--json")) == {"schema": 1, "version": version}
    assert called("version").out == called("--version").out == f"tintype {version}\n"


def test_the_command_is_installed():
    points = metadata.entry_points(group="console_scripts", name="tintype")
    assert [point.value for point in points] == ["tintype.cli.main:main"]


def test_doctor_says_which_part_does_not_load(environment, tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1 is missing')")
    code = "import sys; from tintype.cli.main import main; sys.exit(main(['doctor', '--json']))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    wrong = [check for check in json.loads(ended.stdout)["checks"] if check["ok"] is False]
    assert "libGL.so.1 is missing" in wrong[0]["message"]
