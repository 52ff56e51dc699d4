"""The pages of the documentation, and the blocks in them."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "reference"

_BLOCK = re.compile(
    r"(?:^<!-- (?P<comment>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NOT_RUN = re.compile(r"not run: \w.*")
_FAILS = re.compile(r"fails with (\d+): \w.*")


@dataclass(frozen=True)
class Block:
    """A fenced block; `comment` is the HTML comment on the line above it."""

    page: str
    line: int
    language: str
    comment: str
    text: str

    @property
    def is_run(self) -> bool:
        return not _NOT_RUN.fullmatch(self.comment)

    @property
    def exit_code(self) -> int:
        failing = _FAILS.fullmatch(self.comment)
        return int(failing[1]) if failing else 0

    @property
    def file(self) -> str | None:
        """The name of the file that the block is to be, if any."""
        return self.comment.removeprefix("file: ") if self.comment.startswith("file: ") else None


def written_pages() -> list[Path]:
    """The README and the pages of docs/ that people wrote."""
    return [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page.name,
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            found["comment"] or "",
            found["text"],
        )
        for found in _BLOCK.finditer(text)
    ]


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next one of its level or a higher one."""
    text = page.read_text(encoding="utf-8")
    level = heading.split(" ")[0]
    _, _, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert rest, f"{page.name} has no heading {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]
