"""Where commands write: standard output, or a file for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

STDOUT = "-"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write the result as JSON; - writes it to standard output, in place of the text",
    )


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output; what its encoding does not know is replaced."""
    text = "".join(f"{line}\n" for line in lines)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))


def write_result(lines: Iterable[str], table: object, target: str | None) -> None:
    """Write lines for people and, if asked, a table as JSON.

    With the target ``-`` the JSON stands alone on standard output. StoreError
    when the file cannot be written.
    """
    from pytest_raq.store import write_atomically

    # Escapes only where standard output cannot hold the text itself.
    if target == STDOUT:
        plain = (sys.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
        sys.stdout.write(json.dumps(table, indent=1, ensure_ascii=plain, allow_nan=False) + "\n")
        return
    if target is not None:
        text = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(Path(target), text + "\n")
    write_lines(lines)
