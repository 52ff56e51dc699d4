"""Pages made from the code."""

import re
from dataclasses import dataclass

import click

from tintype import api
from tintype.cli.main import COMMANDS, tintype
from tintype.cli.reference import command_page, main, settings_page
from tintype.core import errors


@dataclass(frozen=True)
class Colors:
    """What counts as gray."""

    gray_below: float = 4.0  # in units of colorfulness
    mark: str = "#|"  # what stands beside it | or not
    plain: int | None = None


def test_the_page_holds_every_command_option_and_exit_code():
    page = command_page()
    for name in COMMANDS:
        assert f"\n## tintype {name}\n" in page
        command = tintype.get_command(click.Context(tintype), name)
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"`{option.opts[-1]}`" in page
    for kind in (errors.FilterError, errors.CollectionLocked):
        assert f"| {kind.exit_code} | " in page
    assert "\b" not in page


def test_a_setting_has_its_variable_type_default_and_comment():
    page = settings_page({"colors": Colors})
    assert "## colors\n\nWhat counts as gray.\n" in page
    assert "| `colors.gray_below`<br>`TINTYPE_COLORS_GRAY_BELOW` | number | `4.0` | in units of colorfulness |" in page
    assert r"| `colors.mark`<br>`TINTYPE_COLORS_MARK` | text | `"  # \|"` | what stands beside it \| or not |" in page
    assert r"| `colors.plain`<br>`TINTYPE_COLORS_PLAIN` | whole number or null | `null` |  |" in page


def test_every_setting_stands_on_the_page(tmp_path):
    main(tmp_path)
    page = (tmp_path / "configuration.md").read_text()
    for setting in api.config().settings():
        assert f"`{setting.key}`" in page
    assert (tmp_path / "cli.md").read_text() == command_page()
    assert not re.search(r"/home|/root|/tmp", page)
