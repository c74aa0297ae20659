"""Measure the page of a large run: 10,000 questions × 5 models, in headless Chromium.

    python tests/benchmarks/bench_page.py

Nothing is stored between openings; times are medians. A filter is timed from
its event to the next frame that shows its result.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from browsers import Watched, find_chromium, open_browser
from made_results import make_answers, make_questions, make_result

from pytest_raq.report.page.suite import PageSuite, page_html

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTIONS, PASSAGES, ROUNDS = 10_000, 2_000, 3
MODELS = {f"model-{letter}": share for letter, share in zip("abcde", (9, 8, 7, 6, 5), strict=True)}
WORDS = (10, 100)
"""Words of an answer beside the year that it gives."""
VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprstv" for b in "aeiou" for c in ("", "n", "ra", "lt")]
LIMITS = {"open": 3.0, "filter": 0.2, "size": 30e6}

_TIMED = """async (act) => {
  const start = performance.now();
  new Function(act)();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""
_ACTIONS = {
    "search": "const box = document.querySelector('input[type=search]');"
    "box.value = 'harbour 15'; box.dispatchEvent(new Event('input'));",
    "worse": "document.querySelector('[data-state=worse]').click();",
    "model": "const box = document.querySelector('.tools select');"
    "box.value = '2'; box.dispatchEvent(new Event('change'));",
    "sort": "document.querySelector('.questions thead button').click();",
    "row": "document.querySelector('.opener').click();",
}


def measure_page(words: int) -> None:
    """Print size, and times to make, to open, to filter and to open a row."""
    if find_chromium() is None:
        print("page: no Chromium, not measured")
        return
    path = Path(tempfile.mkdtemp()) / "page.html"
    suite = PageSuite(large_result(words))
    start = time.perf_counter()
    path.write_text(page_html([suite], {}), encoding="utf-8")
    made, size = time.perf_counter() - start, path.stat().st_size
    print(f"page of {QUESTIONS} × {len(MODELS)}, {words} words an answer: {size / 1e6:.1f} MB")
    print(f"  made in {made:.1f} s")
    with open_browser() as browser:
        opened, acted = [], {name: [] for name in _ACTIONS}
        for _ in range(ROUNDS):
            watched = Watched(browser)
            start = time.perf_counter()
            page = watched.open(path)
            page.wait_for_selector("html[data-ready]", state="attached")
            opened.append(time.perf_counter() - start)
            page.wait_for_timeout(500)  # as long as it takes to find the box and type
            for name, act in _ACTIONS.items():
                acted[name].append(page.evaluate(_TIMED, act))
            watched.close()
    print(f"  opened in {median(opened):.2f} s")
    told = ", ".join(f"{name} {median(times):.0f} ms" for name, times in acted.items())
    print(f"  {told}")
    slowest = max(map(median, (acted[name] for name in ("search", "worse", "model")))) / 1000
    found = {"open": median(opened), "filter": slowest, "size": size}
    for name, limit in LIMITS.items():
        if found[name] > limit:
            print(f"  {name} is over its limit: {found[name]:g} > {limit:g}")
    path.unlink()
    path.parent.rmdir()


def main(_arguments: Sequence[str] = ()) -> None:
    """Measure pages of short and of long answers."""
    for words in WORDS:
        measure_page(words)


def large_result(words: int):
    """Return a run whose every answer is as long as it is to be, and differs from the others."""
    questions = make_questions(QUESTIONS, PASSAGES)
    shares = {model: share / 10 for model, share in MODELS.items()}
    now, before = make_answers(questions, shares, 1), make_answers(questions, shares, 2)
    drawn = random.Random(0)
    for answers in (*now.values(), *before.values()):
        for model in answers:
            answers[model] += f", {' '.join(drawn.choices(VOCABULARY, k=words))}"
    return make_result(questions, now, before)


if __name__ == "__main__":
    main()
