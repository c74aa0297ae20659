"""Answers that are a letter of a choice, and answers that are yes or no."""

from __future__ import annotations

import re
from functools import lru_cache

from pytest_raq.judging.equivalence.forms import fold, key
from pytest_raq.judging.equivalence.languages import Language, language

_LETTER = re.compile(r"[A-Za-zА-Яа-яΑ-Ωα-ωأابجدهوאבגדהو]")
_NAMED = re.compile(r"\(?([A-Z])[).:]\s+(\S.*)", re.DOTALL)
_OPTIONS = re.compile(
    r"(?:^|[\s(])\(?([A-H])[).:]\s+(.+?)(?=[\s,;(]+\(?[A-H][).:]\s|\s*$)", re.DOTALL
)
_EDGES = re.compile(r"^[^\w+#]+|^_+|[^\w+#]+$|_+$")
_BOXED = re.compile(r"\\(?:boxed|text(?:bf)?|mathrm)\{([^{}]*)\}")
_SAME_SCRIPT = {
    "latin": "A-Za-z\u00c0-\u024f",
    "cyrillic": "\u0400-\u04ff",
    "greek": "\u0370-\u03ff",
    "hebrew": "\u05d0-\u05ea",
    "arabic": "\u0600-\u06ff",
}
_CUES = (
    "option choice answer letter antwort réponse respuesta opción risposta opzione resposta"
    " alternativa opção ответ вариант odpowiedź svar antwoord cevap seçenek jawaban απάντηση الجواب"
    " is ist est es è é är er to هو"
)
_CUE = re.compile(rf"(?:{'|'.join(_CUES.split())})\s*[:\N{{EN DASH}}-]?\s*[\"'*(]*$", re.IGNORECASE)


_VERDICT = re.compile(
    r" (?:is (?:the )?(?:correct|right|true|best)|because|since|ist (?:die )?(?:richtig|korrekt)"
    r"|weil|est (?:la )?(?:correct|bonne|juste)|car|es (?:la )?correct|porque|è (?:la )?corrett"
    r"|perché|é (?:a )?corret)"
)


def choice_of(reference: str) -> tuple[str, str] | None:
    """Return the letter of a choice and its text, which may be empty; None for other answers."""
    text = fold(reference).strip()
    named = _NAMED.fullmatch(text)
    if named:
        return named[1], named[2].strip()
    letter = _EDGES.sub("", text)
    if len(letter) == 1 and _LETTER.fullmatch(letter):
        return letter.upper(), ""
    return None


@lru_cache(maxsize=1024)
def options_in(question: str) -> dict[str, str]:
    """Return the texts of the options that a question lists, by letter."""
    found = dict(_OPTIONS.findall(fold(question)))
    return {letter: text.strip() for letter, text in found.items()} if len(found) > 1 else {}


def is_letter(text: str, letter: str) -> bool:
    """Whether a text is nothing but the letter."""
    bare = _EDGES.sub("", _BOXED.sub(r"\1", fold(text)))
    return bare.upper() == letter


def letters(text: str, letter: str, tongue: Language) -> list[str]:
    """Return the letters of choices that a text names, without those it denies.

    A letter that is also a word ("A dog") counts only where it cannot be one. If
    the text begins with a letter, as ``B) Paris`` does, that is all it names.
    """
    text = _BOXED.sub(r"\1", fold(text))
    own = next(span for span in _SAME_SCRIPT.values() if re.match(f"[{span}]", letter))
    upper = re.compile(rf"(?<![{own}\d'’])([{_capitals(own)}])(?![{own}\d'’])")
    leading = re.match(rf"\W*{upper.pattern}\s*(?:[).:,\n]|$)", text)
    if leading and not _lists_letters(text, upper):
        return [leading[1].upper()]
    return [
        hit[1].upper()
        for hit in upper.finditer(text)
        if not _is_word(text, hit, tongue) and not _is_denied(text, hit, tongue)
    ]


def _lists_letters(text: str, upper: re.Pattern[str]) -> bool:
    """Whether a text is a list of letters and nothing else: "A, B or C"."""
    rest = upper.sub("", text)
    return len(upper.findall(text)) > 1 and len(re.findall(r"[^\W\d_]+", rest)) < 2


def _capitals(own: str) -> str:
    if own == _SAME_SCRIPT["latin"]:
        return "A-Z"
    if own == _SAME_SCRIPT["cyrillic"]:
        return "\u0410-\u042f"
    if own == _SAME_SCRIPT["greek"]:
        return "\u0391-\u03a9"
    return own


def _is_word(text: str, hit: re.Match[str], tongue: Language) -> bool:
    if hit[1] not in tongue.choice and hit[1] not in language("en").choice:
        return False
    after = text[hit.end() : hit.end() + 2]
    reads_on = after[:1] == " " and after[1:].isalpha() and after[1:].islower()
    if not hit.start() and _VERDICT.match(text[hit.end() :]):
        return False
    return reads_on and not _CUE.search(text[: hit.start()])


def _is_denied(text: str, hit: re.Match[str], tongue: Language) -> bool:
    before = re.split(r"[,;.!?:\n]", text[: hit.start()])[-1].split()[-4:]
    return any(key(word) in tongue.nots or key(word).endswith("n't") for word in before)


def polarity(text: str, tongue: Language) -> tuple[bool, bool] | None:
    """Return whether a text says yes, and whether it says nothing else; None if neither."""
    bare = _EDGES.sub("", key(fold(text)))
    known = (tongue, language("en"))
    yes = set().union(*(one.yes for one in known))
    no = set().union(*(one.no for one in known))
    if bare in no or bare in yes:
        return bare not in no, True
    if tongue.code in ("zh", "ja", "ko", "th"):
        for word in sorted(no | yes, key=len, reverse=True):
            if bare.startswith(word) and not word.isascii():
                return word not in no, False
        return None
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", bare)
    if not words:
        return None
    if words[0] in no or words[0] in yes:
        return words[0] not in no, False
    found = {word not in no for word in words if word in no or word in yes}
    return (found.pop(), False) if len(found) == 1 else None
