"""The grades of answers, best first, and the reason for each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.abstention import abstains
from pytest_raq.judging.equivalence.choices import (
    choice_of,
    is_letter,
    letters,
    options_in,
    polarity,
)
from pytest_raq.judging.equivalence.equality import equality, same_tokens, split
from pytest_raq.judging.equivalence.languages import language_of
from pytest_raq.judging.equivalence.mentions import Mention, is_denied, mentions, rivals, stand
from pytest_raq.judging.equivalence.reading import DENIES, Reading, Token, read
from pytest_raq.judging.equivalence.sharing import other_value, share
from pytest_raq.judging.equivalence.values import Amount, Match, Number, Time
from pytest_raq.records.reasoning import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import Question

LONG = 40
"""Words beside the reference from which an answer is long; twice as many characters
where words are not separated."""

MANY = 5
"""Candidates of a list from which it says nothing."""

SHORT_DENIAL = 4
"""Words of a reference whose negation is what it says, e.g. "not guilty"."""

_ABOUT = frozenset(
    "about around approximately approx roughly circa ca nearly almost some etwa ungefähr rund fast"
    " environ presque unos unas aproximadamente alrededor casi cerca quasi около примерно почти"
    " приблизно около yaklaşık około niemal asi noin ungefär omkring cirka ongeveer bijna sekitar"
    " hampir khoảng περίπου حوالي تقريبا حدود تقریبا כ בערך लगभग करीब 约 約 약 およそ".split()
)

PASSAGE = 200
"""Characters of a passage from which the language of a question is told."""


class Grade(IntEnum):
    """What an answer is to a reference, worst first.

    ``NEAR`` is the same but for something small: a unit that is left out,
    accents. ``LISTS`` names the reference among a few candidates. Only answers of
    the grades ``SHARES`` and ``LISTS`` are ordered among themselves.
    """

    WRONG = 0
    SHARES = 1
    LISTS = 2
    NEAR = 3
    STATES_AT_LENGTH = 4
    STATES = 5
    EQUAL = 6


@dataclass(frozen=True, slots=True, order=True)
class Closeness:
    """A grade; ``shared`` orders answers of one grade, 0 to 1; ``reason`` is for people."""

    grade: Grade
    shared: float = 0.0
    reason: str = ""

    @property
    def rank(self) -> tuple[Grade, float]:
        """What is compared: answers with the same value tie."""
        return self.grade, self.shared

    def __str__(self) -> str:
        """Return the grade and its reason, e.g. ``equal: same number``."""
        return f"{self.grade.name.lower().replace('_', ' ')}: {self.reason}"


class Grader:
    """Grades the answers to one question; its references are read once."""

    def __init__(self, question: Question) -> None:
        references = tuple(dict.fromkeys(question.references))
        asked = f"{question.question} {question.passage[:PASSAGE]}"
        self._code = language_of(asked) or language_of(" ".join(references))
        self._abstaining = not question.answerable or all(
            abstains(reference, self._code) for reference in references
        )
        self._exact = {_spaced(reference) for reference in references}
        self._references = [_Reference(text, self._read(text)) for text in references]
        has_choice = any(reference.choice for reference in self._references)
        self._options = options_in(question.question) if has_choice else {}

    def grade(self, text: str) -> Closeness:
        """Return the closeness of an answer to the best reference."""
        if text == UNFINISHED:
            return _wrong("ended inside its reasoning")
        if self._abstaining:
            return self._abstention(text)
        if _spaced(text) in self._exact:
            return _equal("same text")
        if not any(char.isalnum() for char in text):
            return _wrong("empty")
        return max(self._against(text, reference) for reference in self._references)

    def _abstention(self, text: str) -> Closeness:
        answer = self._read(text)
        right = (
            _spaced(text) in self._exact
            or abstains(text, self._code)
            or any(equality(reference.reading, answer) for reference in self._references)
        )
        return _equal("abstains rightly") if right else _wrong("answers where there is no answer")

    def _read(self, text: str) -> Reading:
        return read(text, language_of(text, self._code))

    def _against(self, text: str, reference: _Reference) -> Closeness:
        """Grade an answer by one reference."""
        if reference.choice is not None:
            return self._choice(text, *reference.choice)
        answer = self._read(text)
        if reference.yes is not None:
            return _polar(text, answer, yes=reference.yes)
        if reason := equality(reference.reading, answer):
            return _equal(reason)
        if self._names_references(answer):
            return _equal("names the references alone")
        return self._partly(reference.reading, answer, text)

    def _names_references(self, answer: Reading) -> bool:
        """Whether an answer is a list of different references and nothing else."""
        if len(self._references) < 2 or not answer.is_list:
            return False
        items = split(answer)
        rest = [reference.reading.tokens for reference in self._references]
        for item in items:
            hit = next((one for one in rest if same_tokens(one, item)), None)
            if hit is None:
                return False
            rest.remove(hit)
        return len(items) > 1

    def _choice(self, text: str, letter: str, named: str) -> Closeness:
        """Grade an answer where the reference is the letter of a choice."""
        if is_letter(text, letter):
            return _equal("same choice")
        found = letters(text, letter, self._read(text).tongue)
        meant = named or self._options.get(letter, "")
        if meant and (closeness := self._named(text, found, letter, meant)) is not None:
            return _equal("same choice") if named and found == [letter] else closeness
        if set(found) == {letter}:
            return Closeness(Grade.STATES, 0.0, "the choice")
        if letter in found:
            return _listed(len(set(found)), "one of {} choices")
        return _wrong("another choice" if found else "names no choice")

    def _named(self, text: str, found: list[str], letter: str, meant: str) -> Closeness | None:
        """Grade an answer that gives the text of a choice; None if it does not."""
        if found not in ([], [letter]):
            return None
        given = choice_of(text)
        answer = self._read(given[1] if given and given[1] else text)
        expected = self._read(meant)
        if equality(expected, answer):
            return Closeness(Grade.STATES, 0.0, "the choice")
        closeness = self._partly(expected, answer, text)
        return closeness if closeness.grade > Grade.WRONG and not found else None

    def _partly(self, expected: Reading, answer: Reading, text: str) -> Closeness:
        """Grade an answer that is not equal: it may state the reference, or a part of it."""
        tokens = expected.tokens
        if not tokens or not answer.tokens:
            return _wrong("no shared words")
        if (stated := self._stated(expected, answer)) is not None:
            return stated
        denies = _denies(answer)
        shared, words = share(expected, answer)
        reason = other_value(tokens, answer.tokens)
        if _denies(expected) and len(tokens) <= SHORT_DENIAL and not denies:
            reason = "leaves out the negation"
        elif not shared:
            reason = reason or "no shared words"
        elif not reason and denies and abstains(text, self._code):
            reason = "abstains where there is an answer"
        return _wrong(reason) if reason else Closeness(Grade.SHARES, shared, words)

    def _stated(self, expected: Reading, answer: Reading) -> Closeness | None:
        """Return the grade of an answer that has the whole reference in it; None if it has not."""
        found = self._best_mention(expected, answer)
        if found is not None and found.grade >= Grade.NEAR:
            return found
        if (as_list := _as_list(expected, answer)) is not None:
            return as_list
        if found is None and _without_noun(expected.tokens, answer):
            return Closeness(Grade.NEAR, 0.0, "same number, without what it counts")
        if found is None and _is_about(expected, answer):
            return Closeness(Grade.NEAR, 0.0, "same but for a word like about")
        return found

    def _best_mention(self, expected: Reading, answer: Reading) -> Closeness | None:
        tokens = expected.tokens
        right = [reference.reading.tokens for reference in self._references]
        best: Closeness | None = None
        for mention in mentions(tokens, answer, Match.LESS):
            if mention.match < Match.MORE and not _is_near(tokens, answer, mention):
                continue
            if not _denies(expected) and is_denied(answer, mention):
                found = _wrong("denies the reference")
            elif others := rivals(answer, mention, right):
                found = _listed(others + 1, "the reference is one of {} candidates")
            elif mention.match >= Match.MORE:
                return _length(len(answer.tokens) - len(tokens), answer, "the reference")
            else:
                found = Closeness(Grade.NEAR, 0.0, _nearness(tokens, mention.match))
            best = found if best is None else max(best, found)
        return best


class _Reference:
    """A reference with what kind of answer it is."""

    __slots__ = ("choice", "reading", "yes")

    def __init__(self, text: str, reading: Reading) -> None:
        self.reading = reading
        self.choice = choice_of(text)
        polar = polarity(text, reading.tongue) if len(reading.tokens) <= 2 else None
        self.yes = polar[0] if polar is not None and polar[1] else None


def _equal(reason: str) -> Closeness:
    return Closeness(Grade.EQUAL, 0.0, reason)


def _listed(count: int, reason: str) -> Closeness:
    """Grade an answer that names the reference among others."""
    if count > MANY:
        return _wrong(f"{reason.format(count)}, too many")
    return Closeness(Grade.LISTS, round(1 / count, 9), reason.format(count))


def _wrong(reason: str) -> Closeness:
    return Closeness(Grade.WRONG, 0.0, reason)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _denies(reading: Reading) -> bool:
    return any(token.role == DENIES for token in reading.tokens)


def _polar(text: str, answer: Reading, *, yes: bool) -> Closeness:
    found = polarity(text, answer.tongue)
    if found is None:
        return _wrong("neither yes nor no")
    if found[0] != yes:
        return _wrong("says the opposite")
    return _equal("says the same") if found[1] else Closeness(Grade.STATES, 0.0, "says the same")


def _as_list(expected: Reading, answer: Reading) -> Closeness | None:
    """Grade an answer that has each item of a list, in any order."""
    items = split(expected) if expected.is_list else []
    if len(items) < 2:
        return None
    for item in items:
        hits = (hit for hit in mentions(item, answer) if not is_denied(answer, hit))
        if next(hits, None) is None:
            return None
    size = sum(len(item) for item in items)
    return _length(len(answer.tokens) - size, answer, "each item of the reference")


def _length(more: int, answer: Reading, reason: str) -> Closeness:
    limit = 2 * LONG if answer.tongue.code in ("zh", "ja", "th") else LONG
    if more > limit:
        return Closeness(Grade.STATES_AT_LENGTH, 0.0, f"{reason}, in a long text")
    return Closeness(Grade.STATES, 0.0, reason)


def _is_near(tokens: Sequence[Token], answer: Reading, mention: Mention) -> bool:
    """Whether a match of parts is near: a number without its unit, not a year of a date."""
    if mention.match is Match.CLOSE:
        return True
    if mention.end < len(answer.tokens):
        after = answer.tokens[mention.end]
        if not after.gap and after.value is None and after.key not in answer.tongue.stop:
            return False  # a number of something else
    return len(tokens) == 1 and isinstance(tokens[0].value, Amount)


def _nearness(tokens: Sequence[Token], match: Match) -> str:
    if match is Match.LESS:
        return "same number, without its unit"
    if any(isinstance(token.value, Time) for token in tokens):
        return "same time, morning or evening not said"
    if any(token.value is not None for token in tokens):
        return "same number, written in another way"
    return "same words but for accents"


def _is_about(expected: Reading, answer: Reading) -> bool:
    """Whether a reference only adds a word like "about" to a number."""
    exact = [token for token in expected.tokens if token.key not in _ABOUT]
    valued = any(token.value is not None for token in exact)
    given = [token for token in answer.tokens if token.key not in _ABOUT]
    return valued and len(exact) < len(expected.tokens) and same_tokens(exact, given)


def _without_noun(tokens: Sequence[Token], answer: Reading) -> bool:
    """Whether an answer is the number of a reference that also says what it counts."""
    first, *others = tokens
    if not isinstance(first.value, Number | Amount) or not 1 <= len(others) <= 2:
        return False
    if any(token.value is not None for token in others) or len(answer.tokens) != 1:
        return False
    return stand(first, answer.tokens[0]) in (Match.SAME, Match.LESS)
