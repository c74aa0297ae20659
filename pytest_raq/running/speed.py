"""The speed of a run: what a model is timed with, and what can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_raq.answering.identity import libraries_sha256
from pytest_raq.answering.prompts import question_prompt
from pytest_raq.errors import ConfigError
from pytest_raq.records import AcceptedSpeed
from pytest_raq.speed.timed_model import FreshModel, OpenModel
from pytest_raq.speed.turns import ACCEPTED, YARDSTICK, TurnProbe
from pytest_raq.speed.yardstick import yardstick_model, yardstick_prompt, yardstick_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.answering import EnginePool, ModelAnswers
    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import ModelProvenance, Prompt, Question, SpeedMeasurement
    from pytest_raq.running.accepted_models import AcceptedModels
    from pytest_raq.running.run_parts import RunParts
    from pytest_raq.running.variants import Variants
    from pytest_raq.speed.timed_model import TimedModel

_ENGINE = "llama-cpp"

OBSTACLES = {
    "old": "the baseline has seconds of an earlier version; accept it again to compare speed",
    "not measured": "the baseline was accepted in a run that did not measure speed",
    "unknown machine": "the baseline was accepted on a machine that is not known",
    "yardstick": "the baseline has ratios to another yardstick model; accept it again",
    "machine": "the baseline was accepted on another machine",
}
"""Why the speed that was accepted cannot be compared with today's."""


@dataclass(frozen=True, slots=True)
class SpeedSource:
    """Where the models come from that are timed in turns.

    ``pool`` loads files, ``models`` finds accepted ones; ``originals`` are the answers of
    swapped models without the swap.
    """

    pool: EnginePool
    models: AcceptedModels
    originals: Mapping[str, ModelAnswers] = field(default_factory=dict)


