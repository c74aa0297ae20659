"""External answers: JSON Lines with ``id``, ``model`` and ``answer``, and logs of other tools."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_raq.datasets import fingerprint
from pytest_raq.datasets.items import read_file
from pytest_raq.datasets.text_rows import JsonLine, read_lines
from pytest_raq.datasets.values import is_half
from pytest_raq.errors import DatasetError
from pytest_raq.records import UNANSWERABLE, FinishReason, Question, QuestionSet, Timing
from pytest_raq.records.answers import answer_from_reply
from pytest_raq.trials.logs import AUTO
from pytest_raq.trials.logs.reading import read_log
from pytest_raq.trials.logs.rows import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.records import Answer
    from pytest_raq.trials.logs.rows import LogRow

FIELDS = ("id", "model", "answer", "references", "passage", "question")

_MOST_SHOWN = 200
"""Maximum number of characters of names in a message."""
_SHOWN = 40
"""Maximum number of characters of a wrong value in a message."""


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """The content of the files: ``answers`` is model → question id → text.

    A question that a model was not asked, or did not answer, is missing there. The text is what is
    compared; ``reasoning`` is what stood before it, by model and question id.
    ``files`` names the files with answers of a model, ``digests`` is the SHA-256 of
    that file (for several files, of their SHA-256 values). ``unasked``
    counts the questions of the data set that no model answered.
    """

    questions: QuestionSet
    answers: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]
    digests: Mapping[str, str]
    unasked: int = 0
    reasoning: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_answers(
    paths: Sequence[Path],
    dataset: QuestionSet | None = None,
    *,
    needs_references: bool = True,
    kind: str = AUTO,
    names: Sequence[str] = (),
) -> AnswerTable:
    """Read answers, one JSON object per line, or from logs of other tools.

    Without ``dataset`` each question needs ``references`` (a list of texts),
    unless the judge does not need them, and ``passage`` (any text that names the
    cluster) on at least one of its lines, and may have ``question``; with it
    these are not read. Other fields are ignored. ``kind`` is one of
    `pytest_raq.trials.logs.FORMATS`; ``names``, one for each path, are names
    for the model of a file, or empty. DatasetError names the file, the line and
    the field of an error, and says what was expected.
    """
    collector = _Collector(dataset, needs_references=needs_references)
    files = [_read_file(path, kind) for path in paths]
    tasks = {row.task for file in files for row in file.log.rows}
    has_tasks = len(tasks) > 1 and dataset is None
    for file, name in zip(files, names or [""] * len(files), strict=True):
        lines = [*file.lines, *(_line_of(row, has_task=has_tasks) for row in file.log.rows)]
        if name:
            _refuse_several_models(file.path, name, lines)
        for line in lines:
            named = replace(line, values={**line.values, "model": name}) if name else line
            collector.add(named, str(file.path), file.digest)
    notes = [note for file in files for note in file.log.notes]
    return collector.table([str(path) for path in paths], notes)


@dataclass(frozen=True, slots=True)
class _File:
    """The lines of a file of our own format, or the log of another tool."""

    path: Path
    digest: str
    lines: tuple[_Line, ...]
    log: Log = field(default_factory=lambda: Log(()))


def _read_file(path: Path, kind: str) -> _File:
    content = read_file(path)
    digest = hashlib.sha256(content).hexdigest()
    found = read_log(path, content, kind)
    if isinstance(found, Log):
        return _File(path, digest, (), found)
    lines = tuple(_Line(f"{path}:{number}", values) for number, values in read_lines(path, found))
    if not lines:
        raise DatasetError(f"{path}: is empty; expected one JSON object per line")
    return _File(path, digest, lines)


def _line_of(row: LogRow, *, has_task: bool) -> _Line:
    """Return a sample of a log as a line; a question without a passage has one of its own."""
    name = f"{row.task}/{row.id}" if has_task else row.id
    values: dict[str, object] = {
        "id": name,
        "model": row.model,
        "passage": row.passage or name,
        "question": row.question,
    }
    if row.references:
        values["references"] = list(row.references)
    if row.answer is not None:
        values["answer"] = row.answer
    return _Line(row.place, values, is_logged=True)


def _refuse_several_models(path: Path, name: str, lines: Sequence[_Line]) -> None:
    models = list(dict.fromkeys(_model(line) for line in lines))
    if len(models) > 1:
        raise DatasetError(
            f"{name}={path}: the file has answers of {len(models)} models"
            f" ({', '.join(models)[:_MOST_SHOWN]}); give it without a name"
        )


@dataclass(frozen=True, slots=True)
class _Line(JsonLine):
    """A line with the fields of this file; ``is_logged`` if another tool wrote it."""

    is_logged: bool = False

    def missing(self, name: str, expected: str) -> DatasetError:
        others = [key for key in self.values if key not in FIELDS]
        near = difflib.get_close_matches(name, others, n=1)
        hint = f" (did you mean it by {near[0]!r}?)" if near else ""
        return DatasetError(f"{self.place}: {name}: is missing; expected {expected}{hint}")

    def need(self, name: str, expected: str) -> object:
        if name not in self.values:
            raise self.missing(name, expected)
        return self.values[name]

    def text(self, name: str, expected: str, *, blank: bool = False) -> str:
        value = self.need(name, expected)
        if not isinstance(value, str) or not (blank or value.strip()):
            raise self.wrong(name, expected, value)
        self.refuse_half(name, value)
        return value

    def refuse_half(self, name: str, text: str) -> None:
        if is_half(text):
            raise DatasetError(
                f"{self.place}: {name}: expected Unicode text, found half of a surrogate pair"
            )


def _id(line: _Line) -> str:
    value = line.need("id", "a text that names the question")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return line.text("id", "a text that names the question")


def _model(line: _Line) -> str:
    if line.is_logged and line.values["model"] == "":
        raise DatasetError(f"{line.place}: the log names no model; give a name: NAME=FILE")
    name = line.text("model", "the name of a model")
    if not name.isprintable():
        raise line.wrong("model", "a name of printable characters", name)
    return name


def _answer(line: _Line) -> Answer:
    """Return the answer of a line, without its reasoning; a ``reasoning`` beside it is that too."""
    expected = "a text (leave the line out if the model gave no answer)"
    text = line.text("answer", expected, blank=True)
    apart = line.values.get("reasoning")
    return answer_from_reply(
        "",
        "",
        text,
        FinishReason.STOP,
        Timing(),
        apart=apart if isinstance(apart, str) and not is_half(apart) else "",
    )


def _references(line: _Line) -> tuple[str, ...]:
    expected = f'a list of texts (["{UNANSWERABLE}"] if the passage has no answer)'
    values = line.need("references", expected)
    if not isinstance(values, list) or not values:
        raise line.wrong("references", expected, values)
    for index, value in enumerate(values):
        name = f"references[{index}]"
        if not isinstance(value, str) or not value.strip():
            raise line.wrong(name, "a text that is not empty", value)
        line.refuse_half(name, value)
    return tuple(dict.fromkeys(values))


def _passage(line: _Line) -> str:
    return line.text("passage", "a text that names the passage")


def _question(line: _Line) -> str:
    return line.text("question", "the text of the question", blank=True)


@dataclass(slots=True)
class _Draft:
    """The known parts of a question, each with the line where it was found."""

    first: _Line
    parts: dict[str, tuple[object, str]] = field(default_factory=dict)

    def learn(self, line: _Line, name: str, value: object, question_id: str) -> None:
        known, place = self.parts.setdefault(name, (value, line.place))
        if known != value and not _same_references(known, value):
            raise DatasetError(
                f"{line.place}: {name}: differs from {place} for id {question_id!r};"
                f" give all lines of a question the same {name}"
            )

    def question(self, question_id: str, *, needs_references: bool) -> Question:
        if not needs_references:
            self.parts.setdefault("references", ((), ""))
        for name, expected in (
            ("references", "a list of texts, here or from --dataset"),
            ("passage", "a text that names the passage (the id if each question has its own)"),
        ):
            if name not in self.parts:
                raise self.first.missing(name, expected)
        references, passage = self.parts["references"][0], self.parts["passage"][0]
        assert isinstance(references, tuple)
        return Question(
            id=question_id,
            title="",
            passage=str(passage),
            question=str(self.parts.get("question", ("",))[0]),
            references=references,
            answerable=references != (UNANSWERABLE,),
        )


def _same_references(known: object, value: object) -> bool:
    return isinstance(known, tuple) and isinstance(value, tuple) and set(known) == set(value)


READERS: Mapping[str, Callable[[_Line], object]] = {
    "references": _references,
    "passage": _passage,
    "question": _question,
}
"""The fields of a line about its question."""


class _Collector:
    """Collects lines into answers by model and drafts of questions."""

    def __init__(self, dataset: QuestionSet | None, *, needs_references: bool) -> None:
        self._dataset = dataset
        self._needs_references = needs_references
        self._known = {item.id: item for item in dataset.questions} if dataset else {}
        self._drafts: dict[str, _Draft] = {}
        self._answers: dict[str, dict[str, str]] = {}
        self._reasoning: dict[str, dict[str, str]] = {}
        self._places: dict[tuple[str, str], str] = {}
        self._sources: dict[str, dict[str, str]] = {}

    def add(self, line: _Line, path: str, digest: str) -> None:
        question_id, model = _id(line), _model(line)
        self._refuse_repetition(line, question_id, model)
        self._learn_question(line, question_id)
        answers = self._answers.setdefault(model, {})
        if "answer" in line.values or not line.is_logged:
            answer = _answer(line)
            answers[question_id] = answer.judged_text
            if answer.reasoning:
                self._reasoning.setdefault(model, {})[question_id] = answer.reasoning
        self._sources.setdefault(model, {})[path] = digest

    def _refuse_repetition(self, line: _Line, question_id: str, model: str) -> None:
        place = self._places.setdefault((question_id, model), line.place)
        if place != line.place:
            way = (
                "name the runs: OLD=FILE NEW=FILE"
                if line.is_logged
                else "keep one of the two lines"
            )
            raise DatasetError(
                f"{line.place}: id: {model!r} already answered {question_id!r} in {place}; {way}"
            )

    def _learn_question(self, line: _Line, question_id: str) -> None:
        draft = self._drafts.setdefault(question_id, _Draft(line))
        if self._dataset is None:
            for name, read in READERS.items():
                if name in line.values and not self._may_lack(line, name):
                    draft.learn(line, name, read(line), question_id)
        elif question_id not in self._known:
            raise DatasetError(
                f"{line.place}: id: expected the id of a question of {self._dataset.source},"
                f" found {question_id[:_SHOWN]!r}"
            )

    def _may_lack(self, line: _Line, name: str) -> bool:
        """Whether a field says that there are no references, if none are needed."""
        return name == "references" and not (self._needs_references or line.values[name])

    def table(self, paths: Sequence[str], notes: Sequence[str] = ()) -> AnswerTable:
        questions = self._questions()
        source = self._dataset.source if self._dataset else ", ".join(paths)
        return AnswerTable(
            questions=QuestionSet(
                questions,
                source=source,
                fingerprint=fingerprint(questions),
                revision=self._dataset.revision if self._dataset else "",
                total=len(self._known) or len(questions),
                notes=(*(self._dataset.notes if self._dataset else ()), *notes),
            ),
            answers=self._answers,
            reasoning=self._reasoning,
            files={model: ", ".join(digests) for model, digests in self._sources.items()},
            digests={model: _digest(digests) for model, digests in self._sources.items()},
            unasked=max(0, len(self._known) - len(questions)),
        )

    def _questions(self) -> tuple[Question, ...]:
        if self._dataset is not None:
            return tuple(item for item in self._dataset.questions if item.id in self._drafts)
        return tuple(
            draft.question(name, needs_references=self._needs_references)
            for name, draft in self._drafts.items()
        )


def _digest(digests: Mapping[str, str]) -> str:
    if len(digests) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256("".join(digests.values()).encode()).hexdigest()
