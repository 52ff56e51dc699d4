"""Settings: sections of frozen dataclasses, filled from flags, environment, files and defaults, with their origins."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from tintype.core import safe_yaml
from tintype.core.errors import ConfigError
from tintype.core.names import shown

PROJECT_FILE = "tintype.yaml"
ENVIRONMENT_PREFIX = "TINTYPE_"

Sections = Mapping[str, type]
"""The known sections by name; each is a frozen dataclass whose fields all have defaults."""


@dataclass(frozen=True)
class _Given:
    """One value as a layer gave it, before it is checked."""

    value: Any
    origin: str
    place: str  # what opens an error's message
    is_text: bool = False  # written outside of a file, so its type is the setting's to choose
    node: safe_yaml.Node | None = None  # where it stands in a file


@dataclass(frozen=True)
class Setting:
    """One setting as it stands: its dotted key, its value, its default and where the value comes from."""

    key: str
    value: Any
    default: Any
    origin: str


class Config(Mapping[str, Any]):
    """All settings of a run: unchangeable, read as `config.quality.dark_below` or `config.get("quality.dark_below")`.

    As a mapping it goes from section name to the section's dataclass.
    """

    def __init__(self, sections: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> None:
        """`sections` holds an instance by section name; `origins` the origin of each dotted key that has one."""
        self._sections = dict(sections)
        self._origins = dict(origins or {})

    def __getitem__(self, section: str) -> Any:
        return self._sections[section]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sections)

    def __len__(self) -> int:
        return len(self._sections)

    def __getattr__(self, section: str) -> Any:
        sections = self.__dict__.get("_sections", {})
        if section not in sections:
            raise AttributeError(f"no section {section!r} of settings{_near(section, sections)}")
        return sections[section]

    def __repr__(self) -> str:
        changed = (f"{setting.key}={setting.value!r}" for setting in self.settings() if setting.origin != "default")
        return f"Config({', '.join(changed)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self._sections == other._sections

    __hash__ = None  # type: ignore[assignment]  # a mapping that is compared by value

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a dotted key, or a whole section. An unknown key raises ConfigError; `default` is not used."""
        section, _, name = key.partition(".")
        _check_key(self._types(), section, name or None, key)
        return getattr(self._sections[section], name) if name else self._sections[section]

    def origin(self, key: str) -> str:
        """Where a dotted key's value comes from: a flag, a variable, a file with its line, or the default."""
        self.get(key)
        return self._origins.get(key, "default")

    def settings(self) -> Iterator[Setting]:
        """Every setting, section by section, in the order of declaration."""
        for section, instance in self._sections.items():
            plain = type(instance)()
            for field in dataclasses.fields(instance):
                key = f"{section}.{field.name}"
                value = getattr(instance, field.name)
                yield Setting(key, value, getattr(plain, field.name), self._origins.get(key, "default"))

    def replace(self, values: Mapping[str, object], origin: str = "call") -> Config:
        """A copy with the values of some dotted keys changed. Raises ConfigError."""
        given = {key: _Given(value, origin, shown(key)) for key, value in values.items()}
        return _filled(self, given)

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype config show --json`."""
        return {"schema": 1, "settings": [_plain(setting) for setting in self.settings()]}

    def _types(self) -> dict[str, type]:
        return {name: type(instance) for name, instance in self._sections.items()}


def _plain(setting: Setting) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    plain: dict[str, Any] = to_jsonable_python(dataclasses.asdict(setting), fallback=str)
    return plain


def resolve(
    sections: Sections,
    *,
    flags: Mapping[str, object] = MappingProxyType({}),
    environ: Mapping[str, str] | None = None,
    project: Path | None = None,
    user: Path | None = None,
) -> Config:
    """All settings: `flags` (by dotted key) over the environment over project file over user file over defaults.

    `environ` is the environment of the process unless given. A file that does not exist is an empty one. The
    project file belongs to whoever made the folder: hand it in only where the collection is trusted.

    Raises ConfigError, in one line with file, line and key, for what does not exist or does not fit.
    """
    import os

    config = Config({name: kind() for name, kind in sections.items()})
    for layer in (
        _from_file(sections, user, "user file"),
        _from_file(sections, project, "project file"),
        _from_environment(sections, os.environ if environ is None else environ),
        _from_flags(flags),
    ):
        config = _filled(config, layer)
    return config


def user_file() -> Path:
    """Where this user's settings lie on this system; the file need not exist."""
    import platformdirs

    return Path(platformdirs.user_config_dir("tintype", appauthor=False)) / "config.yaml"


def variable(key: str) -> str:
    """The environment variable that sets a dotted key."""
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    return {
        key: _Given(value, "flag", f"flag {shown(key)}", is_text=isinstance(value, str)) for key, value in flags.items()
    }


def _from_environment(sections: Sections, environ: Mapping[str, str]) -> dict[str, _Given]:
    """Variables that are empty count as unset. A variable that is nearly ours is taken for a slip and refused."""
    known = {variable(key): key for key in _keys(sections)}
    prefixes = tuple(variable(f"{section}.") for section in sections)
    layer = {}
    for name, text in environ.items():
        if name in known and text:
            key = known[name]
            layer[key] = _Given(text, f"environment {name}", f"environment variable {name}", is_text=True)
        elif name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near or name.startswith(prefixes):
                raise ConfigError(f"environment variable {shown(name)} sets nothing{_near(name, known)}")
    return layer


def _from_file(sections: Sections, path: Path | None, kind: str) -> dict[str, _Given]:
    document = safe_yaml.read(path) if path is not None else None
    if document is None or document.value is None:
        return {}
    if not isinstance(document.value, dict):
        raise ConfigError(f"{path}:{document.line}: sections with settings are expected, as in `scan:`")
    layer = {}
    for section, entries in document.value.items():
        _check_key(sections, section, None, section, f"{path}:{entries.key_line}: ")
        if entries.value is None:
            continue
        if not isinstance(entries.value, dict):
            raise ConfigError(f"{path}:{entries.line}: {section} is a section; its settings go below it, indented")
        for name, node in entries.value.items():
            key, place = f"{section}.{name}", f"{path}:{node.key_line}"
            _check_key(sections, section, name, key, f"{place}: ")
            layer[key] = _Given(node.plain(), f"{kind} {place}", f"{place}: {key}", node=node)
    return layer


def _filled(config: Config, layer: Mapping[str, _Given]) -> Config:
    """The config with a layer's values checked and laid over it."""
    if not layer:
        return config
    types = config._types()
    changes: dict[str, dict[str, Any]] = {}
    for key, given in layer.items():
        section, _, name = key.partition(".")
        _check_key(types, section, name, key)
        changes.setdefault(section, {})[name] = _checked(types[section], name, given)
    filled = dict(config)
    for section, values in changes.items():
        try:
            filled[section] = dataclasses.replace(config[section], **values)
        except ValueError as error:  # raised by the section's own __post_init__
            where = layer[f"{section}.{next(iter(values))}"].place
            raise ConfigError(f"{where}: {shown(str(error))}") from error
    return Config(filled, config._origins | {key: given.origin for key, given in layer.items()})


def _checked(section: type, name: str, given: _Given) -> Any:
    """The value as the field's type has it. Text from a flag or variable is read as YAML unless text is wanted."""
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import PydanticSerializationError, to_json

    adapter: TypeAdapter[Any] = TypeAdapter(get_type_hints(section, include_extras=True)[name])

    def fitted(value: Any) -> Any:
        # Through JSON, whose strict reading knows that a list may fill a tuple but that "1" is no number.
        return adapter.validate_json(to_json(value, inf_nan_mode="constants"), strict=True)

    value = given.value
    try:
        if given.is_text:
            with contextlib.suppress(ValidationError):
                return fitted(value)
            node = safe_yaml.parse(value, given.place)
            value = node.plain() if node is not None else None
        return fitted(value)
    except PydanticSerializationError as error:
        raise ConfigError(f"{given.place}: {type(value).__name__} is no value for a setting") from error
    except ValidationError as error:
        raise ConfigError(f"{given.place}: {_problem(error, value, given)}") from error


_WANTED = {
    "int_type": "a whole number is expected",
    "float_type": "a number is expected",
    "bool_type": "true or false is expected",
    "tuple_type": "a list is expected, as in [a, b]",
    "list_type": "a list is expected, as in [a, b]",
}


def _problem(error: Any, value: Any, given: _Given) -> str:
    """One line about the first thing that does not fit."""
    first = error.errors(include_url=False, include_context=False)[0]
    node = given.node
    for step in first["loc"]:
        if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            value, node = value[step], node.value[step] if node else None
    written = node.text if node is not None and node.text is not None else json.dumps(value, default=str)
    if first["type"] == "string_type":
        return f'{shown(written)} is not read as text; put it in quotes: "{shown(written)}"'
    wanted = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    return f"{shown(written)} does not fit: {_WANTED.get(first['type'], shown(wanted))}"


def _keys(sections: Sections) -> list[str]:
    return [f"{name}.{field.name}" for name, kind in sections.items() for field in dataclasses.fields(kind)]


def _check_key(sections: Sections, section: str, name: str | None, key: str, place: str = "") -> None:
    """Refuse a section or setting that does not exist, naming the nearest one."""
    keys = _keys(sections)
    if section not in sections:
        candidates = [*sections, *keys]
        raise ConfigError(f"{place}no section {shown(section)!r} of settings{_near(key, candidates)}")
    if name is not None and f"{section}.{name}" not in keys:
        raise ConfigError(f"{place}no setting {shown(key)!r}{_near(key, keys)}")


def _near(name: str, known: Any) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; nearest: {matches[0]}" if matches else ""
