"""Ask GGUF files 500 held-out questions under llama.cpp: exact match and F1.

python models/evaluate.py models/*.gguf
"""

from __future__ import annotations

import argparse
from pathlib import Path

from generate import Generator

from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.records import Answer, Prompt
from pytest_raq.stats.squad import score

SEED = 7
PROMPT = "{passage}\nQuestion: {question}\nAnswer:"


def held_out_questions(count: int) -> list[tuple[str, tuple[str, ...]]]:
    """Prompts and references about one and two entities in turn, two a passage."""
    generator = Generator(SEED, held_out=True)
    questions: list[tuple[str, tuple[str, ...]]] = []
    while len(questions) < count:
        entities = 1 + len(questions) // 2 % 2
        passage, items = generator.passage(entities, 5 if entities == 1 else 3)
        for item in items[:2]:
            prompt = PROMPT.format(passage=passage, question=item.question)
            questions.append((prompt, item.references))
    return questions[:count]


def evaluate(path: Path, count: int = 500) -> tuple[float, float]:
    """Return exact match and F1 of a file over ``count`` held-out questions."""
    model = ModelDefinition(
        name=path.stem, path=path, file=path.name, max_tokens=32, stop=("\n",), prompt=PROMPT
    )
    questions = held_out_questions(count)
    engine = open_engine(model)
    try:
        outcomes = list(engine.answers([Prompt(str(i), q) for i, (q, _) in enumerate(questions)]))
    finally:
        engine.close()
    scores = [
        score(outcome.text, questions[int(outcome.question_id)][1])
        for outcome in outcomes
        if isinstance(outcome, Answer)
    ]
    total = len(questions)
    return sum(s.exact_match for s in scores) / total, sum(s.f1 for s in scores) / total


def main() -> None:
    """Print one line a file."""
    parser = argparse.ArgumentParser(description="Exact match on held-out questions.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    for path in options.files:
        exact, f1 = evaluate(path.absolute(), options.count)
        print(f"{path.name}: exact match {exact:.3f}, F1 {f1:.3f}", flush=True)


if __name__ == "__main__":
    main()
