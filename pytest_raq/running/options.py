"""The options of a run, from the command line or from pytest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.files import data_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_raq.running.shards import Shard

_SUFFIXES = {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".toml"}


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The options of a run; paths are absolute.

    ``swaps`` maps a model to the file, the name of the definition, or the hub
    id that is run in its place; ``python`` is the Python of another environment
    that runs the models, ``start`` the folder to which relative paths refer. ``allow_python``
    says that the ``python`` of definitions may be run; a run that only ``collects`` tests starts
    nothing. ``base`` is the revision whose suites, questions, judges and baselines decide.
    """

    suites_folder: Path
    models_folder: Path
    baselines_folder: Path
    store_path: Path
    suites: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    dataset: str = ""
    sample: int | None = None
    seed: int | None = None
    judge: str = ""
    swaps: Mapping[str, str] | None = None
    python: Path | None = None
    parallel: int | None = None
    reproducible: bool = False
    allow_python: bool = False
    collects: bool = False
    base: str = ""
    update: bool = False
    anchor: bool = False
    reason: str = ""
    fresh: bool = False
    shard: Shard | None = None
    json_path: Path | None = None
    start: Path = Path()
    report_path: Path | None = None
    markdown_path: Path | None = None
    metrics_path: Path | None = None

    def describe(self) -> dict[str, str]:
        """Return the given options that change what is measured: option → value."""
        values = {
            "--raq-models": ",".join(self.models),
            "--raq-dataset": self.dataset,
            "--raq-sample": "" if self.sample is None else str(self.sample),
            "--raq-seed": "" if self.seed is None else str(self.seed),
            "--raq-judge": self.judge,
            "--raq-swap": ",".join(f"{name}={file}" for name, file in (self.swaps or {}).items()),
            "--raq-python": str(self.python or ""),
            "--raq-allow-python": "yes" if self.allow_python else "",
            "--raq-parallel": str(self.parallel or ""),
            "--raq-reproducible": "yes" if self.reproducible else "",
            "--raq-shard": f"{self.shard.index}/{self.shard.count}" if self.shard else "",
            "--raq-fresh": "yes" if self.fresh else "",
            "--raq-base": self.base,
            "--raq-update": "yes" if self.update else "",
            "--raq-anchor": "yes" if self.anchor else "",
        }
        return {option: value for option, value in values.items() if value}

    @property
    def accepts(self) -> bool:
        """Whether the run becomes the accepted state."""
        return self.update or self.anchor

    def refuse_impossible(self) -> None:
        """Raise ConfigError if a number is out of range, or a reason is missing."""
        if self.anchor and not self.reason.strip():
            raise ConfigError(
                "--raq-anchor: name the release or say why it moves, with --raq-reason TEXT"
            )
        if self.parallel is not None and self.parallel < 1:
            raise ConfigError(f"--raq-parallel {self.parallel}: give 1 or more")

    def refuse_unwritable(self) -> None:
        """Raise ConfigError, before a long run, if an output path cannot be a file."""
        for option, path in (
            ("--raq-json", self.json_path),
            ("--raq-report", self.report_path),
            ("--raq-markdown", self.markdown_path),
            ("--raq-metrics", self.metrics_path),
        ):
            if path is not None and path.is_dir():
                raise ConfigError(f"{option} {path}: is a folder; give a file")

    def refuse_partial_update(self) -> None:
        """Raise ConfigError if the run would accept something other than the suite."""
        changed = {
            "--raq-models": self.models,
            "--raq-dataset": self.dataset,
            "--raq-sample": self.sample is not None,
            "--raq-seed": self.seed is not None,
            "--raq-judge": self.judge,
            "--raq-swap": self.swaps,
            "--raq-python": self.python,
            "--raq-parallel": self.parallel,
            "--raq-reproducible": self.reproducible,
            "--raq-shard": self.shard,
            "--raq-base": self.base,
        }
        given = [option for option, value in changed.items() if value]
        if self.accepts and given:
            option = "--raq-anchor" if self.anchor else "--raq-update"
            raise ConfigError(
                f"{option} accepts a suite as its files define it and cannot be used with"
                f" {' and '.join(given)}: write the change into suites/ or models/ first"
            )


def parse_swaps(texts: Iterable[str]) -> dict[str, str]:
    """Read ``MODEL=TARGET`` texts; ConfigError names a text of another form."""
    swaps: dict[str, str] = {}
    for text in texts:
        model, equals, target = text.partition("=")
        if not (model and equals and target):
            raise ConfigError(f"--raq-swap {text!r}: write MODEL=FILE, for example llama=new.gguf")
        if model in swaps:
            raise ConfigError(f"--raq-swap names {model} twice")
        swaps[model] = target
    return swaps


def split_names(text: str) -> tuple[str, ...]:
    """Split ``A,B`` into names without spaces and repetitions."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def place_dataset(text: str, start: Path) -> str:
    """Make a path of the command line absolute; return a hub id unchanged."""
    if not text:
        return ""
    path = Path(text).expanduser()
    is_path = (start / path).exists() or data_suffix(path) in _SUFFIXES or text[0] in ".~/"
    return str(start / path) if is_path else text
