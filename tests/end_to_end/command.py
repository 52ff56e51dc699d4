"""Runs `tintype` as a user would: a process of its own, with a state folder of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tintype.cli.main import main


@dataclass(frozen=True)
class Ran:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Tintype:
    home: Path

    def __call__(
        self, *words: str | Path, cwd: Path | None = None, before: Callable[[], None] | None = None, **environ: str
    ) -> Ran:
        command = [sys.executable, "-m", "tintype.cli.main", *map(str, words)]
        ended = subprocess.run(
            command,
            env={**self.environ, **environ},
            capture_output=True,
            cwd=cwd,
            preexec_fn=before,
            timeout=240,
            stdin=subprocess.DEVNULL,
        )
        stdout, stderr = ended.stdout.decode(), ended.stderr.decode(errors="surrogateescape")
        assert "Traceback" not in stderr, stderr
        return Ran(ended.returncode, stdout, stderr)

    def here(self, *words: str | Path, cwd: Path) -> Ran:
        """In this process, where there are many to run: starting one takes longer than what it does."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.chdir(cwd)
            code = main([str(word) for word in words])
        return Ran(code, out.getvalue(), err.getvalue())

    @property
    def environ(self) -> dict[str, str]:
        own = {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), "XDG_CONFIG_HOME": str(self.home)}
        return {**os.environ, **own}