class RunSpeed:
    """Knows what the speed of each model of a run can be compared with.

    With ``accepts`` the run becomes the accepted state: the yardstick is then timed in any case.
    """

    def __init__(self, parts: RunParts, variants: Variants, source: SpeedSource) -> None:
        self._parts, self._variants, self._pool = parts, variants, source.pool
        self._models, self._originals = source.models, source.originals
        self.accepts = False

    def probe(self, model: str) -> TurnProbe:
        """Return the probe of a model, with what it is timed in turns with."""
        answers = self._parts.answers.of(model)
        if answers.model.engine != _ENGINE:
            return self._server_probe(model, answers)
        if model in self.unchanged() and not self.accepts:
            fastest = self._variants.fastest(answers)
            return TurnProbe(OpenModel(fastest), self._questions, {})
        today = _fastest(answers.model)
        companions: dict[str, TimedModel] = {}
        accepted, note = self._accepted(model)
        if accepted is not None:
            companions[ACCEPTED] = self._fresh(_fastest(accepted))
        yardstick = yardstick_model(today.python and str(today.python_path), today.threads)
        companions[YARDSTICK] = FreshModel(yardstick, self._pool.open_fresh, yardstick_prompt)
        return TurnProbe(self._fresh(today), self._questions, companions, note=note)

    def _server_probe(self, model: str, answers: ModelAnswers) -> TurnProbe:
        original = self._originals.get(model)
        companions: dict[str, TimedModel] = {}
        if original is not None:
            companions[ACCEPTED] = OpenModel(original)
        return TurnProbe(OpenModel(answers), self._questions, companions)

    def timed(self, model: str) -> FreshModel | OpenModel:
        """Return a model that is timed in turns with others, outside of a probe."""
        answers = self._parts.answers.of(model)
        if answers.model.engine != _ENGINE:
            return OpenModel(answers)
        return self._fresh(_fastest(answers.model))

    @property
    def _questions(self) -> Sequence[Question]:
        return self._parts.questions.questions

    def _fresh(self, model: ModelDefinition) -> FreshModel:
        return FreshModel(model, self._pool.open_fresh, partial(self._prompt, model))

    def _prompt(self, model: ModelDefinition, question_id: str) -> Prompt:
        return question_prompt(model, self._parts.by_id[question_id])

    def _accepted(self, model: str) -> tuple[ModelDefinition | None, str]:
        """Return the accepted model if it is here and was changed, else why it is not timed."""
        before, today = self._before(model), self._parts.answers.of(model).model
        if before is None or model in self.unchanged() or self._parts.problems()[model]:
            return None, ""
        found, why = self._models.find(today, before, self._accepted_speed(model))
        if found is None:
            return None, why
        sizes = [found.file_path.stat().st_size]
        if today.file:
            sizes.append(today.file_path.stat().st_size)
        if not self._pool.fits(sizes):
            return None, "the accepted file and today's do not fit into memory together"
        return found, ""

    def _before(self, model: str) -> ModelProvenance | None:
        comparable = self._parts.comparison.comparable
        return comparable.provenance.models.get(model) if comparable else None

    def _accepted_speed(self, model: str) -> AcceptedSpeed | None:
        comparable = self._parts.comparison.comparable
        return comparable.accepted_speeds.get(model) if comparable else None

    def unchanged(self) -> frozenset[str]:
        """Return the models of which nothing that makes speed has changed.

        These are the file, the libraries of llama.cpp, the Python that has them and the
        threads. Of a server that cannot be known.
        """
        return frozenset(filter(self._is_unchanged, self._parts.answers.models))

    def _is_unchanged(self, model: str) -> bool:
        before, answers = self._before(model), self._parts.answers.of(model)
        if answers.given:  # from shards, which knew
            return self._parts.speeds.of(model).is_unchanged
        if before is None or answers.model.engine != _ENGINE:
            return False
        now = answers.provenance
        if (before.engine, before.file_sha256) != (now.engine, now.file_sha256 or None):
            return False
        # Compiled on another machine, the same build has other bytes and the same description.
        return self._runs_alike(model, before, same_build=before.build == now.build)

    def _runs_alike(self, model: str, before: ModelProvenance, *, same_build: bool) -> bool:
        known, now = self._accepted_speed(model), self.today(model)
        if known is None or not known.libraries:
            return same_build and before.options.get("threads", now.threads) == now.threads
        is_engine = same_build or known.libraries == now.libraries
        return is_engine and (known.python, known.threads) == (now.python, now.threads)

    def today(self, model: str) -> AcceptedSpeed:
        """Return what would be accepted of a model's speed."""
        answers, measured = self._parts.answers.of(model), self._parts.speeds.of(model)
        if answers.model.engine != _ENGINE:
            return AcceptedSpeed(samples=measured.samples)
        if not answers.given:
            measured = self.describe(model, measured)
        return AcceptedSpeed(
            libraries=measured.libraries,
            python=measured.python,
            threads=measured.threads,
            yardstick=yardstick_sha256() if measured.yardstick else "",
            ratios=measured.yardstick,
        )

    def describe(self, model: str, measured: SpeedMeasurement) -> SpeedMeasurement:
        """Return a measurement of this process with what ran the model."""
        definition = self._parts.answers.of(model).model
        return replace(
            measured,
            libraries=self._libraries(definition),
            python=definition.python or "",
            threads=definition.threads or 0,
        )

    def accepted_next(self, *, same_machine: bool) -> dict[str, AcceptedSpeed]:
        """Return what would be accepted, by model.

        Where speed was not measured, the ratios that were accepted before stay, if nothing
        has changed, on the same machine.
        """
        unchanged = self.unchanged() if same_machine else frozenset()
        found = {}
        for model in self._parts.answers.models:
            now, before = self.today(model), self._accepted_speed(model)
            keeps = before is not None and model in unchanged and not now.ratios
            found[model] = before if keeps and before is not None else now
        return found

    def _libraries(self, model: ModelDefinition) -> str:
        try:
            return libraries_sha256(model, self._models.store.file_hashes.sha256)
        except ConfigError:  # an environment that is gone: the engine reports it
            return ""

    def obstacles(self, *, same_machine: bool | None) -> dict[str, str]:
        """Return why the speed that was accepted cannot be compared with today's, by model."""
        found = {
            model: self._obstacle(model, same_machine=same_machine)
            for model in self._parts.answers.models
        }
        return {model: why for model, why in found.items() if why}

    def _obstacle(self, model: str, *, same_machine: bool | None) -> str:
        known = self._accepted_speed(model)
        if known is None:
            return OBSTACLES["old"]
        is_server = self._parts.answers.of(model).model.engine != _ENGINE
        if not (known.samples if is_server else known.ratios):
            return OBSTACLES["not measured"]
        if same_machine is None:
            return OBSTACLES["unknown machine"]
        if not same_machine:
            return OBSTACLES["machine"]
        if not is_server and known.yardstick != yardstick_sha256():
            return OBSTACLES["yardstick"]
        return ""


def _fastest(model: ModelDefinition) -> ModelDefinition:
    """Return a model with the fastest kernels: reproducible answers need other ones."""
    return model.model_copy(update={"reproducible": False}) if model.reproducible else model
