"""What the judge knows about languages, and which language a text is in."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pytest_raq.judging.equivalence.forms import fold, key, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

UNKNOWN = ""
"""The language of a text that shows none: English, and the clear words of the others."""

LONGEST_ENDING = 4
"""Letters that may follow a stem, e.g. those of cases."""

BETWEEN = "+"
"""Joins the codes of languages that a text may be in, e.g. ``da+no``."""

CLEAR = 4
"""Minimum letters of a word that is understood in a text of an unknown language."""

MEMORY = 20_000
"""Words whose values are remembered."""

MANY = 4
"""Maximum languages that a text may be in."""

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("he", re.compile("[\u05d0-\u05ea]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
)
_PERSIAN = re.compile("[\u067e\u0686\u0698\u06a9\u06af\u06cc]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")
_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:'[^\W\d_]+)?")
_SAMPLE = 400
"""Characters of a text from which its language is told."""


@dataclass(frozen=True, slots=True)
class Stems:
    """Words with values; a word may be a stem with an ending of a few letters."""

    words: Mapping[str, float]
    stems: Mapping[str, float]
    known: dict[str, float | None] = field(default_factory=dict, compare=False)

    def find(self, word: str) -> float | None:
        """Return the value of a word; None if it has none. Accents may be left out."""
        if word not in self.known:
            if len(self.known) > MEMORY:
                self.known.clear()
            self.known[word] = self._find(word)
        return self.known[word]

    def _find(self, word: str) -> float | None:
        for form in (key(word), plain(word)):
            if form in self.words:
                return self.words[form]
        form = plain(word)
        for end in range(len(form), max(2, len(form) - LONGEST_ENDING) - 1, -1):
            if form[:end] in self.stems:
                return self.stems[form[:end]]
        return None


@dataclass(frozen=True, slots=True)
class Language:
    """The tables of one language. Words of ``roles`` are keys, see `forms.key`.

    ``numbers`` holds what is added up, ``scales`` what multiplies. ``neutral``
    and ``against`` are phrases of keys: negations that deny nothing, and
    words that deny what follows without being negations.
    """

    code: str
    comma: bool
    stop: frozenset[str]
    letters: frozenset[str]
    articles: frozenset[str]
    nots: frozenset[str]
    neutral: tuple[tuple[str, ...], ...]
    against: tuple[tuple[str, ...], ...]
    contrast: frozenset[str]
    ors: frozenset[str]
    ands: frozenset[str]
    minus: frozenset[str]
    guess: frozenset[str]
    yes: frozenset[str]
    no: frozenset[str]
    range: frozenset[str]
    choice: frozenset[str]
    days: frozenset[str]
    numbers: Stems
    scales: Stems
    ordinals: Stems
    fractions: Stems
    months: Stems
    decades: Stems


@cache
def phrases_of(code: str) -> dict[str, tuple[tuple[tuple[str, ...], bool], ...]]:
    """Return the phrases of a language by their first word, each with whether it denies."""
    tongue = language(code)
    found: dict[str, tuple[tuple[tuple[str, ...], bool], ...]] = {}
    for phrases, denies in ((tongue.neutral, False), (tongue.against, True)):
        for phrase in phrases:
            found[phrase[0]] = (*found.get(phrase[0], ()), (phrase, denies))
    return found


def read_tables(name: str) -> dict[str, Any]:
    """Return one of the TOML files of this package."""
    text = (files("pytest_raq.judging.equivalence") / name).read_text("utf-8")
    return tomllib.loads(text)


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return read_tables("languages.toml")


@cache
def language(code: str) -> Language:
    """Return the tables of a language, or of several whose codes are joined by ``+``.

    Any other code is the unknown language.
    """
    if code in _tables() and code != "other":
        return _build(code, _tables()[code])
    return _merged(code.split(BETWEEN)) if BETWEEN in code else _unknown()


def _merged(codes: Sequence[str]) -> Language:
    """Return the tables of several languages as one, where a text may be in each of them."""
    first, *others = [language(code) for code in codes]
    found: dict[str, Any] = {"code": first.code, "comma": first.comma}
    for each in fields(Language)[2:]:
        values = [getattr(one, each.name) for one in (first, *others)]
        if isinstance(values[0], Stems):
            words = {word: value for one in reversed(values) for word, value in one.words.items()}
            stems = {word: value for one in reversed(values) for word, value in one.stems.items()}
            found[each.name] = Stems(words, stems)
        elif isinstance(values[0], tuple):
            found[each.name] = tuple(phrase for one in values for phrase in one)
        else:
            found[each.name] = frozenset().union(*values)
    return Language(**found)


@cache
def _unknown() -> Language:
    english = language("en")
    others = [language(code) for code in _tables() if code not in ("en", "other")]

    def clear(field: str) -> frozenset[str]:
        found = {word for one in others for word in getattr(one, field)}
        own: frozenset[str] = getattr(english, field)
        kept = {word for word in found if len(word) >= CLEAR or not word.isascii()}
        return own | frozenset(kept - english.stop)

    def merged(field: str) -> Stems:
        tables = [getattr(one, field) for one in (*others, english)]
        words: dict[str, float] = {}
        stems: dict[str, float] = {}
        for table in tables:
            own = table is tables[-1]
            words |= {w: v for w, v in table.words.items() if own or len(w) >= CLEAR}
            stems |= {w: v for w, v in table.stems.items() if len(w) >= CLEAR}
        return Stems(words, stems)

    return Language(
        code=UNKNOWN,
        comma=False,
        stop=english.stop,
        letters=frozenset(),
        articles=english.articles,
        nots=clear("nots") | {"pas", "nie", "non"},
        neutral=english.neutral,
        against=english.against,
        contrast=clear("contrast"),
        ors=clear("ors") | {"ou", "lub", "sau"},
        ands=clear("ands") - {"plus", "samt", "juga"},
        minus=clear("minus"),
        guess=clear("guess"),
        yes=english.yes,
        no=english.no,
        range=english.range,
        choice=english.choice,
        days=clear("days"),
        numbers=merged("numbers"),
        scales=merged("scales"),
        ordinals=merged("ordinals"),
        fractions=english.fractions,
        months=merged("months"),
        decades=english.decades,
    )


def _build(code: str, table: Mapping[str, Any]) -> Language:
    def words(field: str) -> frozenset[str]:
        return frozenset(key(fold(word)) for word in table.get(field, "").split())

    def phrases(field: str) -> tuple[tuple[str, ...], ...]:
        given = table.get(field, "")
        return tuple(tuple(key(fold(text)).split()) for text in given.split("/") if text)

    return Language(
        code=code,
        comma=bool(table.get("comma")),
        stop=words("stop"),
        letters=frozenset(table.get("letters", "")),
        articles=words("articles"),
        nots=words("not"),
        neutral=phrases("neutral"),
        against=phrases("against"),
        contrast=words("contrast"),
        ors=words("or"),
        ands=words("and"),
        minus=words("minus"),
        guess=words("guess"),
        yes=words("yes"),
        no=words("no"),
        range=words("range"),
        choice=frozenset(table.get("choice", "").split()),
        days=frozenset(word for day in table.get("days", "").split() for word in _forms(day)),
        numbers=_stems(_numbers(table)),
        scales=_stems(_given(table.get("scales", ""))),
        ordinals=_stems(_ordinals(table)),
        fractions=_stems(_given(table.get("fractions", ""))),
        months=_stems(_counted(table.get("months", ""), 1)),
        decades=_stems(_given(table.get("decades", ""))),
    )


def _stems(pairs: Iterable[tuple[str, float]]) -> Stems:
    words: dict[str, float] = {}
    stems: dict[str, float] = {}
    bare: dict[str, float] = {}
    for word, value in pairs:
        if word.endswith("*"):
            stems.setdefault(plain(word[:-1]), value)
        else:
            words.setdefault(key(word), value)
            bare.setdefault(plain(word), value)
    return Stems({**bare, **words}, stems)


def _forms(text: str) -> list[str]:
    return [key(fold(form)) for form in text.split("/")]


def _counted(text: str, first: int, step: int = 1) -> Iterator[tuple[str, float]]:
    for index, forms in enumerate(text.split()):
        for form in _forms(forms):
            yield form, first + index * step


def _given(text: str) -> Iterator[tuple[str, float]]:
    for item in text.split():
        word, _, value = item.partition("=")
        yield key(fold(word)), float(Fraction(value) if "/" in value else float(value))


def _numbers(table: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    small = list(_counted(table.get("small", ""), 0))
    given = table.get("tens", "")
    tens = list(_counted(given, 20 if len(given.split()) == 8 else 10, 10))
    yield from small
    yield from tens
    yield from _counted(table.get("hundreds", ""), 100, 100)
    yield from _given(table.get("others", ""))
    yield from _counted(table.get("native", ""), 1)
    native = list(_counted(table.get("native_tens", ""), 10, 10))
    yield from native
    units = [(word, value) for word, value in small if 0 < value < 10]
    for word, ten in native:
        ones = _counted(table.get("native", ""), 1)
        yield from ((word + one, ten + unit) for one, unit in ones if unit < 10)
    if prefix := table.get("and_prefix"):  # Hebrew and Arabic write "and" onto the word
        yield from ((prefix + word, value) for word, value in (*small, *tens) if value)
    for pattern in filter(None, table.get("joined", "").split("/")):
        yield from _joined(pattern, tens, units)


def _joined(
    pattern: str, tens: Iterable[tuple[str, float]], units: Iterable[tuple[str, float]]
) -> Iterator[tuple[str, float]]:
    for ten, value in tens:
        for unit, more in units:
            yield pattern.format(ten=ten, unit=unit), value + more
            if unit[:1] in "uo" and ten[-1] in "aei":  # Italian: ventuno, trentotto
                yield pattern.format(ten=ten[:-1], unit=unit), value + more


def _ordinals(table: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from _counted(table.get("ordinals", ""), 1)
    yield from _counted(table.get("ordinal_tens", ""), 20, 10)
    yield from _given(table.get("ordinal_others", ""))
    if table.get("joined") == "{unit}und{ten}":
        yield from ((f"{w}st*", v) for w, v in _numbers(table) if v >= 20)


@lru_cache(maxsize=4096)
def language_of(text: str, otherwise: str = UNKNOWN) -> str:
    """Return the code of the language of a text, or ``otherwise`` if it shows none."""
    if otherwise and text.isascii() and text.count(" ") < 2:
        return otherwise  # too short to tell
    sample = fold(text[:_SAMPLE])
    if not sample.isascii():
        for code, script in _SCRIPTS:
            if script.search(sample):
                persian = code == "ar" and (_PERSIAN.search(text) or otherwise == "fa")
                return "fa" if persian else code
        if _CYRILLIC.search(sample):
            return _cyrillic(sample, otherwise)
    votes = _votes(sample)
    if not votes:
        return otherwise
    best = max(votes.values())
    found = sorted(
        (code for code, count in votes.items() if count == best),
        key=lambda code: (code != "en", code),
    )
    if otherwise and (best < 2 or set(found) & set(otherwise.split(BETWEEN))):
        return otherwise
    return BETWEEN.join(found[:MANY])


@cache
def _index() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return the languages of each common word and of each telling letter."""
    words: dict[str, list[str]] = {}
    signs: dict[str, list[str]] = {}
    for code in _tables():
        if code != "other":
            for word in language(code).stop:
                words.setdefault(word, []).append(code)
            for sign in language(code).letters:
                signs.setdefault(sign, []).append(code)
    return (
        {word: tuple(codes) for word, codes in words.items()},
        {sign: tuple(codes) for sign, codes in signs.items()},
    )


def _votes(sample: str) -> dict[str, int]:
    words, signs = _index()
    votes: dict[str, int] = {}
    for word in {key(word) for word in _WORD.findall(sample)}:
        for code in words.get(word, ()):
            votes[code] = votes.get(code, 0) + 1
    if not sample.isascii():
        telling = {code for sign in set(sample.lower()) for code in signs.get(sign, ())}
        for code in telling:
            votes[code] = votes.get(code, 0) + 2
    return votes


def _cyrillic(sample: str, otherwise: str) -> str:
    if _UKRAINIAN.search(sample):
        return "uk"
    votes = _votes(sample)
    known = [code for code in ("ru", "bg", "uk") if votes.get(code)]
    if known:
        return max(known, key=lambda code: votes[code])
    return otherwise if otherwise in ("ru", "bg", "uk") else "ru"
