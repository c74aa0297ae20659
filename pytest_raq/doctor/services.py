"""What answers over a network, or loads a model to judge: each asked once."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_raq.doctor.patient import ANSWER_SECONDS, finding, split_step
from pytest_raq.engines import open_engine
from pytest_raq.errors import RaqError
from pytest_raq.hub.remote import endpoint
from pytest_raq.judging import make_judge
from pytest_raq.records import Answer, Prompt
from pytest_raq.records.doctor import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.config import ModelDefinition
    from pytest_raq.doctor.patient import Patient
    from pytest_raq.records.doctor import Finding

_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
_YES = {"1", "ON", "YES", "TRUE"}
_QUESTION = "Say yes."
_TOKENS = 4


def look_at_hub(patient: Patient) -> Iterator[Finding]:
    """Yield whether the hub can be asked for files, if the project has any there."""
    users = [model.name for model in patient.readable_models if model.source is not None]
    needed = f", needed by {', '.join(users[:3])}" if users else ""
    for name in _OFFLINE:
        if os.environ.get(name, "").upper() in _YES:
            text = f"{name} is set: nothing is fetched, only what the cache holds is used"
            yield finding("hub", "offline", Health.OK, text)
            return
    if patient.offline:
        yield finding("hub", endpoint(), Health.OK, "not asked (--offline)")
        return
    if not users:
        yield finding("hub", endpoint(), Health.OK, "not asked: no model here comes from a hub")
        return
    problem, seconds = _reach(endpoint())
    if problem:
        text = f"cannot be reached ({problem}){needed}"
        step = "check the network and HF_ENDPOINT, or set HF_HUB_OFFLINE=1"
        yield finding("hub", endpoint(), Health.WARNING, text, step)
    else:
        yield finding("hub", endpoint(), Health.OK, f"answered after {seconds:.2f} s{needed}")
    if find_spec("huggingface_hub") is None:
        step = "pip install 'pytest-raq[hub]'"
        yield finding("hub", "huggingface_hub", Health.WARNING, f"not installed{needed}", step)


def _reach(address: str) -> tuple[str, float]:
    """Return why an address does not answer, and after how many seconds it did."""
    started = time.monotonic()
    if not address.startswith(("http://", "https://")):
        return "not an address that starts with https://", 0.0
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310
            pass
    except urllib.error.HTTPError:
        pass  # it answered
    except (OSError, ValueError) as exc:
        return str(getattr(exc, "reason", exc)) or type(exc).__name__, 0.0
    return "", time.monotonic() - started


def look_at_servers(patient: Patient) -> Iterator[Finding]:
    """Yield whether each server answers a short question, for the models it runs."""
    for model in patient.readable_models:
        if model.engine == "openai" and not _only_judges(patient, model):
            if patient.offline:
                yield finding("servers", model.name, Health.OK, "not asked (--offline)")
            else:
                yield _ask(patient, model)


def _only_judges(patient: Patient, model: ModelDefinition) -> bool:
    asked = any(model.name in suite.models for suite in patient.readable_suites)
    return model.name in patient.judges and not asked


def _ask(patient: Patient, model: ModelDefinition) -> Finding:
    started = time.monotonic()
    prompt = Prompt("doctor", _QUESTION, chat=model.uses_chat, max_tokens=_TOKENS)
    try:
        with open_engine(_impatient(model)) as engine:
            outcome = next(iter(engine.answers([prompt])))
    except RaqError as exc:
        return finding("servers", model.name, patient.trouble(model.name), *split_step(str(exc)))
    if not isinstance(outcome, Answer):
        told = split_step(outcome.reason)
        return finding("servers", model.name, patient.trouble(model.name), *told)
    assert model.openai is not None
    seconds = time.monotonic() - started
    text = f"{model.openai.model} of {model.openai.base_url} answered after {seconds:.2f} s"
    return finding("servers", model.name, Health.OK, text)


def look_at_judges(patient: Patient) -> Iterator[Finding]:
    """Yield whether each judge that a suite names can be asked."""
    for name in sorted(patient.judges):
        judge = patient.models.get(name)
        if name == "reference":
            yield finding("judges", name, Health.OK, "needs nothing")
        elif judge is None or isinstance(judge, RaqError):
            continue  # told with the definitions
        elif patient.offline and judge.engine == "openai":
            yield finding("judges", name, Health.OK, "not asked (--offline)")
        else:
            yield _prepare(patient, judge)


def _prepare(patient: Patient, definition: ModelDefinition) -> Finding:
    judge = make_judge(_impatient(definition))
    started = time.monotonic()
    try:
        judge.prepare()
    except RaqError as exc:
        step = split_step(str(exc))
        return finding("judges", definition.name, patient.trouble(definition.name), *step)
    finally:
        judge.close()
    text = f"ranked two answers after {time.monotonic() - started:.2f} s"
    if judge.note:
        told, next_step = split_step(judge.note)
        return finding("judges", definition.name, Health.WARNING, f"{text}; {told}", next_step)
    return finding("judges", definition.name, Health.OK, text)


def _impatient(definition: ModelDefinition) -> ModelDefinition:
    """Return a definition that is asked once, and not waited for long."""
    changes: dict[str, object] = {}
    if definition.openai is not None and definition.engine == "openai":
        changes["timeout"] = min(definition.timeout, ANSWER_SECONDS)
        changes["openai"] = definition.openai.model_copy(update={"max_retries": 0})
    return definition.model_copy(update=changes)
