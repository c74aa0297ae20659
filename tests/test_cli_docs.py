"""docs/commands.md names every command and option that there is."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pytest_raq.cli.main import _parser

TEXT = (Path(__file__).parent.parent / "docs/commands.md").read_text(encoding="utf-8")


def commands(parser, name="raq"):
    """Yield every command with its parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield f"{name} {word}", inner
                yield from commands(inner, f"{name} {word}")


@pytest.mark.parametrize(("name", "parser"), list(commands(_parser())))
def test_every_command_and_option_is_described(name, parser):
    first = " ".join(name.split()[:2])
    assert f"## `{first}`" in TEXT
    section = TEXT.split(f"## `{first}`")[1].split("\n## ")[0]
    assert name.split()[-1] in section
    for action in parser._actions:
        for option in action.option_strings:
            if option not in {"-h", "--help"}:
                assert option in (TEXT if option == "--json" else section)
