"""The models and judges of a run: those of the suite, a selection, or swapped ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import load_model, nearest, suite_names
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.instruction_sets import require_instruction_set
from pytest_raq.errors import ConfigError
from pytest_raq.files import write_atomically
from pytest_raq.hub import HubUnreachableError, Job, Puller, parse_target
from pytest_raq.running.options import split_names
from pytest_raq.text import size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_raq.config import ModelDefinition, SourceSettings, SuiteDefinition
    from pytest_raq.running.options import SessionOptions


_PAUSE = 0.5
"""Seconds between two progress messages about a transfer."""

HUB_FOLDER = "hub"
"""Folder next to the store for files that a swap names by a hub id."""


def refuse_unknown(option: str, names: Iterable[str], suite: SuiteDefinition) -> None:
    """Raise ConfigError when an option names a model that a suite does not have."""
    for name in names:
        if name not in suite.models:
            raise ConfigError(
                f"{option}: suite {suite.name} has no model {name!r}"
                f"{nearest(name, suite.models, 'it has')}"
            )


def nearest_target(path: Path, models_folder: Path) -> str:
    """Return the definition or GGUF file whose name is nearest to a wrong target of a swap.

    Empty if no name is similar.
    """
    beside = [str(file) for file in path.parent.glob("*.gguf")]
    hint = nearest(str(path), beside) if path.suffix else ""
    hint = hint if "did you mean" in hint else nearest(path.name, suite_names(models_folder))
    return hint if "did you mean" in hint else ""


class ModelSelection:
    """The models of a suite, changed by the options of a run.

    ``digest`` returns the SHA-256 of a file, possibly from memory; ``told``
    receives progress messages about the transfer of a hub file. ``notices``
    says what a reader should know apart from the results.
    """

    def __init__(
        self,
        options: SessionOptions,
        digest: Callable[[Path], str],
        told: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._options = options
        self._digest = digest
        self._told = told
        self._last_told = 0.0
        self.notices: list[str] = []

    def models(self, suite: SuiteDefinition) -> dict[str, ModelDefinition]:
        """Return what is run for each model; raise UsageError if that is not possible."""
        swaps = dict(self._options.swaps or {})
        refuse_unknown("--raq-swap", swaps, suite)
        found = {}
        for name in suite.models:
            model = asked_by(suite, self.swapped(self._load(name), swaps.get(name)))
            found[name] = self._as_typed(model)
        return found

    def single(self, suite: SuiteDefinition, text: str) -> ModelDefinition:
        """Return a model, of this suite or not, for its questions: ``NAME`` or ``NAME=TARGET``.

        Raises ConfigError if it has no file of its own, or no file yet.
        """
        model, name = self.named(suite, text), text.partition("=")[0]
        if model.engine != "llama-cpp":
            raise ConfigError(f'{model.path}: engine = "{model.engine}" has no file to quantize')
        if model.source and not model.file_path.exists():
            raise ConfigError(f"{name} has no file yet: run raq models pull {name}")
        return model

    def named(self, suite: SuiteDefinition, text: str) -> ModelDefinition:
        """Return a model for a suite's questions, maybe behind a server: ``NAME[=TARGET]``."""
        name, _, target = text.partition("=")
        model = asked_by(suite, self.swapped(self._load(name), target or None, option=""))
        return self._as_typed(model)

    def originals(self, suite: SuiteDefinition) -> dict[str, ModelDefinition]:
        """Return changed models without the change, each under a separate name."""
        changed = suite.models if self._options.python else (self._options.swaps or {})
        found = {
            name: self._reproducible(asked_by(suite, self._load(name)))
            for name in suite.models
            if name in changed
        }
        return {
            name: model.model_copy(update={"name": f"{name} (accepted)"})
            for name, model in found.items()
        }

    def _load(self, name: str) -> ModelDefinition:
        model = load_model(self._options.models_folder, name)
        return model.model_copy(update={"python_allowed": self._options.allow_python})

    def _as_typed(self, model: ModelDefinition) -> ModelDefinition:
        """Return the model with the options of the run applied."""
        if self._options.parallel is not None:
            model = model.model_copy(update={"parallel": self._options.parallel})
        return self._under_python(self._reproducible(model))

    def _reproducible(self, model: ModelDefinition) -> ModelDefinition:
        return reproducible(model) if self._options.reproducible else model

    def _under_python(self, model: ModelDefinition) -> ModelDefinition:
        """Return the model under the engine on trial; raise ConfigError if it cannot be used."""
        if model.engine == "llama-cpp" and self._options.python:
            named = {"python": str(self._options.python), "python_allowed": True}
            model = model.model_copy(update=named)
        other = model.python_path if model.engine == "llama-cpp" else None
        if other and not self._options.collects:
            find_environment(other)
        return model

    def swapped(
        self, model: ModelDefinition, target: str | None, *, option: str = "--raq-swap "
    ) -> ModelDefinition:
        """Return a model as it is run: from another file or definition, with its name.

        ``target`` is the name of a definition, the path of a file, or
        ``hf:ORG/REPO/FILE`` on a hub, which is pulled first.
        """
        if target is None:
            return model
        folder = self._options.models_folder
        if Path(target).name == target and (folder / f"{target}.toml").is_file():
            return self._load(target).model_copy(update={"name": model.name})
        if source := parse_target(target):
            return self._pulled(model, source)
        path = (self._options.start / Path(target).expanduser()).absolute()
        if not path.is_file():
            raise ConfigError(
                f"{option}{model.name}={target}: {path} is not a file,"
                f" and {folder} has no definition {target!r}{nearest_target(path, folder)}"
            )
        return model.model_copy(update={"file": str(path), "sha256": None})

    def _pulled(self, model: ModelDefinition, source: SourceSettings) -> ModelDefinition:
        place = self._options.store_path.parent / HUB_FOLDER / source.repo.replace("/", "--")
        path = (place / source.revision.replace("/", "--") / source.filename).absolute()
        stamp = path.with_name(f"{path.name}.sha256")
        # This command owns the file: it is replaced if the revision has moved.
        puller = Puller([self._options.store_path.parent], self._digest, force=True)
        try:
            job = puller.plan(Job(model.name, source, path))
        except HubUnreachableError as exc:
            sha256 = self._pulled_before(path, stamp)
            if not sha256:
                raise
            self.notices.append(f"{path} is used as pulled before: {exc.__cause__ or exc}")
        else:
            puller.require_room([job])
            sha256 = puller.pull(job, self._steps).sha256
            write_atomically(stamp, sha256)
        return model.model_copy(update={"file": str(path), "sha256": sha256})

    def _pulled_before(self, path: Path, stamp: Path) -> str:
        """Return the SHA-256 of a file that an earlier run pulled; empty if there is none."""
        if not (path.is_file() and stamp.is_file()):
            return ""
        sha256 = stamp.read_text(encoding="ascii", errors="replace").strip()
        return sha256 if self._digest(path) == sha256 else ""

    def _steps(self, name: str, done: int, size: int | None) -> None:
        now = time.monotonic()
        if now - self._last_told >= _PAUSE:
            self._last_told = now
            whole = f" of {size_text(size)}" if size is not None else ""
            self._told(f"{name}, {size_text(done)}{whole} from the hub")


