"""Whatever a finder's numbers are set to: a value that fits, or one line that names the setting."""

import dataclasses
from typing import Any

import pytest

from tintype import api
from tintype.core.errors import ConfigError
from tintype.finders import registry

NAN, INFINITE = float("nan"), float("inf")
NEVER = ["3", "many", "", True, False, NAN, INFINITE, -INFINITE, -1, -0.5, [1], b"1", 1j, ()]


def numbers() -> list[tuple[str, str, str]]:
    """Finder, setting and type of each setting that is a number."""
    fields = [(name, one) for name in registry.names() for one in dataclasses.fields(registry.finder(name).settings)]
    return [(name, each.name, each.type) for name, each in fields if each.type.split(" | ")[0] in ("int", "float")]


@pytest.mark.parametrize("value", NEVER, ids=repr)
@pytest.mark.parametrize(("finder", "setting", "kind"), numbers())
def test_what_is_no_number_or_out_of_range_is_one_line(finder: str, setting: str, kind: str, value: Any) -> None:
    calls = (
        lambda: registry.finder(finder).settings(**{setting: value}),
        lambda: api.config().replace({f"{finder}.{setting}": value}),
    )
    for call in calls:
        with pytest.raises(ConfigError, match=rf"{finder}\.{setting}") as raised:
            call()
        assert str(raised.value).isprintable()


@pytest.mark.parametrize(("finder", "setting", "kind"), [one for one in numbers() if one[2].startswith("int")])
def test_a_whole_number_is_never_made_of_a_fraction(finder: str, setting: str, kind: str) -> None:
    for value in (2.5, 3.0):
        with pytest.raises(ConfigError, match="whole number"):
            registry.finder(finder).settings(**{setting: value})


def test_most_settings_are_tried() -> None:
    assert len(numbers()) > 25
