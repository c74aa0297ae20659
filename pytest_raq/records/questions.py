"""What is asked."""

from __future__ import annotations

from dataclasses import dataclass

UNANSWERABLE = "unanswerable"
"""The reference of a question that its passage does not answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """One SQuAD item; questions of one ``passage`` are a cluster."""

    id: str
    title: str
    passage: str
    question: str
    references: tuple[str, ...]
    answerable: bool = True

    @property
    def cluster(self) -> str:
        """What the questions of one passage share."""
        return self.passage


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of a run and where they came from.

    ``source`` is the spec as the user wrote it, ``fingerprint`` the SHA-256 of
    the canonical text of all sampled questions, so that the same file read
    under another name is known to be the same.
    """

    questions: tuple[Question, ...]
    source: str
    fingerprint: str
    revision: str = ""
    total: int = 0

    def __len__(self) -> int:
        return len(self.questions)
