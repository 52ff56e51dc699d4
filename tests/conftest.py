"""Fixtures that all rooms share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test data; its place comes from TINTYPE_TEST_DATA."""
    place = Path(os.environ.get("TINTYPE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (place / "README.md").is_file():
        pytest.fail(f"test data not found at {place}; set TINTYPE_TEST_DATA to its folder")
    return place
