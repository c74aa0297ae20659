"""What is asked."""

from __future__ import annotations

from dataclasses import dataclass

UNANSWERABLE = "unanswerable"
"""The reference of a question that its passage does not answer."""

_SHOWN = 40
"""Characters of a question that a message repeats."""


@dataclass(frozen=True, slots=True)
class Question:
    """One item of a data set, as SQuAD has them.

    The passage is empty where a question is asked without one. References are
    all right answers; none where nobody knows them, and for a question that is
    not ``answerable`` whatever says so. ``group`` names what questions have in
    common that stand and fall together, where that is not their passage.
    """

    id: str
    title: str
    passage: str
    question: str
    references: tuple[str, ...]
    answerable: bool = True
    group: str = ""

    @property
    def cluster(self) -> str:
        """What questions that stand and fall together share: the group, else the passage.

        A question with neither stands alone.
        """
        return self.group or self.passage or f"\0{self.id}"

    @property
    def label(self) -> str:
        """The id and the start of the text, for a message: an id may be a mere hash."""
        more = "…" if len(self.question) > _SHOWN else ""
        return f"{self.id!r} ({self.question[:_SHOWN]!r}{more})"


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of a run and where they came from.

    ``source`` is the spec as the user wrote it, ``fingerprint`` the SHA-256 of
    the canonical text of all sampled questions, so that the same file read
    under another name is known to be the same. ``total`` counts the questions
    that the sample was drawn from; ``notes`` say what a reader of the results
    should know of the source.
    """

    questions: tuple[Question, ...]
    source: str
    fingerprint: str
    revision: str = ""
    total: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.questions)
