"""Fixtures that all rooms share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# CI judges a change by the same examples every time; everybody else looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

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
