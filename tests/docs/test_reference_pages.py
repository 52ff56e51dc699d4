"""The pages that are made from the code are up to date and complete."""

import inspect
import re

import pytest
from pages import DOCS, REFERENCE, REPOSITORY, written_pages

from tintype import api
from tintype.cli.main import COMMANDS
from tintype.cli.pages.errors import STATUS_WORDS
from tintype.cli.reference import pages
from tintype.codec.decode import FORMATS
from tintype.core import errors
from tintype.core.columns import ROW_COLUMNS, STATUSES
from tintype.finders import registry as finders
from tintype.finders.base import FINDINGS
from tintype.finders.issues import ISSUES
from tintype.sources.table_rows import IMAGE_NAMES
from tintype.stages import registry as stages


@pytest.mark.parametrize("name", ["columns.md", "errors.md", "cli.md", "configuration.md"])
def test_a_page_made_from_the_code_is_up_to_date(name):
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name], "make docs"


def test_all_reference_pages_are_made_from_the_code():
    assert {page.name for page in REFERENCE.iterdir()} == set(pages())


def test_no_exit_code_is_used_twice():
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.TintypeError)]
    codes = [kind.exit_code for kind in kinds]
    assert len(kinds) > 10
    assert len(codes) == len(set(codes))
    assert not {0, 130, 141} & set(codes)
    page = (REFERENCE / "errors.md").read_text()
    for kind in kinds:
        assert f"| {kind.exit_code} | `{kind.__name__}` |" in page


def test_every_status_is_explained():
    assert tuple(STATUS_WORDS) == STATUSES
    for page in (REFERENCE / "errors.md", DOCS / "getting-started.md"):
        for status in STATUSES:
            assert f"`{status}`" in page.read_text()


def test_every_column_stands_in_the_data_dictionary_once():
    page = (REFERENCE / "columns.md").read_text()
    own = [column for name in stages.names() for column in stages.stage(name).columns]
    for column in (*ROW_COLUMNS, *own):
        assert page.count(f"\n| `{column.name}` |") == 1
        assert column.words.replace("|", "\\|") in page


def test_every_verb_has_a_section():
    page = (DOCS / "commands.md").read_text()
    for name in COMMANDS:
        heading = "config show" if name == "config" else name
        assert f"\n## tintype {heading}\n" in page
        assert f"\n### JSON of {heading}\n" in page


def test_every_stage_finder_and_issue_stands_in_the_docs():
    page = (DOCS / "commands.md").read_text()
    for name in stages.names():
        assert f"| `{name}` |" in page
    for name in finders.names():
        assert f"\n## tintype {name}\n" in page
    for issue in ISSUES:
        assert f"| `{issue}` |" in page


def test_every_settings_key_stands_in_the_docs():
    page = (REFERENCE / "configuration.md").read_text()
    for setting in api.config().settings():
        assert f"| `{setting.key}`<br>" in page


def test_the_pages_name_only_settings_that_exist():
    keys = {setting.key for setting in api.config().settings()}
    sections = "|".join(api.sections())
    for page in written_pages():
        for section, name in re.findall(rf"`(?:--set )?({sections})\.([a-z_]+)(?:=[^`]*)?`", page.read_text()):
            assert f"{section}.{name}" in keys, page.name


def test_findings_and_image_columns_of_tables_are_described():
    page = (DOCS / "collection-format.md").read_text()
    for name in FINDINGS.names:
        assert f"`{name}`" in page
    for finder in finders.names():
        for field in finders.finder(finder).columns:
            assert f"`{field.name}`" in page, (finder, field.name)
    for name in IMAGE_NAMES:
        assert f"`{name}`" in (DOCS / "sources.md").read_text()


def test_every_read_format_stands_in_the_docs():
    page = (DOCS / "formats.md").read_text()
    for name in FORMATS - {"pfm"}:  # named ppm once it is opened
        assert f"`{name}`" in page


def test_every_room_stands_in_the_architecture():
    page = (DOCS / "architecture.md").read_text()
    packages = (REPOSITORY / "src" / "tintype").glob("*/__init__.py")
    rooms = {package.parent.name for package in packages}
    assert len(rooms) > 8
    for room in rooms:
        assert re.search(rf"^\|.*`{room}`.*\|", page, re.MULTILINE), room


def test_every_link_leads_somewhere():
    for page in (*written_pages(), *REFERENCE.glob("*.md"), REPOSITORY / "CHANGELOG.md"):
        text = page.read_text()
        for target in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text):
            link = target[0] or target[1]
            if link.startswith("https://"):
                continue
            name, _, anchor = link.partition("#")
            there = (page.parent / name).resolve() if name else page
            assert there.exists(), f"{page.name}: {link}"
            if anchor:
                assert anchor in _anchors(there.read_text()), f"{page.name}: {link}"


def test_no_page_names_a_place_of_somebodys_machine():
    for page in (*written_pages(), *REFERENCE.glob("*.md")):
        assert not re.search(r"/(home|root|tmp|work|Users)/", page.read_text()), page.name


def _anchors(text: str) -> set[str]:
    """The anchors of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
