"""The pages of docs/ are true: their commands run, their messages are those of the code."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_raq.config import GateSettings, load_suite
from pytest_raq.errors import ConfigError
from pytest_raq.gate import reasons as words
from pytest_raq.gate.speed import unable_to_fail, weigh_speed
from pytest_raq.records import (
    Decision,
    F1Evidence,
    Interval,
    QualityEvidence,
    SpeedEvidence,
    SpeedReference,
)
from pytest_raq.running.speed import OBSTACLES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SETTINGS = GateSettings()


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def shown(text):
    """Return a text without its figures and line ends."""
    return re.sub(r"[0-9]+(\.[0-9]+)?", "#", " ".join(text.split())).replace("−", "-")


def evidence(*, worse=32, better=4, p=0.0005, low=-0.32, high=-0.15, net=-0.23):
    return QualityEvidence(
        questions=120,
        passages=40,
        worse=worse,
        better=better,
        tied=120 - worse - better,
        net_preference=net,
        interval=Interval(low, high),
        p_value=p,
        adjusted_p=p,
        exact=False,
        detectable=math.nan,
    )


def messages():
    """Yield each family of messages of the gate."""
    yield words.quality(evidence())
    yield words.quality(evidence(worse=0, better=1, p=1.0, low=-0.06, high=0.06, net=0.01))
    yield words.unchanged(evidence())
    yield words.ruled_out(SETTINGS)
    yield words.possible(evidence())
    yield words.few_passages(evidence())
    yield words.below_zero(evidence())
    yield words.since_anchor(words.ruled_out(SETTINGS))
    yield words.f1_drop(
        F1Evidence(120, 0.8, 0.9, -0.1, Interval(-0.15, -0.04), 0.001, 0.001), SETTINGS
    )
    yield next(words.undecided(evidence(p=0.2), SETTINGS))
    yield from list(words.undecided(evidence(), SETTINGS))[:2]
    yield next(words.undecided(evidence(low=math.nan), SETTINGS))
    yield next(words.missing(120, 27, 27, SETTINGS))
    yield next(words.missing(120, 0, 0, SETTINGS))
    slow = SpeedEvidence(
        "decode_tokens_per_second", 1803.0, 3558.0, 0.51, Interval(0.48, 0.55), processes=5,
        adjusted_p=0.0,
    )  # fmt: skip
    yield weigh_speed([slow], SETTINGS).reasons[0]
    yield from (weigh_speed([], SETTINGS, obstacle=each).reasons[0] for each in OBSTACLES.values())
    yield from unable_to_fail(GateSettings(max_slowdown=1.0))
    for reference in SpeedReference:
        yield (
            "("
            + weigh_speed([replace(slow, against=reference)], SETTINGS).reasons[0].split("(")[-1]
        )


@pytest.mark.parametrize("message", list(messages()))
def test_a_message_of_the_gate_is_explained(message):
    assert shown(message) in shown(page("red-build.md"))


@pytest.mark.parametrize("decision", Decision)
def test_every_verdict_is_explained(decision):
    text = page("red-build.md")
    assert f"## {decision.value.capitalize()}\n" in text
    assert f"| [{decision.value}](#{decision.value.replace(' ', '-')}) |" in text


def test_a_misspelt_key_is_told_as_the_page_says(tmp_path):
    text = 'models = ["a"]\n[dataset]\nsource = "q"\n[gate]\nmarign = 0.1\n'
    (tmp_path / "mini.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_suite(tmp_path, "mini")
    message = str(caught.value).removeprefix(f"{tmp_path}/")
    assert f"\nsuites/{message}\n" in page("red-build.md")


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        if "://" in target:
            continue
        other = path.parent / name if name else path
        assert other.exists(), target
        heads = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
        known = [re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads]
        assert not anchor or anchor in known, target


def commands_of(name):
    """Return the commands of a page, with the output that stands beneath each."""
    blocks = re.findall(r"^```console\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    found = []
    for line in "\n".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def fewer_questions(target):
    """Write the first passages of the bundled questions, for a run of seconds."""
    document = json.loads((ROOT / "suites/mini.json").read_text(encoding="utf-8"))
    article = document["data"][0]
    article["paragraphs"] = article["paragraphs"][:14]
    document["data"] = [article]
    target.write_text(json.dumps(document), encoding="utf-8")


def test_the_first_gate_can_be_typed_as_it_stands(tmp_path):
    for name in ("reader-llama-f16", "reader-llama-early-q8_0"):
        shutil.copy(ROOT / f"models/{name}.gguf", tmp_path)
    fewer_questions(tmp_path / "mini.json")
    # Timing has tests of its own and takes most of the time.
    environment = {**os.environ, "PYTEST_ADDOPTS": "-k 'not speed'"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = []
    for command, expected in commands_of("first-gate.md"):
        if command.startswith(("python3 -m venv", "export", "pip install")):
            continue
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        is_red = any("REGRESSION" in line for line in expected)
        assert result.returncode == (1 if is_red else 0), result.stdout + result.stderr
        for line in expected:
            first = shown(line).split(":")[0].partition("#")[0]
            assert line == "…" or first in shown(result.stdout), line
        ran.append(command.split()[0])
    assert ran == ["raq", "pytest", "pytest", "pytest", "raq"]
