"""Ask GGUF files 500 held-out questions under llama.cpp: exact match and F1.

python models/evaluate.py models/*.gguf
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from generate import Generator, shape_of

from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.records import Answer, Prompt
from pytest_raq.stats.model_summary import score

SEED = 7
PROMPT = "{passage}\nQuestion: {question}\nAnswer:"


@dataclass(frozen=True)
class Asked:
    """A prompt, its references, and about how many entities its passage is."""

    prompt: str
    references: tuple[str, ...]
    entities: int


@dataclass(frozen=True)
class Figures:
    """Shares of all questions; ``one`` and ``two``: exact match by entities of the passage."""

    exact_match: float
    f1: float
    one: float
    two: float

    def __str__(self) -> str:
        """Return all figures on a line."""
        return (
            f"exact match {self.exact_match:.3f} (one entity {self.one:.3f},"
            f" two {self.two:.3f}), F1 {self.f1:.3f}"
        )


def held_out_questions(count: int) -> list[Asked]:
    """Return questions, two a passage, to passages as in the bundled suite."""
    generator = Generator(SEED, held_out=True)
    questions: list[Asked] = []
    while len(questions) < count:
        entities, facts = shape_of(len(questions) // 2)
        passage, items = generator.passage(entities, facts)
        for item in items[:2]:
            prompt = PROMPT.format(passage=passage, question=item.question)
            questions.append(Asked(prompt, item.references, entities))
    return questions[:count]


def evaluate(path: Path, count: int = 500) -> Figures:
    """Ask a file ``count`` held-out questions; a question without an answer counts as wrong."""
    model = ModelDefinition(
        name=path.stem, path=path, file=path.name, max_tokens=32, stop=("\n",), prompt=PROMPT
    )
    questions = held_out_questions(count)
    with open_engine(model) as engine:
        prompts = [Prompt(str(number), asked.prompt) for number, asked in enumerate(questions)]
        outcomes = {outcome.question_id: outcome for outcome in engine.answers(prompts)}
    texts = [
        o.text if isinstance(o, Answer) else "" for o in map(outcomes.get, map(str, range(count)))
    ]
    scores = [score(text, asked.references) for text, asked in zip(texts, questions, strict=True)]
    right = {
        entities: fmean(
            scored.exact_match
            for scored, asked in zip(scores, questions, strict=True)
            if asked.entities == entities
        )
        for entities in (1, 2)
    }
    exact = fmean(scored.exact_match for scored in scores)
    return Figures(exact, fmean(scored.f1 for scored in scores), right[1], right[2])


def main() -> None:
    """Print one line a file."""
    parser = argparse.ArgumentParser(description="Exact match on held-out questions.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    for path in options.files:
        print(f"{path.name}: {evaluate(path.absolute(), options.count)}", flush=True)


if __name__ == "__main__":
    main()
