"""Merges the shards of a run: one process decides, from the results of all shards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, MeasurementError
from pytest_raq.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.progress import Progress
    from pytest_raq.running.options import SessionOptions
    from pytest_raq.running.shard_files import ShardFile


def merge_shards(
    parts: Sequence[ShardFile], options: SessionOptions, progress: Progress | None = None
) -> Session:
    """Return a session whose runs hold the results of all shards of a run.

    Suites, questions and baselines are those of the folders in ``options``;
    the options given to the shards apply here too. No model and no model file
    is needed. Raises MeasurementError if the questions here are different.
    """
    first = parts[0]
    typed = first.options
    whole = replace(
        options,
        suites=tuple(first.exports),
        models=tuple(typed["models"]),
        dataset=typed["dataset"],
        sample=typed["sample"],
        seed=typed["seed"],
        judge=typed["judge"],
    )
    # Speed was measured by the first shard, on its machine.
    session = Session(whole, progress=progress, given=first.provenances)
    for name, provenance in first.provenances.items():
        run = session.run(name)
        if run.provenance.fingerprint != provenance.fingerprint:
            raise MeasurementError(
                f"{first.path}: suite {name} asked other questions than {name} here: fingerprint"
                f" {provenance.fingerprint[:12]}, here {run.provenance.fingerprint[:12]}: merge"
                " with the commit that the shards ran"
            )
        for part in parts:
            try:
                run.absorb(part.exports[name])
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
                raise ConfigError(
                    f"{part.path}: suite {name} is not a complete shard"
                    f" ({type(exc).__name__}: {exc}); run it again"
                ) from exc
    return session


def machine_notes(parts: Sequence[ShardFile]) -> Iterator[str]:
    """Yield the shards that ran on other machines than the first, whose speeds are reported."""
    for name, provenance in parts[0].provenances.items():
        for part in parts[1:]:
            other = part.provenances[name].machine
            if dict(other) != dict(provenance.machine):
                told = ", ".join(f"{key} {value}" for key, value in other.items())
                yield f"note: shard {part.shard} of {name} ran on another machine: {told}"
