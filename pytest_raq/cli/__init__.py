"""The ``raq`` command: translates options and exit codes, nothing else."""

from pytest_raq.cli.main import main

__all__ = [
    "main",
]
