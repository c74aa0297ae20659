"""The reasoning of a model, apart from its answer: which texts open and close it.

Only what stands at the start of a reply is reasoning. An answer that mentions ``<think>`` keeps it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNFINISHED = "(no answer: it ended inside its reasoning)"
"""What stands for an answer that never began, where answers are compared: an empty text may be
the right answer to a question that has none."""

_TAGS = (
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reason",
    "reasoning",
    "reflection",
    "seed:think",
)

SPANS = (
    *((f"<{tag}>", f"</{tag}>") for tag in _TAGS),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker, Sky-T1
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("<|channel>thought", "<channel|>"),  # Gemma 4
)
"""What opens and what closes a block, for the families that mark it."""

_CHANNEL = "<|channel|>{}<|message|>"
_FINAL = _CHANNEL.format("final")

CHANNELS = (
    *(
        (start + _CHANNEL.format(name), _FINAL)
        for start in ("", "<|start|>assistant")
        for name in ("analysis", "commentary")
    ),
)
"""The channels of harmony templates (gpt-oss): all before the final one is reasoning."""

PHRASES = (
    ("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    ("Here's my thought process:", "Here's my response:"),
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel
)
"""Sentences that do the same; a reply that only begins with one is no reasoning."""

WORKER_SPANS = (*SPANS, *CHANNELS, *PHRASES, (_FINAL, ""))
"""What is followed while a text is generated; a final channel alone opens nothing."""

MARKS = tuple(
    dict.fromkeys(
        [text for pair in SPANS for text in pair]
        + ["<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>"]
    )
)
"""What may be a single token that a tokenizer does not show."""

_WRAPPERS = (
    *((f"<{tag}>", f"</{tag}>") for tag in ("answer", "response", "output", "final_answer")),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ("[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"),
)
"""What some families write around the answer behind the reasoning."""


def _any(texts: list[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(set(texts), key=len, reverse=True))


_CLOSERS = [closing for _, closing in SPANS]
_CLOSING = re.compile(f"{_any([*_CLOSERS, _FINAL])}", re.IGNORECASE)
_OPENING = re.compile(rf"\s*(?:{_any([opening for opening, _ in SPANS])})", re.IGNORECASE)
_MAY_HOLD = re.compile(
    f"{_any(_CLOSERS)}|^\\s*(?:{_any([opening for opening, _ in (*SPANS, *PHRASES)])}"
    r"|(?:<\|start\|>assistant\s*)?<\|channel\|>|analysis)",
    re.IGNORECASE,
)
_LEADING = tuple(
    (re.compile(rf"\s*{re.escape(opening)}", re.IGNORECASE), closing)
    for opening, closing in (*SPANS, *PHRASES)
)
_PHRASES = frozenset(closing for _, closing in PHRASES)
_MESSAGE = re.compile(
    r"(?:<\|start\|>assistant\s*)?<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_HARMONY = re.compile(r"\s*(?:<\|start\|>assistant\s*)?<\|channel\|>")
_BARE_HARMONY = re.compile(r"\s*analysis(?=\S)(.*)assistantfinal(.*)\Z", re.DOTALL)
"""The same where a tool left out the special tokens."""
_BETWEEN_MESSAGES = re.compile(r"(?:<\|end\|>)?\s*(?:<\|start\|>assistant\s*)?\Z")
_END_OF_MESSAGE = re.compile(r"<\|(?:end|return|call)\|>.*\Z", re.DOTALL)

_CONNECTIVES = frozenset(("and", "or", "to", "with", "und", "oder", "et", "ou", "y", "o", "e"))
_FILLERS = frozenset(("…", "...", "/", ",", "&", "-"))
"""All that stands between two tags that are named, not used."""
_NAMED = re.compile(
    r"[ ,]+(?:is|are|was|and|or|tags?|tokens?|marks?|opens?|starts?|begins?|means?|blocks?|as)\b"
)
"""What follows a tag that is named, not used."""
_QUOTES = "`'\"“”’«»"
_ENDS_SENTENCE = ".!?…。！？:)\n"


@dataclass(frozen=True, slots=True)
class Parts:
    """A reply in two: what was thought, and the answer.

    ``is_open`` says that the reasoning never ended: there is no answer then.
    """

    reasoning: str = ""
    text: str = ""
    is_open: bool = False


def split_reasoning(text: str, *, opened: bool = False, is_cut: bool = False) -> Parts:
    """Return the reasoning and the answer of a reply; a reply without reasoning stays as it is.

    ``opened`` says that the prompt ends with an opened block, so that the reply
    begins inside it; ``is_cut`` that the reply ended at its limit of tokens.
    """
    if opened:
        return _split_opened(text)
    if not _MAY_HOLD.search(text):
        return Parts("", text)
    if _HARMONY.match(text):
        return _split_harmony(text)
    if bare := _BARE_HARMONY.match(text):
        return Parts(bare[1].strip(), bare[2].strip())
    parts = _split_leading(text, is_cut=is_cut)
    return parts or _split_lone(text) or Parts("", text)


def shown_text(text: str) -> str:
    """Return an answer as it is shown: empty where what is compared is `UNFINISHED`."""
    return "" if text == UNFINISHED else text


def opens_reasoning(prompt: str) -> bool:
    """Whether a prompt, or what a template writes at its end, leaves a block open."""
    tail = prompt.rstrip().casefold()
    openings = [opening.casefold() for opening, _ in (*SPANS, *CHANNELS)]
    return any(tail.endswith(opening) for opening in openings)


def _split_opened(text: str) -> Parts:
    again = _OPENING.match(text)  # some models repeat what the prompt ends with
    rest = text[again.end() :] if again else text
    closing = _CLOSING.search(rest)
    if closing is None:
        return Parts(rest.strip(), "", is_open=True)
    if _HARMONY.match(rest):
        return _split_harmony(rest)
    return _behind(rest[: closing.start()], rest[closing.end() :])


def _split_harmony(text: str) -> Parts:
    messages = [(found[1].lower(), found[2]) for found in _MESSAGE.finditer(text)]
    thoughts = [said.strip() for channel, said in messages if channel != "final"]
    final = [said for channel, said in messages if channel == "final"]
    if not messages:
        return Parts(text.strip(), "", is_open=True)
    reasoning = "\n\n".join(filter(None, thoughts))
    return Parts(reasoning, final[-1].strip() if final else "", is_open=not final)


def _split_leading(text: str, *, is_cut: bool) -> Parts | None:
    thoughts: list[str] = []
    rest = text
    while True:
        found = next(
            ((match, closing) for each, closing in _LEADING if (match := each.match(rest))), None
        )
        if found is None:
            break
        opening, closing = found
        body = rest[opening.end() :]
        at = _find_closing(body, opening[0].strip(), closing)
        if at < 0:
            is_named = closing in _PHRASES or bool(_NAMED.match(body))
            if is_named and not is_cut:
                break
            thoughts.append(body.strip())
            return Parts("\n\n".join(filter(None, thoughts)), "", is_open=True)
        if body[:at].strip().casefold() in _CONNECTIVES | _FILLERS:
            break
        thoughts.append(body[:at].strip())
        rest = body[at + len(closing) :]
    return _behind("\n\n".join(filter(None, thoughts)), rest) if thoughts else None


def _find_closing(body: str, opening: str, closing: str) -> int:
    """Return where a block ends: at its first end, unless blocks are nested in it; -1: nowhere."""
    lower, opens, closes = body.lower(), opening.lower(), closing.lower()
    first = at = lower.find(closes)
    nested = lower.count(f"\n{opens}", 0, max(at, 0))
    for _ in range(nested):
        following = lower.find(closes, at + len(closes))
        if following < 0:
            return first
        at = following
    return at


def _split_lone(text: str) -> Parts | None:
    """Split at an end without a beginning: the template of a server opened the block."""
    found = _CLOSING.search(text)
    if found is None:
        return None
    before, after = text[: found.start()], text[found.end() :]
    both = _opening_of(found[0]).lower() in before.lower()
    is_quoted = before != "" and before[-1] in _QUOTES and after[:1] in _QUOTES
    if both or is_quoted or _NAMED.match(after):
        return None  # it is mentioned
    ended = before[-1:] in _ENDS_SENTENCE and before.strip() != ""
    starts_answer = after[:1] == "\n" or (after[:1].isalnum() or after[:1] in "*_<#[(\"'`-$")
    if after.strip() and before.strip() == "":
        return _behind("", after)  # the template wrote an empty block but for its end
    if not (ended or (after.strip() and starts_answer)):
        return None
    return _behind(before, after)


def _opening_of(closing: str) -> str:
    known = {end.lower(): start for start, end in SPANS}
    return known.get(closing.lower(), _FINAL)


def _behind(reasoning: str, rest: str) -> Parts:
    """Return the parts where a block has ended; what is written around the answer is left out."""
    thought = _BETWEEN_MESSAGES.sub("", reasoning).strip()
    text = _END_OF_MESSAGE.sub("", rest).strip()
    for opening, closing in _WRAPPERS:
        if text.lower().startswith(opening.lower()):
            text = text[len(opening) :]
            at = text.lower().rfind(closing.lower())
            text = (text[:at] if at >= 0 else text).strip()
            break
    else:
        text = text.removesuffix("[END FINAL RESPONSE]").rstrip()
    return Parts(thought, text)
