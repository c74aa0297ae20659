"""``raq schema``: the file formats for editors, and for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_raq.cli.output import ExitCode
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse


def add_schema_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq schema``."""
    text = "print the format of suites or models as JSON Schema, for editors"
    parser = commands.add_parser("schema", help=text, description=text)
    parser.add_argument("kind", nargs="?", metavar="suite|model", help="the kind of file")
    parser.add_argument(
        "--markdown", action="store_true", help="every key of every kind of file, as Markdown"
    )
    parser.set_defaults(command=_schema)


def _schema(options: argparse.Namespace) -> int:
    if options.markdown and options.kind is None:
        from pytest_raq.config.reference import format_reference

        _write(format_reference())
    else:
        _write(_schema_text(options.kind or "", markdown=options.markdown))
    return ExitCode.FINE


def _schema_text(kind: str, *, markdown: bool) -> str:
    from pytest_raq.config import nearest
    from pytest_raq.config.reference import KINDS, schema_text

    if markdown:
        raise ConfigError(
            f"raq schema {kind} --markdown: the Markdown has every kind: leave {kind} out"
        )
    if kind not in KINDS:
        raise ConfigError(
            f"raq schema {kind}: is not a kind of file{nearest(kind, KINDS)}"
            if kind
            else f"raq schema: choose one: {' or '.join(KINDS)}, or --markdown"
        )
    return schema_text(kind)


def _write(text: str) -> None:
    # Always UTF-8: the text is meant for a file, whatever the terminal is.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