def refuse_missing(suite: SuiteDefinition, models: Mapping[str, ModelDefinition]) -> None:
    """Raise ConfigError if files from a hub are missing: nothing is asked without them."""
    missing = [
        name for name, model in models.items() if model.file and not model.file_path.exists()
    ]
    if any(models[name].source for name in missing):
        count = f"{len(missing)} of {len(models)} models" if len(models) > 1 else "the model"
        verb = "have" if len(missing) > 1 else "has"
        raise ConfigError(
            f"suite {suite.name}: {count} {verb} no file yet ({', '.join(missing)}):"
            f" run raq models pull --suite {suite.name}"
        )


def refuse_other_instructions(models: Iterable[ModelDefinition]) -> None:
    """Raise ConfigError if a model asks for an instruction set that its llama.cpp does not have."""
    for model in models:
        if model.instruction_set:
            other = model.python_path
            require_instruction_set(model, find_environment(other).python if other else None)


def asked_by(suite: SuiteDefinition, model: ModelDefinition) -> ModelDefinition:
    """Return a model with the prompt and the settings that the suite sets for all its models."""
    model = model if suite.prompt is None else model.with_prompt(suite.prompt)
    model = model.model_copy(update=suite.generation.model_dump(exclude_none=True))
    if suite.instruction_set and model.engine == "llama-cpp":
        model = model.model_copy(update={"instruction_set": suite.instruction_set})
    return reproducible(model) if suite.reproducible else model


def reproducible(model: ModelDefinition) -> ModelDefinition:
    """Return a model that answers the same in any batch; of a server that cannot be asked."""
    return model.model_copy(update={"reproducible": model.engine == "llama-cpp"})


def judge_names(text: str) -> tuple[str, ...]:
    """Return the names of judges from an option: one, or several as A,B,C."""
    names = split_names(text)
    if not names:
        raise ConfigError(f"--raq-judge {text!r}: name a judge, or several as A,B,C")
    return names
