"""How templates become a page: escaping, filters, and the style and script that the page's policy names."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tintype.core.names import shown
from tintype.reports import words

_HERE = Path(__file__).resolve().parent
_BREAKS = re.compile(r"(?<=[_,;+=)-])(?=[^\W_])")
_STYLES = ("theme", "page", "pictures", "findings", "map", "enlarger", "media")
_SCRIPTS = ("base", "thumbnails", "lists", "map", "enlarger", "start")


@cache
def templates() -> Environment:
    """Everything that is put into a template is escaped, and what cannot be seen is shown as text."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "plural": words.plural,
        "size": words.size,
        "breakable": _breakable,
        "status": lambda name: words.STATUS_WORDS.get(name, name),
    }
    return environment


@cache
def assets() -> dict[str, str]:
    """Style, script and icon of the page, and the policy that allows these and nothing else."""
    style = "\n".join(_asset(f"{name}.css") for name in _STYLES)
    scripts = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{scripts}}})();\n'
    return {
        "style": style,
        "script": script,
        "icon": b64encode(_asset("icon.svg").encode("utf-8")).decode("ascii"),
        "policy": f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
    }


def _harmless(value: Any) -> Any:
    """Control and other invisible characters are shown as text, in whatever is put into the page."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(name: str) -> Markup:
    """A name that may break after its marks rather than within a word; its text stays the same."""
    return Markup("<wbr>").join(_BREAKS.split(shown(name)))


def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")
