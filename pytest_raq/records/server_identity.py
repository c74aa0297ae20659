"""Who answers behind a server: what it says of itself, and whether that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Identity = Mapping[str, str]
"""What a server says of itself, by field; a field with several values has them in one text."""

REPLY_MODEL, FINGERPRINT = "model", "system_fingerprint"
"""Fields of each reply. Replicas behind one address may differ in them."""

LISTED = "models.id"
"""The only model of a server, if it is not the one that was asked for, or else that one."""

ROOT, DIGEST = "models.root", "show.digest"

_SOFTWARE = frozenset({"version", "props.build_info", "models.owned_by"})
"""Fields that say which software answers: the weights may be the same."""

_WEAK = _SOFTWARE | {LISTED, "props.chat_template", "show.template", "show.parameters"}
"""Fields that two models may have in common: equality in them says little."""

_BETWEEN = " | "
_VARIES = "varies"
MOST_VALUES = 8
"""A reply field with more values in one run is another one in each reply: it says nothing."""


@dataclass(frozen=True, slots=True)
class KnownServer:
    """What the store knows of who gave the answers of a server.

    ``epoch`` is a part of the keys of its answers: it changes when somebody else is found to
    answer, and is empty before that. ``moving`` names fields that were seen to change although
    the answers stayed the same.
    """

    identity: Identity = field(default_factory=dict)
    epoch: str = ""
    moving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerFinding:
    """What a run found out before it used stored answers of a server.

    ``is_same`` says whether they are used, ``is_changed`` whether somebody else is known to
    answer. ``epoch`` is that of the answers of this run, and ``note`` what a reader should know;
    empty if nothing. ``moving`` names fields that may change by themselves: the new answers show.
    """

    is_same: bool
    is_changed: bool = False
    epoch: str = ""
    note: str = ""
    moving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that has another value than before."""

    field: str
    before: str
    now: str

    @property
    def is_software(self) -> bool:
        """Whether the software of the server changed, and not its model."""
        return self.field in _SOFTWARE

    def __str__(self) -> str:
        """Return e.g. ``system_fingerprint fp_1 → fp_2``."""
        return f"{self.field} {self.before} → {self.now}"


def join_values(values: set[str]) -> str:
    """Return the values of a field as one text."""
    return _BETWEEN.join(sorted(values)) if len(values) <= MOST_VALUES else _VARIES


def split_values(text: str) -> set[str]:
    """Return the values of a field."""
    return {part for part in text.split(_BETWEEN) if part}


def changed_fields(before: Identity, now: Identity) -> list[FieldChange]:
    """Return the fields that both sides know and that have no value in common.

    A field that one side lacks says nothing: its route may have been busy.
    """
    found = []
    for name in sorted(before.keys() & now.keys()):
        then, today = split_values(before[name]), split_values(now[name])
        if _VARIES not in then | today and then.isdisjoint(today):
            found.append(FieldChange(name, before[name], now[name]))
    return found


def says_who(before: Identity, now: Identity, asked: str) -> bool:
    """Whether both sides know a field that tells one model from another, and it is the same.

    The name that was ``asked`` for says nothing: many servers repeat whatever they are sent.
    """
    changed = {change.field for change in changed_fields(before, now)}
    return any(
        name not in changed and not {now[name], before[name]} & {_VARIES, asked}
        for name in (before.keys() & now.keys()) - _WEAK
    )


def merged(before: Identity, now: Identity) -> dict[str, str]:
    """Return both together: fields of replies with all their values, else what is known now."""
    found = {**before, **now}
    for name in (REPLY_MODEL, FINGERPRINT):
        if name in before and name in now:
            both = before[name], now[name]
            values = set().union(*map(split_values, both))
            found[name] = _VARIES if _VARIES in values else join_values(values)
    return found


def without(identity: Identity, fields: tuple[str, ...]) -> dict[str, str]:
    """Return an identity without some fields."""
    return {name: value for name, value in identity.items() if name not in fields}


def changes_text(changes: list[FieldChange]) -> str:
    """Return what changed, after whether that is the model or only the software of a server."""
    what = "server" if all(change.is_software for change in changes) else "model"
    return f"{what} changed: {', '.join(map(str, changes))}"


def served_name(identity: Identity, asked: str) -> str:
    """Return the name of the model that a server really serves when it is asked for one.

    Some servers repeat the name that they were asked for: then their list tells, if it has one
    model alone.
    """
    names = split_values(identity.get(REPLY_MODEL, ""))
    if len(names) == 1 and names != {asked}:
        return next(iter(names))
    return identity.get(LISTED) or asked
