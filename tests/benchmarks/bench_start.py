"""What the plugin adds to the start of pytest in a project that does not use it."""

from __future__ import annotations

import re
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 7


def main(_arguments: Sequence[str] = ()) -> None:
    """Print the milliseconds of importing the plugin beside pytest."""
    command = [sys.executable, "-X", "importtime", "-c", "import pytest; import pytest_raq.plugin"]
    found = []
    for _ in range(ROUNDS):
        log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        line = next(line for line in log.splitlines() if line.endswith(" pytest_raq.plugin"))
        found.append(int(re.findall(r"\d+", line)[1]) / 1000)
    print(f"import of the plugin: {median(found):.1f} ms")


if __name__ == "__main__":
    main()
