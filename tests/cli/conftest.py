"""Runs the command as its own process, apart from the settings and the state of whoever runs the tests."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tintype.cli.main import main

COMMAND = (sys.executable, "-m", "tintype.cli.main")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def environment(home) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TINTYPE_", "XDG_"))}
    return ours | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}


@pytest.fixture(scope="session")
def tintype(environment) -> Callable[..., Ended]:
    """`tintype("info", place, env={…})`: the ended process."""

    def run(*words: str | bytes | os.PathLike, env: dict[str, str] | None = None, cwd: Path | None = None) -> Ended:
        ended = subprocess.run(
            [*COMMAND, *words],
            env=environment | (env or {}),
            cwd=cwd,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run


@pytest.fixture(scope="session")
def called(environment) -> Callable[..., Ended]:
    """The same within this process, which is quicker."""

    def call(*words: str | os.PathLike, env: dict[str, str] | None = None) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(environment):
                patch.delenv(name)
            for name, value in (environment | (env or {})).items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([os.fspath(word) for word in words])
        return Ended(code, out.getvalue(), err.getvalue())

    return call
