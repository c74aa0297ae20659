"""Where commands write: standard output, or a file for programs."""

from __future__ import annotations

import json
import os
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


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--store FILE``."""
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(".raq/store.db"),
        metavar="FILE",
        help="the store of the runs (default: .raq/store.db)",
    )


def write_result(lines: Iterable[str], table: object, target: str | None) -> None:
    """Write lines for people and, if asked, a table as JSON.

    With the target ``-`` the JSON stands alone on standard output. StoreError
    when the file cannot be written.
    """
    from pytest_raq.store import write_atomically

    if target == STDOUT:
        # Escaped where standard output could not hold the text itself.
        _write(json.dumps(table, indent=1, ensure_ascii=not _is_utf8(), allow_nan=False) + "\n")
        return
    if target is not None:
        text = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(Path(target), text + "\n")
    _write("".join(f"{line}\n" for line in lines))


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _write(text: str) -> None:
    """Write to standard output; what its encoding does not know is replaced.

    A reader that has gone, as in ``raq … | head``, changes no exit code.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
