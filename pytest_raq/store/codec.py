"""From records to rows of the store and back, with checksums."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_raq.records import (
    Answer,
    EngineInfo,
    FinishReason,
    JudgeExchange,
    JudgeVerdict,
    KnownServer,
    Likelihood,
    OrderReading,
    RunRecord,
    Timing,
)
from pytest_raq.records.answers import answer_from_reply
from pytest_raq.records.reasoning import split_reasoning
from pytest_raq.store.schema import FIGURES, DamagedError
from pytest_raq.text import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import TypeAdapter

    from pytest_raq.records import RunFigures


T = TypeVar("T")

_TIMES = tuple(item.name for item in fields(Timing))
_LATER_TIMES = frozenset(
    {"is_estimate", "instructions", "reasoning_tokens", "reasoning_seconds", "time_to_first_answer"}
)
_LATER = frozenset(
    {
        "extra_buffers",
        "note",
        "will_recur",
        "reproducible",
        "instruction_set",
        "tested_sequences",
        "asked_again",
        "changed_again",
        "left_out",
    }
)
"""Fields of `EngineInfo` that its first version did not have."""


def checksum(key: str, payload: str) -> int:
    """Return the CRC-32 of a value."""
    return zlib.crc32(f"{key}\0{payload}".encode("utf-8", "replace"))


def to_payload(table: Mapping[str, object]) -> str:
    """Return a value as JSON in ASCII."""
    return json.dumps(table, separators=(",", ":"))


def from_payload(key: str, payload: str, expected: int) -> dict[str, Any]:
    """Return the value of a row; DamagedError when it was changed or damaged there."""
    if checksum(key, payload) != expected:
        raise DamagedError(f"the entry {key[:12]} was changed or damaged")
    try:
        table = parse_payload(payload)
    except (ValueError, TypeError, RecursionError) as exc:
        raise DamagedError(f"the entry {key[:12]} is not JSON of a store") from exc
    if not isinstance(table, dict):
        raise DamagedError(f"the entry {key[:12]} is not JSON of a store")
    return table


def parse_payload(payload: str) -> dict[str, Any]:
    """Return a value; ValueError when it is not JSON."""
    table: dict[str, Any] = json.loads(payload)
    return table


def answer_to_payload(answer: Answer) -> str:
    """Return an answer without its model and question.

    What earlier versions did not have is left out where it says nothing. The reasoning also
    stands where it is empty, if an answer without it would be split when it is read.
    """
    table: dict[str, object] = {
        "text": answer.text,
        "finish_reason": answer.finish_reason.value,
        "timing": {
            name: value
            for name in _TIMES
            if (value := getattr(answer.timing, name)) or name not in _LATER_TIMES
        },
    }
    if answer.reasoning or split_reasoning(answer.text).text != answer.text:
        table["reasoning"] = answer.reasoning
    if answer.unfinished:
        table["unfinished"] = True
    return to_payload(table)


def read_as(read: Callable[[dict[str, Any]], T], table: dict[str, Any]) -> T | None:
    """Return what ``read`` makes of a value; None if it has other fields than this version's."""
    try:
        return read(table)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def answer_from(table: Mapping[str, Any], question_id: str, model: str) -> Answer:
    """Return an answer; the ids are those of the asking run.

    Earlier versions kept the reasoning in front of the answer.
    """
    text = well_formed(table["text"])  # earlier versions kept halves of surrogate pairs
    reason, timing = FinishReason(table["finish_reason"]), _timing(table["timing"])
    if "reasoning" not in table and "unfinished" not in table:
        return answer_from_reply(question_id, model, text, reason, timing)
    reasoning = well_formed(str(table.get("reasoning", "")))
    unfinished = bool(table.get("unfinished", False))
    return Answer(question_id, model, text, reason, timing, reasoning, unfinished)


def _timing(table: Mapping[str, Any]) -> Timing:
    if not all(isinstance(value, int | float) for value in table.values()):
        raise TypeError("a time is not a number")
    return Timing(**table)


