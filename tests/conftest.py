"""What the tests of several parts share."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from children import few_rounds
from gguf_files import write_tiny_gguf
from hypothesis import settings

from pytest_raq.running.change import TARGETS
from pytest_raq.speed import rounds, turns

if TYPE_CHECKING:
    from collections.abc import Callable

NOWHERE = Path(__file__).parent / "nowhere"
CHILDREN = Path(few_rounds.__file__).parent
SURROUNDINGS = ("RAQ_HISTORY", "RAQ_KEYS", "RAQ_FILES", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")

pytest_plugins = ["pytester", "llm_judges", "init_project", "doctor_project"]

# A busy machine is no failure of a law.
# A shell starts what runs in its background deaf to Ctrl-C, and so would be all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs of pytest that a test starts not take themselves for workers of this one."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _quick_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Save the processes that a test starts seconds: of compiling, of importing, of timing.

    The summary of Hypothesis's plugin imports all of it; where Python may not write bytecode
    beside the sources, it may here. Speed is timed in a few rounds, here and there.
    """
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p few_rounds")
    places = [str(CHILDREN), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    monkeypatch.syspath_prepend(str(CHILDREN))
    monkeypatch.setattr(turns, "MOST_ROUNDS", few_rounds.ROUNDS)
    monkeypatch.setattr(turns, "LOOKS", few_rounds.LOOKS)
    monkeypatch.setattr(rounds, "LOOKS", few_rounds.LOOKS)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        base = tmp_path_factory.getbasetemp()
        shared = base.parent if base.name.startswith("popen-") else base
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
        monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(shared / "bytecode"))


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a tiny GGUF file by the options of ``write_tiny_gguf``, each once a session."""
    folder = tmp_path_factory.mktemp("gguf")
    made: dict[str, Path] = {}

    def make(**options: object) -> Path:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = write_tiny_gguf(folder / f"tiny-{len(made)}.gguf", **options)
        return made[key]

    return make


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what runs inside a test away from the history and the job around the tests."""
    for name in (*SURROUNDINGS, *(variable for variable, _ in TARGETS)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(NOWHERE))  # nothing that this user allows
