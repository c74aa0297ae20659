"""The JSON file that a shard of a run writes for `raq merge`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from pytest_raq.errors import ConfigError, MeasurementError
from pytest_raq.files import show_path, write_atomically
from pytest_raq.records import Provenance
from pytest_raq.records.plain import plain
from pytest_raq.records.server_identity import changed_fields
from pytest_raq.running.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_raq.running.options import SessionOptions
    from pytest_raq.running.suite_run import SuiteRun

FORMAT = 1
_PROVENANCE = TypeAdapter(Provenance)
_OPTIONS = ("models", "dataset", "sample", "seed", "judge", "swaps")
_COMPARED = ("engine", "build", "file_sha256", "prompt_sha256", "template_sha256", "options")
"""Fields of a model's provenance in which the shards of a run must agree."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One shard as it was read: its options, and what each suite exported."""

    path: Path
    shard: Shard
    options: dict[str, Any]
    exports: dict[str, str]
    provenances: dict[str, Provenance]


def write_shard_file(options: SessionOptions, runs: Sequence[SuiteRun]) -> str:
    """Write the results of a shard and return what was done; raise StoreError if that fails.

    The default file is ``shard-I-of-N.json`` next to the store.
    """
    shard = options.shard
    assert shard is not None
    default = options.store_path.parent / f"shard-{shard.index}-of-{shard.count}.json"
    path = options.json_path or default
    table = {
        "format": FORMAT,
        "shard": asdict(shard),
        "options": {
            "models": list(options.models),
            "dataset": options.dataset,
            "sample": options.sample,
            "seed": options.seed,
            "judge": options.judge,
            "swaps": dict(options.swaps or {}),
        },
        "suites": {
            run.suite.name: {"provenance": plain(run.provenance), "export": run.export()}
            for run in runs
        },
    }
    write_atomically(path, json.dumps(table, indent=1, ensure_ascii=True) + "\n")
    return f"shard {shard} written to {show_path(path)}: raq merge decides, from all shards"


def read_shard_files(paths: Iterable[Path]) -> list[ShardFile]:
    """Return the shards of one run in their order.

    Raises ConfigError for a file that is not a shard, and MeasurementError if a shard
    is missing, is given twice, or was run differently from the others, with the field.
    """
    parts = sorted((_read(path) for path in paths), key=lambda part: part.shard.index)
    first = parts[0]
    for part in parts[1:]:
        _refuse_other(first, part)
    _refuse_gaps(parts)
    return parts


def _read(path: Path) -> ShardFile:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path}: is not JSON: {exc}; give a file of --raq-shard I/N") from exc
    if not isinstance(table, dict) or "shard" not in table:
        raise ConfigError(f"{path}: is not a shard of a run; give a file of --raq-shard I/N")
    if table.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: format is {table.get('format')!r}, not {FORMAT}: write and merge shards"
            " with one version of pytest-raq"
        )
    if table.get("suites") == {}:
        raise ConfigError(f"{path}: holds no suite: run the shard again")
    try:
        return ShardFile(
            path=path,
            shard=Shard(**table["shard"]),
            options={name: table["options"][name] for name in _OPTIONS},
            exports={name: str(suite["export"]) for name, suite in table["suites"].items()},
            provenances={
                name: _PROVENANCE.validate_python(suite["provenance"])
                for name, suite in table["suites"].items()
            },
        )
    except (KeyError, TypeError, AttributeError, ValueError, ValidationError) as exc:
        said = str(exc).splitlines()[0]
        raise ConfigError(f"{path}: is not a complete shard: {said}; run it again") from exc


def _refuse_other(first: ShardFile, part: ShardFile) -> None:
    where = f"{part.path} does not belong to {first.path}"
    if part.shard.count != first.shard.count:
        raise MeasurementError(f"{where}: it is shard {part.shard}, the other {first.shard}")
    for name in first.options.keys() | part.options.keys():
        before, now = first.options.get(name), part.options.get(name)
        if before != now:
            raise MeasurementError(f"{where}: --raq-{name} was {now!r}, in the other {before!r}")
    if part.exports.keys() != first.exports.keys():
        raise MeasurementError(
            f"{where}: it ran {', '.join(part.exports)}, the other {', '.join(first.exports)}"
        )
    for suite, before_suite in first.provenances.items():
        field = _difference(before_suite, part.provenances[suite])
        if field:
            raise MeasurementError(f"{where}: suite {suite}: provenance.{field}")


def _difference(before: Provenance, now: Provenance) -> str:
    """Return the first field that must be equal in two shards but differs, with both values."""
    if before.fingerprint != now.fingerprint:
        return f"fingerprint is {now.fingerprint[:12]}, in the other {before.fingerprint[:12]}"
    if before.judge != now.judge:
        return f"judge is {now.judge}, in the other {before.judge}"
    for model in sorted(before.models.keys() | now.models.keys()):
        then, today = before.models.get(model), now.models.get(model)
        for field in _COMPARED:
            was, is_now = getattr(then, field, None), getattr(today, field, None)
            # Details of an engine are not known if every answer came from the store.
            if was != is_now and was and is_now:
                return f"models.{model}.{field} is {is_now}, in the other {was}"
        for change in changed_fields(then.identity, today.identity) if then and today else ():
            return (
                f"models.{model}.identity.{change.field} is {change.now}, in the other"
                f" {change.before}"
            )
    return ""


def _refuse_gaps(parts: Sequence[ShardFile]) -> None:
    count = parts[0].shard.count
    found = [part.shard.index for part in parts]
    twice = [part for part in parts if found.count(part.shard.index) > 1]
    if twice:
        raise MeasurementError(
            f"{twice[0].path} and {twice[1].path} are both shard {twice[0].shard}"
        )
    missing = sorted(set(range(1, count + 1)) - set(found))
    if missing:
        raise MeasurementError(
            f"shard{'s' * (len(missing) > 1)} {', '.join(map(str, missing))} of {count}"
            f" {'are' if len(missing) > 1 else 'is'} missing: give the files of all shards"
        )
