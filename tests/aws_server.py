"""AWS as the tests have it: moto's server, a process of its own that S3, DynamoDB and SQS are asked of over HTTP."""

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

STARTING_S = 60
SERVE = """
import os, threading, time
from moto.server import main
parent = os.getppid()
def end_with_parent():
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
threading.Thread(target=end_with_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", "0"])
"""  # a test run that is killed leaves no server behind
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def running(log: Path) -> Iterator[str]:
    """The address of a server that runs until the end of the block."""
    with log.open("wb") as printed:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(server, log)
    finally:
        server.kill()
        server.wait()


def _address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where it listens, as soon as it answers."""
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until and server.poll() is None:
        if found := re.search(r"Running on (http://[0-9.:]+)", log.read_text()):
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{found[1]}/moto-api/", timeout=5)
                return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"moto's server did not start: {log.read_text()[-2000:]}")


def environment(address: str) -> dict[str, str]:
    """What leads a process to the server and nowhere else."""
    cleared = {name: "" for name in os.environ if name.startswith("AWS_")}
    return cleared | CREDENTIALS | {"AWS_ENDPOINT_URL": address, "AWS_EC2_METADATA_DISABLED": "true"}