def likelihood_to_payload(likelihood: Likelihood) -> str:
    """Return how likely a text is."""
    return to_payload(asdict(likelihood))


def likelihood_from(table: Mapping[str, Any]) -> Likelihood:
    """Return how likely a text is."""
    return Likelihood(**table)


def engine_to_payload(info: EngineInfo) -> str:
    """Return what ran a model; what is as usual is left out, as older versions expect."""
    usual = {item.name: item.default for item in fields(EngineInfo) if item.name in _LATER}
    table = asdict(info)
    del table["identity"]  # kept for itself, because it outlives the key of the engine
    return to_payload({k: v for k, v in table.items() if k not in usual or v != usual[k]})


def engine_from(table: Mapping[str, Any]) -> EngineInfo:
    """Return what ran a model."""
    left_out = table.get("left_out")
    return EngineInfo(**{**table, "left_out": None if left_out is None else tuple(left_out)})


def server_to_payload(server: KnownServer) -> str:
    """Return who gave the answers of a server."""
    return to_payload(asdict(server))


def server_from(table: Mapping[str, Any]) -> KnownServer:
    """Return who gave the answers of a server."""
    identity = {str(name): str(value) for name, value in table["identity"].items()}
    return KnownServer(identity, str(table["epoch"]), tuple(map(str, table["moving"])))


def verdict_to_payload(verdict: JudgeVerdict) -> str:
    """Return the verdict of a judge with its exchanges."""
    exchanges = [
        {"prompt": item.prompt, "reply": item.reply, "usage": dict(item.usage)}
        for item in verdict.exchanges
    ]
    readings = [{"shown": item.shown, "tiers": item.tiers} for item in verdict.readings]
    return to_payload(
        {
            "tiers": verdict.tiers,
            "reason": verdict.reason,
            "exchanges": exchanges,
            "agreed": verdict.agreed,
            "readings": readings,
        }
    )


def verdict_from(table: Mapping[str, Any]) -> JudgeVerdict:
    """Return the verdict of a judge."""
    return JudgeVerdict(
        tiers=_tiers(table["tiers"]),
        reason=table["reason"],
        exchanges=tuple(JudgeExchange(**item) for item in table["exchanges"]),
        agreed=table.get("agreed"),
        readings=tuple(
            OrderReading(tuple(item["shown"]), _tiers(item["tiers"]))
            for item in table.get("readings", ())
        ),
    )


def _tiers(value: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tier) for tier in value)


def run_to_payload(run: RunRecord) -> str:
    """Return a run without its models' figures, which have columns of their own."""
    return to_payload(_run_adapter().dump_python(run, mode="json", exclude={"models"}))


def run_from(table: Mapping[str, object], figures: Sequence[tuple[object, ...]]) -> RunRecord:
    """Return a run; a row of figures is the model's name and the values of `FIGURES`."""
    models = {
        str(name): {"model": name, **dict(zip(FIGURES, values, strict=True))}
        for name, *values in figures
    }
    return _run_adapter().validate_python({**table, "models": models})


@cache
def _run_adapter() -> TypeAdapter[RunRecord]:
    """Return what reads and writes runs: made once, which takes longer than a thousand uses."""
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def figure_values(figures: RunFigures) -> list[object]:
    """Return the values of `FIGURES`; SQLite keeps a NaN as NULL."""
    return [getattr(figures, name) for name in FIGURES]


def checksum_of_bytes(run_id: str, suite: str, payload: bytes) -> int:
    """Return the CRC-32 of a result."""
    return zlib.crc32(f"{run_id}\0{suite}\0".encode("utf-8", "replace") + payload)


def is_sound(run_id: object, suite: object, payload: object, expected: object) -> bool:
    """Whether a result is what was written."""
    return (
        isinstance(payload, bytes)
        and checksum_of_bytes(str(run_id), str(suite), payload) == expected
    )
