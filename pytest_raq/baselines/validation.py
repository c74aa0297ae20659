"""Checks that JSON is a valid baseline; each error has its place in the text."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.records import Baseline, BaselineQuestion, ModelSummary, PairwiseP, RankTests


Fault = tuple[tuple[int | str, ...], str]
"""A field and what is wrong with it."""

ROUNDING = 1e-4
"""Slack for sums of figures that were rounded when they were written."""

Path = tuple[int | str, ...]
"""Keys and indices from the document down, e.g. ``("models", "llama", "f1")``."""

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_NO_JSON = ("NaN", "Infinity", "-Infinity")


def find_unknown(given: object, known: object, path: tuple[int | str, ...] = ()) -> Fault | None:
    """Return the first key of the file that is not a field of the record."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key not in known:
                return (*path, key), "is not a key of a baseline"
            fault = find_unknown(value, known[key], (*path, key))
            if fault:
                return fault
    return None


def find_faults(baseline: Baseline) -> Iterator[Fault]:
    """Yield contradictions within a baseline."""
    yield from _models(baseline)
    count = baseline.provenance.questions
    if count != len(baseline.questions):
        yield (
            ("provenance", "questions"),
            f"is {count}, but the file has {len(baseline.questions)} questions",
        )
    for question_id, question in baseline.questions.items():
        if baseline.tests is None and not question.ranks:
            continue  # an anchor to which a model was added: it was never ranked with the others
        yield from _question(("questions", question_id), question, baseline.models)
    if baseline.tests is not None:
        yield from _tests(baseline.tests)


def _models(baseline: Baseline) -> Iterator[Fault]:
    for name, model in baseline.models.items():
        if model.model != name:
            yield ("models", name, "model"), f"is {model.model!r}, but its key is {name!r}"
        if name not in baseline.provenance.models:
            yield ("provenance", "models"), f"has no {name!r}, which is in models"
        for field in ("exact_match", "f1", "contains"):
            value = getattr(model, field)
            if value is not None and not 0 <= value <= 1:
                yield ("models", name, field), f"is {value:g}; expected a share from 0 to 1"
        yield from _counts(name, model)


def _counts(name: str, model: ModelSummary) -> Iterator[Fault]:
    for field in ("answered", "failed", "unfinished"):
        value = getattr(model, field)
        if value < 0:
            yield ("models", name, field), f"is {value}; expected 0 or more"


def _question(
    path: tuple[str, str], question: BaselineQuestion, models: Mapping[str, ModelSummary]
) -> Iterator[Fault]:
    for field, names in (("answers", question.answers), ("ranks", question.ranks)):
        unknown = sorted(names.keys() - models.keys())
        if unknown:
            yield (*path, field, unknown[0]), "is not among the models of the baseline"
    strange = sorted(set(question.unfinished) - question.answers.keys())
    if strange:
        yield (*path, "unfinished"), f"names {strange[0]!r}, which has no answer here"
    lacking = sorted(question.answers.keys() ^ question.ranks.keys())
    if lacking:
        yield (*path, "ranks"), f"and answers differ: one of them has no {lacking[0]!r}"
    size = len(question.ranks)
    for name, rank in question.ranks.items():
        if not 1 <= rank <= size:
            yield (*path, "ranks", name), f"is {rank:g}; expected a rank from 1 to {size}"
    expected = size * (size + 1) / 2
    total = math.fsum(question.ranks.values())
    if abs(total - expected) > ROUNDING:
        yield (*path, "ranks"), f"sum to {total:g}; ranks of {size} answers sum to {expected:g}"


def _tests(tests: RankTests) -> Iterator[Fault]:
    for field in ("dunn_holm", "conover_holm", "permutation_holm"):
        yield from _matrix(("tests", field), getattr(tests, field), tests.models)
    for model in tests.models:
        for field, table in (("mean_ranks", tests.mean_ranks), ("intervals", tests.intervals)):
            if model not in table:
                yield ("tests", field), f"has no {model!r}, which is in tests.models"


def _matrix(path: tuple[str, str], matrix: PairwiseP, models: tuple[str, ...]) -> Iterator[Fault]:
    for first in models:
        for second in models:
            value = matrix.get(first, {}).get(second)
            if value is None:
                yield (*path, first), f"has no p-value of {first!r} and {second!r}"
            elif not math.isnan(value) and not 0 <= value <= 1:
                yield (*path, first, second), f"is {value:g}; expected a p-value from 0 to 1"


class _Step(NamedTuple):
    """A key of an object, or the start of a value."""

    path: Path
    start: int
    piece: str
    is_key: bool


def line_of(text: str, path: Sequence[int | str]) -> int:
    """Return the line (from 1) of a part, or of its nearest existing parent."""
    wanted, best, position = tuple(path), 0, 0
    for step in _walk(text):
        size = len(step.path)
        if best < size <= len(wanted) and step.path == wanted[:size]:
            best, position = size, step.start
    return text.count("\n", 0, position) + 1


def path_at(text: str, position: int) -> Path:
    """Return the part that contains an offset; empty at the start."""
    path: Path = ()
    for step in _walk(text):
        if step.start >= position:
            break
        path = step.path
    return path


def find_repeated_key(text: str) -> Path | None:
    """Return the first key that occurs twice in an object."""
    seen = set()
    for step in _walk(text):
        if step.is_key and step.path in seen:
            return step.path
        if step.is_key:
            seen.add(step.path)
    return None


def find_no_number(text: str) -> Path | None:
    """Return the first part that is NaN or infinite, which is not valid JSON."""
    return next((step.path for step in _walk(text) if step.piece in _NO_JSON), None)


class _Frame:
    """An open object or list, and its current place: a key or an index."""

    def __init__(self, *, is_list: bool) -> None:
        self.is_list = is_list
        self.here: int | str | None = 0 if is_list else None
        self.awaits_key = not is_list

    def next(self) -> None:
        if isinstance(self.here, int):
            self.here += 1
        else:
            self.awaits_key = True


def _walk(text: str) -> Iterator[_Step]:
    """Yield each key and each value; continue after text that is not JSON."""
    frames: list[_Frame] = []
    for match in _TOKEN.finditer(text):
        piece, top = match[0], frames[-1] if frames else None
        if piece in "}]":
            del frames[-1:]
        elif piece == "," and top:
            top.next()
        elif piece in ":,":
            continue
        elif top and top.awaits_key:
            top.here, top.awaits_key = _key(piece), False
            yield _Step(_path(frames), match.start(), piece, is_key=True)
        else:
            yield _Step(_path(frames), match.start(), piece, is_key=False)
            if piece in "{[":
                frames.append(_Frame(is_list=piece == "["))


def _path(frames: Sequence[_Frame]) -> Path:
    return tuple(frame.here for frame in frames if frame.here is not None)


def _key(piece: str) -> str:
    try:
        return str(json.loads(piece))
    except ValueError:
        return piece.strip('"')
