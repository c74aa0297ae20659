"""Draw the four pictures of docs/release.md from real runs of the bundled reader with noise.

    for n in 30 35 40; do
      python models/damage.py models/reader-llama-f16.gguf /tmp/n$n.gguf --noise 0.$n
      pytest suites/ --raq-swap reader-llama=/tmp/n$n.gguf --raq-json /tmp/n$n.json
    done
    python tests/benchmarks/release_pictures.py /tmp/n30.json /tmp/n35.json /tmp/n40.json

Two of them show what a part of a run says: the first questions, or those of some passages.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from picture import COLOURS

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide
from pytest_raq.gate.comparison import plan_of
from pytest_raq.stats.quality import quality_evidence

if TYPE_CHECKING:
    from pytest_raq.records import Verdict

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = GateSettings()
MODEL = "reader-llama"
WIDTH, HEIGHT, LEFT, RIGHT = 720, 128, 30, 30
LOW, HIGH = -0.60, 0.30


def part_of(path: Path, first: int = 0, passages: int | None = None) -> Verdict:
    """Return the verdict on the questions of some passages of a run, in the order of the run."""
    asked = json.loads(path.read_text(encoding="utf-8"))["suites"]["mini"]["questions"]
    names = sorted({item["passage"] for item in asked.values()})
    chosen = set(names[first:][:passages])
    signs = {
        name: item["preferences"][MODEL]
        for name, item in asked.items()
        if item["passage"] in chosen
    }
    clusters = {name: item["passage"] for name, item in asked.items()}
    (found,) = quality_evidence({MODEL: signs}, clusters, plan_of(SETTINGS, seed=0)).values()
    count = len(signs)
    return decide(GateInput(MODEL, count, count, count, quality=found), SETTINGS)


def x(value: float) -> float:
    inside = min(max(value, LOW), HIGH)
    return round(LEFT + (inside - LOW) / (HIGH - LOW) * (WIDTH - LEFT - RIGHT), 1)


def draw(verdict: Verdict) -> str:
    """Return an SVG: the interval of the net preference, the margin, and what was counted."""
    quality, color = verdict.quality, COLOURS[verdict.decision]
    assert quality is not None
    told = f"{quality.questions} questions: {quality.worse} worse, {quality.better} better"
    axis = "".join(
        f'<text x="{x(at)}" y="112" text-anchor="middle" fill="#555">{label}</text>'
        for at, label in (
            (-0.6, "−0.6"), (-0.4, "−0.4"), (-0.2, "−0.2"), (0.0, "no change"), (0.2, "+0.2"),
        )
    )  # fmt: skip
    low, high = x(quality.interval.low), x(quality.interval.high)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' font-family="sans-serif" font-size="13" role="img"><title>{verdict.decision.value}:'
        f" {told}</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<rect x="{x(LOW)}" y="36" width="{round(x(-SETTINGS.margin) - x(LOW), 1)}" height="58"'
        ' fill="#f6e3e1"/>'
        f'<text x="{x(LOW) + 6}" y="50" fill="#8a4b45">a loss of more than the margin</text>'
        f'<line x1="{x(0)}" x2="{x(0)}" y1="36" y2="94" stroke="#888"/>'
        f'<text x="{LEFT}" y="22" font-weight="bold" fill="{color}">'
        f'{verdict.decision.value.upper()}</text><text x="{WIDTH - RIGHT}" y="22"'
        f' text-anchor="end" fill="#222">{told}</text>'
        f'<line x1="{low}" x2="{high}" y1="72" y2="72" stroke="{color}" stroke-width="4"/>'
        f'<circle cx="{x(quality.net_preference)}" cy="72" r="7" fill="{color}"/>{axis}</svg>\n'
    )


def main() -> None:
    """Write docs/release-VERDICT.svg."""
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/release.md.")
    parser.add_argument("runs", nargs=3, type=Path, help="runs at noise 0.30, 0.35 and 0.40")
    little, some, much = parser.parse_args().runs
    verdicts = (
        part_of(little),
        part_of(some, passages=20),
        part_of(much, first=12, passages=8),
        part_of(much),
    )
    for verdict in verdicts:
        name = DOCS / f"release-{verdict.decision.value}.svg"
        name.write_text(draw(verdict), encoding="utf-8")
        for reason in verdict.reasons:
            print(verdict.decision.value, reason)


if __name__ == "__main__":
    main()
