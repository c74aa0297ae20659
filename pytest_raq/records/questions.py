"""Questions."""

from __future__ import annotations

from dataclasses import dataclass

UNANSWERABLE = "unanswerable"
"""The reference of a question that its passage does not answer."""

_SHOWN = 40
"""Maximum number of characters of a question in a message."""


@dataclass(frozen=True, slots=True)
class Question:
    """One item of a data set, as in SQuAD.

    The passage is empty if a question is asked without one. References are
    all right answers; none if they are not known. For a question that is not
    ``answerable`` they are all texts that say that there is no answer. ``group``
    names a group of dependent questions, if the group is not their passage.
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
        """The unit of dependent questions: the group, else the passage.

        A question with neither is a separate unit.
        """
        return self.group or self.passage or f"\0{self.id}"

    @property
    def label(self) -> str:
        """The id and the start of the text, for a message: an id may be only a hash."""
        more = "…" if len(self.question) > _SHOWN else ""
        return f"{self.id!r} ({self.question[:_SHOWN]!r}{more})"


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of a run and their source.

    ``source`` is the text that the user wrote, ``fingerprint`` the SHA-256 of
    the canonical text of all sampled questions, so that the same file with
    another name is recognized. ``total`` counts the questions
    from which the sample was drawn; ``notes`` say what a reader of the results
    should know about the source.
    """

    questions: tuple[Question, ...]
    source: str
    fingerprint: str
    revision: str = ""
    total: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.questions)
