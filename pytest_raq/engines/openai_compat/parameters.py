"""Writes requests in the way that a server takes them, learned from what it refuses.

Nothing is known of servers by their names or the names of their models: a
parameter is left out because the server said that it does not take it.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.openai_compat.failures import Problem

LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
"""Two names of the same parameter: newer models of some services take the second one only."""

NEEDED = frozenset({"model", "messages", "prompt", "stream"})
"""What no request can do without."""

HARMLESS = frozenset({"stream_options"})
"""Parameters without which a server gives the same answers."""

_REFUSING = re.compile(
    r"unsupported|not\W+support|n[o']t\W+(?:be\W+)?(?:permitted|allowed|accepted|available|valid"
    r"|implemented|recognized|known|compatible)|unrecognized|unknown|unexpected|deprecated"
    r"|no longer|invalid|illegal|extra (?:inputs|fields?)|additional propert|only the default"
    r"|cannot|can't|must|should|strictly|incompatible|remove|refuse|reject",
    re.IGNORECASE,
)
"""Words of a server that does not take something."""

_TOO_LONG = re.compile(
    r"context.{0,12}(?:length|size|window|limit)|maximum context|exceed_context|too (?:long|many"
    r" tokens)|prompt.{0,20}(?:length|tokens|exceed)|input.{0,20}tokens|reduce the length",
    re.IGNORECASE,
)
"""Words of a server that has no room for a prompt; it often names ``max_tokens`` too."""

_RANGE = re.compile(
    r"too (?:large|small|big|high|low)|at (?:most|least)|less than|greater than|exceed|maximum|"
    r"minimum|between|range|[<>]=?\s*\d",
    re.IGNORECASE,
)
"""Words of a server to which only the value is wrong."""

_LOCATION = re.compile(r"""["']loc["']\s*:\s*[\[(]([^\])]*)[\])]""")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Parameters:
    """What one server does not take for one model; each parameter is left out once.

    A parameter comes back if the request is refused in the same words without it:
    then it was not the cause, and is not left out again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_out: dict[str, tuple[str, str]] = {}
        """By parameter what the server said."""
        self._innocent: set[str] = set()
        self._is_renamed = False

    @property
    def left_out(self) -> tuple[str, ...]:
        """The parameters that the server does not take, in the order of the alphabet."""
        with self._lock:
            return tuple(sorted(self._left_out))

    def write(
        self, body: Mapping[str, object], needed: Collection[str] = NEEDED
    ) -> dict[str, object]:
        """Return a body as this server takes it; what is ``needed`` is never left out."""
        with self._lock:
            named = {
                NEW_LIMIT if name == LIMIT and self._is_renamed else name: value
                for name, value in body.items()
            }
            return {
                name: value
                for name, value in named.items()
                if name not in self._left_out or name in needed
            }

    def learn(
        self, problem: Problem, sent: Mapping[str, object], needed: Collection[str] = NEEDED
    ) -> bool:
        """Whether a refused request, written again by `write`, may be taken.

        ``sent`` is the body that was refused. True at most once for each of its
        parameters, so that trying ends.
        """
        if not problem.is_refusal:
            return False
        may_go = {name for name in sent if name not in needed}
        words = (problem.parameter, problem.said)
        with self._lock:
            if (self._is_renamed and LIMIT in may_go) or may_go & self._left_out.keys():
                return True  # another request has learned it meanwhile
            innocent = [name for name, said in self._left_out.items() if said == words]
            for name in innocent:
                del self._left_out[name]
                self._innocent.add(name)
            return not innocent and self._learn(problem, may_go)

    def _learn(self, problem: Problem, may_go: Collection[str]) -> bool:
        named, are_places = named_in(problem)
        is_value = _RANGE.search(problem.said) is not None
        if NEW_LIMIT in named and LIMIT in may_go and not is_value:
            self._is_renamed = True
            return True
        found = [name for name in named if name in may_go and name not in self._innocent]
        if is_value:  # a limit that this model cannot have: without one, answers have no end
            found = [name for name in found if name not in {LIMIT, NEW_LIMIT}]
        for name in found if are_places else found[:1]:
            if name == LIMIT:  # its other name first
                self._is_renamed = True
            else:
                self._left_out[name] = (problem.parameter, problem.said)
        return bool(found)


def named_in(problem: Problem) -> tuple[list[str], bool]:
    """Return what a server names as the cause of a refusal, and whether it gave its places.

    Places are surer than words, in which a server may repeat the whole request. Nothing is
    named if the server has no room for the prompt.
    """
    said = problem.said
    if _TOO_LONG.search(f"{problem.code} {said}"):
        return [], False
    if places := [*_roots([problem.parameter]), *_roots(_LOCATION.findall(said))]:
        has_new = LIMIT in places and re.search(rf"\b{NEW_LIMIT}\b", said)
        return [*dict.fromkeys(places), *([NEW_LIMIT] if has_new else [])], True
    if _REFUSING.search(said) or NEW_LIMIT in said:
        return list(dict.fromkeys(_WORD.findall(said))), False
    return [], False


def _roots(places: Iterable[str]) -> Iterator[str]:
    """Yield the parameter of each place: stop for ``body.stop[0]`` and ``'body', 'stop', 0``."""
    for place in places:
        words = [word for word in _WORD.findall(place) if word not in {"body", "query", "None"}]
        yield from words[:1]


def sent_for(definition: ModelDefinition) -> frozenset[str]:
    """Return what is sent for a definition, as far as a server may refuse it."""
    server = definition.openai
    if definition.engine != "openai" or server is None:
        return frozenset()
    names = {LIMIT, NEW_LIMIT, "temperature", "seed", "stream_options", *server.extra_body}
    names |= {"stop"} if definition.stop else set()
    return frozenset(names | ({"reasoning_effort"} if server.reasoning_effort else set()))


def tell_left_out(left_out: Iterable[str], *, temperature: float, subject: str = "answers") -> str:
    """Return what to know of what is not sent, and whether it makes replies random; or nothing."""
    names = list(left_out)
    if not names:
        return ""
    told = f"the server refuses {_listed(names)}, so {'it is' if len(names) == 1 else 'they are'}"
    told += " not sent"
    if "stop" in names:
        told += "; answers are cut at the stop texts here"
    if "temperature" in names or ("seed" in names and temperature > 0):
        told += (
            f"; its {subject} are drawn at random and may change from run to run, without any"
            " change of the model"
        )
    return told


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
