"""Make passages with questions whose answers stand in the passage.

Everything is drawn from a seed. Names are two or three invented syllables,
numbers are digits; a hash of each decides once and for all whether it may
stand in a training passage or in a held-out one, so that no invented name and
no number of the evaluation was ever seen in training. First names and the
words of short lists (colours, materials, …) are common to both.

    python models/generate.py --suite suites/mini.json
    python models/generate.py --seed 2 --passages 250 --questions 2 > held-out.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from domains import DOMAINS, FIRST_NAMES, WORDS, Domain, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

HELD_OUT_SHARE = 0.2

ONSETS = ["B", "D", "F", "G", "H", "K", "L", "M", "N", "P", "R", "S", "T", "V", "Br", "Dr", "St"]
NUCLEI = ["a", "e", "i", "o", "u"]
CODAS = ["l", "n", "r", "s"]
ENDINGS = [
    "ba", "da", "den", "dor", "fa", "fen", "ga", "gar", "ka", "kin", "la", "lin", "lo", "ma",
    "mir", "mo", "na", "nor", "pa", "pol", "ra", "ren", "sa", "sen", "ta", "tor", "va", "vik",
]  # fmt: skip


def is_held_out(value: str) -> bool:
    """Whether a name or number belongs to the evaluation alone."""
    digest = hashlib.sha256(value.encode()).digest()
    return digest[0] < HELD_OUT_SHARE * 256


@dataclass(frozen=True)
class Item:
    """A question to a passage with every reference that answers it.

    ``start`` is where the first reference stands in the passage.
    """

    question: str
    references: tuple[str, ...]
    start: int = 0


class Generator:
    """Draws passages from a seed, with held-out names and numbers or with the others."""

    def __init__(self, seed: int, *, held_out: bool, alike: float = 0.5) -> None:
        self.random = random.Random(seed)
        self.held_out = held_out
        self.alike = alike

    def _draw(self, make: Callable[[], str]) -> str:
        """Draw until the value is on our side of the split."""
        while True:
            value = make()
            if is_held_out(value) == self.held_out:
                return value

    def _syllables(self) -> str:
        pick = self.random.choice
        return pick(ONSETS) + pick(NUCLEI) + pick(CODAS) + pick(ENDINGS)

    def name(self) -> str:
        """Return an invented name, e.g. ``Belmir``."""
        return self._draw(self._syllables)

    def value(self, kind: str) -> str:
        """Return a value of a kind: person, place, year, count, or a word of a list."""
        pick, number = self.random.choice, self.random.randint
        if kind == "person":
            return f"{pick(FIRST_NAMES)} {self.name()}"
        if kind == "place":
            return self.name()
        if kind == "year":
            return self._draw(lambda: str(number(1400, 2020)))
        if kind == "count":
            return self._draw(
                lambda: str(pick([number(13, 99), number(100, 999), number(1000, 9999)]))
            )
        return pick(WORDS[kind])

    def passage(self, entities: int, facts: int) -> tuple[str, list[Item]]:
        """Return a passage about one or more entities, each with up to ``facts`` facts."""
        chosen = self._domains(entities)
        told = [fact for domain in chosen for fact in self._facts(domain, facts)]
        self.random.shuffle(told)
        items, end = [], 0
        for sentence, item in told:
            items.append(replace(item, start=end + item.start))
            end += len(sentence) + 1
        self.random.shuffle(items)
        return " ".join(sentence for sentence, _ in told), items

    def _domains(self, entities: int) -> list[Domain]:
        """Draw domains; ``alike`` is how often all are the same: distractors of the same type."""
        if self.random.random() < self.alike:
            return [self.random.choice(DOMAINS)] * entities
        return self.random.sample(DOMAINS, entities)

    def _facts(self, domain: Domain, facts: int) -> list[tuple[str, Item]]:
        name = domain.name.format(self.name())
        slots = self.random.sample(domain.slots, min(facts, len(domain.slots)))
        return [self._fact(name, slot) for slot in slots]

    def _fact(self, name: str, slot: Slot) -> tuple[str, Item]:
        value = self.value(slot.kind)
        statement = self.random.choice(slot.statements)
        start = statement.index("{v}") + ("{n}" in statement.split("{v}")[0]) * (len(name) - 3)
        question = self.random.choice(slot.questions).format(n=name)
        references = (value, value.split()[-1]) if slot.kind == "person" else (value,)
        sentence = _sentence(statement.format(n=name, v=value)) + "."
        return sentence, Item(_sentence(question), references, start)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def shape_of(number: int) -> tuple[int, int]:
    """Return entities and facts of each, of the n-th passage: every fourth is about two."""
    return (2, 3) if number % 4 == 3 else (1, 5)


def squad(generator: Generator, title: str, passages: int, questions: int) -> dict[str, object]:
    """Return a SQuAD v1.1 document of held-out passages, ten a title."""
    articles: list[dict[str, object]] = []
    for number in range(passages):
        if number % 10 == 0:
            paragraphs: list[dict[str, object]] = []
            articles.append({"title": f"{title} {number // 10 + 1}", "paragraphs": paragraphs})
        context, items = generator.passage(*shape_of(number))
        qas = [
            {
                "id": f"{title}-{number + 1:03d}-{index + 1}",
                "question": item.question,
                "answers": [_answer(context, item, text) for text in item.references],
            }
            for index, item in enumerate(items[:questions])
        ]
        paragraphs.append({"context": context, "qas": qas})
    return {"version": "1.1", "data": articles}


def _answer(context: str, item: Item, text: str) -> dict[str, object]:
    """Return a reference as it stands in the passage, upper case and all."""
    start = item.start + item.references[0].rindex(text)
    return {"text": context[start : start + len(text)], "answer_start": start}


def main() -> None:
    """Write held-out questions as SQuAD v1.1 JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--suite", type=Path, help="write the bundled suite's questions here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--title", default="mini")
    parser.add_argument("--passages", type=int, default=40)
    parser.add_argument("--questions", type=int, default=3, help="questions a passage")
    options = parser.parse_args()
    generator = Generator(options.seed, held_out=True)
    document = squad(generator, options.title, options.passages, options.questions)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if options.suite:
        options.suite.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
