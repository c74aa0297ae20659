"""Reads a judge's reply strictly: a complete weak order of the labels, or an error."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_raq.engines.reasoning import strip_reasoning
from pytest_raq.errors import JudgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

Tiers = tuple[tuple[str, ...], ...]
"""Labels, best first; those of one tier are tied."""

_FENCE = re.compile(r"\A```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```\Z", re.DOTALL)
_LONGEST = 100_000
_SHOWN = 40


def read_reply(reply: str, labels: Sequence[str]) -> Tiers:
    """Return the tiers of a reply; JudgeError says what is wrong with it.

    Two forms are read, each as JSON with nothing around it except reasoning or a
    code fence: the rank of each label, ``{"A": 2, "B": 1, "C": 2}``, and tiers,
    ``[["B"], ["A", "C"]]``, possibly as the only value of an object.
    """
    value = _parse(reply)
    if isinstance(value, dict) and len(value) == 1 and not value.keys() & set(labels):
        value = next(iter(value.values()))
    if isinstance(value, dict):
        return _from_ranks(value, labels)
    if isinstance(value, list):
        return _from_tiers(value, labels)
    raise JudgeError(f"the reply has neither ranks nor tiers ({_show(reply)})")


def _parse(reply: str) -> object:
    text = strip_reasoning(reply)
    if fenced := _FENCE.match(text):
        text = fenced[1].strip()
    if not text:
        raise JudgeError("the reply is empty")
    if len(text) > _LONGEST:
        raise JudgeError(f"the reply is too long: {len(text):,} characters")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as exc:
        raise JudgeError(f"the reply is not only JSON ({_show(text)})") from exc


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object; a key that occurs twice is an error."""
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise JudgeError(f"the reply names {_quote(name)} {times} times")
    return dict(pairs)


def _from_ranks(ranks: dict[str, object], labels: Sequence[str]) -> Tiers:
    _require_labels(list(ranks), labels)
    tiers: dict[int, list[str]] = {}
    for name in labels:
        tiers.setdefault(_rank(ranks[name], name, len(labels)), []).append(name)
    return tuple(tuple(tiers[rank]) for rank in sorted(tiers))


def _rank(rank: object, name: str, count: int) -> int:
    # 1.0 is an integer in JSON, true is not.
    if isinstance(rank, int | float) and not isinstance(rank, bool) and rank in range(1, count + 1):
        return int(rank)
    raise JudgeError(f"the rank of {name} is {_quote(rank)}, not a whole number from 1 to {count}")


def _from_tiers(tiers: list[object], labels: Sequence[str]) -> Tiers:
    found = [tier if isinstance(tier, list) else [tier] for tier in tiers]
    names = [name for tier in found for name in tier]
    _require_labels(names, labels)
    if not all(found):
        raise JudgeError("the reply has an empty tier")
    return tuple(tuple(str(name) for name in tier) for tier in found)


def _require_labels(names: Sequence[object], labels: Sequence[str]) -> None:
    known = set(labels)
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise JudgeError(f"the reply names {_quote(name)}, which is not a label")
    counts = Counter(names)
    for name in labels:
        if counts[name] != 1:
            times = "not at all" if not counts[name] else f"{counts[name]} times"
            raise JudgeError(f"the reply names {_quote(name)} {times}")


def _quote(value: object) -> str:
    return _show(json.dumps(value, ensure_ascii=False))


def _show(text: str) -> str:
    """Return the start of a text of the judge without terminal control characters."""
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
