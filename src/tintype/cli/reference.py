"""Writes the reference pages that are made from the code: columns, commands, settings, errors."""

from __future__ import annotations

import sys
from pathlib import Path

from tintype.cli.pages.columns import column_page
from tintype.cli.pages.commands import command_page
from tintype.cli.pages.errors import error_page
from tintype.cli.pages.settings import settings_page

__all__ = ["command_page", "main", "pages", "settings_page"]


def pages() -> dict[str, str]:
    """All pages by the names of their files."""
    from tintype import api

    return {
        "columns.md": column_page(),
        "errors.md": error_page(),
        "cli.md": command_page(),
        "configuration.md": settings_page(api.sections()),
    }


def main(folder: Path) -> None:
    """Write all pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
