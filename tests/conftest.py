"""Fixtures that all rooms share."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from aws_server import environment, running
from fault_proxy import FaultProxy, misbehaving

# CI judges a change by the same examples every time; everybody else looks for new ones. No test is about time.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test data; its place comes from TINTYPE_TEST_DATA. Without it only those tests run that make
    their own pictures; where CI is set it must be there."""
    place = Path(os.environ.get("TINTYPE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (place / "README.md").is_file():
        missing = f"test data not found at {place}; set TINTYPE_TEST_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return place


@pytest.fixture(scope="session")
def aws_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where moto's server listens."""
    pytest.importorskip("moto.server", reason="plays the object store; comes with the extra dev")
    with running(tmp_path_factory.mktemp("aws") / "moto.log") as address:
        yield address


@pytest.fixture
def aws(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with the variables set that lead there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(aws_address).items():
        if value:
            monkeypatch.setenv(name, value)
    return aws_address


@pytest.fixture
def bucket(aws: str) -> str:
    """A new bucket there."""
    import boto3

    name = f"bucket-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def proxy(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the server, which misbehaves as told; the variables lead to it."""
    with misbehaving(aws) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy
