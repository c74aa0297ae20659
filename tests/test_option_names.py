"""Misspelt names on the command line are told with the nearest right one, in one line."""

from __future__ import annotations

import pytest
from projects import Project


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--raq-suite", "smal"), "no suite 'smal': * does not exist; did you mean 'small'?"),
        (
            ("--raq-models", "frist"),
            "--raq-models: suite small has no model 'frist'; did you mean 'first'?",
        ),
        (
            ("--raq-models", "zebra"),
            "--raq-models: suite small has no model 'zebra'; it has first, second",
        ),
        (
            ("--raq-swap", "secnod=models/first.gguf"),
            "--raq-swap: suite small has no model 'secnod'; did you mean 'second'?",
        ),
        (
            ("--raq-swap", "second=frist"),
            "--raq-swap second=frist: * has no definition 'frist'; did you mean 'first'?",
        ),
        (
            ("--raq-swap", "second=models/frist.gguf"),
            "--raq-swap second=models/frist.gguf: *did you mean '*/models/first.gguf'?",
        ),
        (("--raq-judge", "refrence"), "no judge 'refrence': did you mean 'reference'?"),
    ],
)
def test_the_nearest_name_is_told(pytester, options, message):
    result = Project(pytester).run(*options)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*{message.replace('[', '[[]')}"])
    result.stdout.no_fnmatch_line("*Traceback*")
