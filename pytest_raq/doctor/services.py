"""Checks servers and judges, each with one request: over a network, or by loading a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_raq.doctor.context import finding, split_step
from pytest_raq.doctor.waiting import Inquiry, ask_all
from pytest_raq.engines import open_engine
from pytest_raq.engines.openai_compat import find_server
from pytest_raq.errors import RaqError
from pytest_raq.judging import make_judge
from pytest_raq.records import Answer, Prompt
from pytest_raq.records.command_results import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_raq.config import ModelDefinition
    from pytest_raq.doctor.context import CheckContext
    from pytest_raq.records.command_results import Finding

SERVER_SECONDS = 20.0
"""Seconds that the server of one address may take for all its requests."""
LOCAL_SECONDS = 120.0
"""Seconds that a judge may take to load and to rank two answers."""

_QUESTION = "Say yes."
_TOKENS = 4


def look_at_servers(context: CheckContext) -> Iterator[Finding]:
    """Yield whether each server answers a short question, for the models it runs."""
    models = [model for model in context.readable_models if _is_asked(context, model)]
    if context.offline:
        yield from (_not_asked("servers", model) for model in models)
    else:
        inquiries = [_inquiry(context, "servers", model, _ask) for model in models]
        yield from ask_all(inquiries, SERVER_SECONDS)


def _is_asked(context: CheckContext, model: ModelDefinition) -> bool:
    only_judges = model.name in context.judges and model.name not in context.contestants
    return model.engine == "openai" and not only_judges


def _not_asked(section: str, model: ModelDefinition) -> Finding:
    return finding(section, model.name, Health.OK, "not asked (--offline)")


def _inquiry(
    context: CheckContext,
    section: str,
    model: ModelDefinition,
    ask: Callable[[CheckContext, ModelDefinition], Finding],
) -> Inquiry:
    seconds = SERVER_SECONDS if model.engine == "openai" else LOCAL_SECONDS
    health = context.trouble(model.name)
    late = f"no answer within {seconds:g} s"
    if model.openai is not None and model.engine == "openai":
        place = model.openai.base_url
        late = f"{place} gave {late}"
        step = f"check that the server runs and is not busy; a run waits {model.timeout:g} s"
    else:
        place = "here"
        step = f"check the free memory; a run waits {model.timeout:g} s without progress"
    unasked = "not asked, because its server did not answer an earlier request"
    return Inquiry(
        section=section,
        name=model.name,
        place=place,
        ask=lambda: ask(context, model),
        late=finding(section, model.name, health, late, step),
        unasked=finding(section, model.name, health, unasked, step),
    )


def _ask(context: CheckContext, model: ModelDefinition) -> Finding:
    started = time.monotonic()
    prompt = Prompt("doctor", _QUESTION, chat=model.uses_chat, max_tokens=_TOKENS)
    try:
        with open_engine(_with_short_timeout(model)) as engine:
            outcome = next(iter(engine.answers([prompt])))
        address = find_server(model).address
    except RaqError as exc:
        told = split_step(str(exc), _otherwise(model))
        return finding("servers", model.name, context.trouble(model.name), *told)
    if not isinstance(outcome, Answer):
        told = split_step(outcome.reason, _otherwise(model))
        return finding("servers", model.name, context.trouble(model.name), *told)
    assert model.openai is not None
    seconds = time.monotonic() - started
    text = f"{model.openai.model} of {address} answered after {seconds:.2f} s"
    return finding("servers", model.name, Health.OK, text)


def _otherwise(model: ModelDefinition) -> str:
    return f"check what runs the model, and correct {model.path}"


def look_at_judges(context: CheckContext) -> Iterator[Finding]:
    """Yield whether each judge that a suite names can be asked."""
    if "reference" in context.judges:
        yield finding("judges", "reference", Health.OK, "needs nothing")
    judges = [model for model in context.readable_models if model.name in context.judges]
    servers = [judge for judge in judges if judge.engine == "openai"]
    if context.offline:
        yield from (_not_asked("judges", judge) for judge in servers)
    else:
        inquiries = [_inquiry(context, "judges", judge, _prepare) for judge in servers]
        yield from ask_all(inquiries, SERVER_SECONDS)
    for judge in judges:
        if judge.engine != "openai":  # one at a time: each fills the memory
            yield from ask_all([_inquiry(context, "judges", judge, _prepare)], LOCAL_SECONDS)


def _prepare(context: CheckContext, definition: ModelDefinition) -> Finding:
    # Its SHA-256 is checked with the other files: here it would be read twice.
    judge = make_judge(_with_short_timeout(definition), lambda _: definition.sha256 or "")
    started = time.monotonic()
    try:
        judge.prepare()
    except RaqError as exc:
        said = split_step(str(exc), _otherwise(definition))
        return finding("judges", definition.name, context.trouble(definition.name), *said)
    finally:
        judge.close()
    text = f"ranked two answers after {time.monotonic() - started:.2f} s"
    if judge.note:
        told, next_step = split_step(judge.note, "")
        return finding("judges", definition.name, Health.WARNING, f"{text}; {told}", next_step)
    return finding("judges", definition.name, Health.OK, text)


def _with_short_timeout(definition: ModelDefinition) -> ModelDefinition:
    """Return a definition for a single request that ends within the time limit here."""
    changes: dict[str, object] = {}
    if definition.openai is not None and definition.engine == "openai":
        changes["timeout"] = min(definition.timeout, 2 * SERVER_SECONDS)
        changes["openai"] = definition.openai.model_copy(update={"max_retries": 0})
    return definition.model_copy(update=changes)
