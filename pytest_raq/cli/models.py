"""``raq models`` and ``raq quantize``: the files of models."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_folder_options, add_json_option
from pytest_raq.cli.output import ExitCode, say, warn, write_result
from pytest_raq.errors import ConfigError, HubError, MeasurementError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.llamacpp.quantizer import QuantizedFile
    from pytest_raq.hub import Job, Pulled


def add_pull_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add ``raq models pull``."""
    text = "get the files of models from a hub, checked by their SHA-256"
    parser = actions.add_parser(
        "pull",
        help=text,
        description=text,
        epilog="HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and HF_HOME are respected",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="these models")
    parser.add_argument(
        "--suite", action="append", default=[], help="the models and judges of this suite"
    )
    parser.add_argument("--all", action="store_true", help="every model with a [source]")
    add_folder_options(parser, "suites")
    parser.add_argument(
        "--pin",
        action="store_true",
        help="write the SHA-256 and the commit of each file into its definition",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a file that differs from the hub's"
    )
    parser.add_argument(
        "--into",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="also write into this folder outside the project (repeatable)",
    )
    parser.set_defaults(command=_pull)
    return parser


def _pull(options: argparse.Namespace) -> int:
    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.hub import Puller, hub_cache, project_folder

    models = _chosen(options)
    folders = (project_folder(options.folder), hub_cache(), *options.into)
    puller, progress = Puller(folders, force=options.force), CommandProgress()
    problems: list[str] = []
    jobs: list[tuple[ModelDefinition, Job]] = []
    for model in models:
        try:
            jobs.append((model, puller.plan(_job(model))))
        except HubError as exc:
            problems.append(str(exc))
    puller.require_room([job for _, job in jobs])
    for model, job in jobs:
        try:
            pulled = puller.pull(job, _Steps(progress))
        except HubError as exc:
            problems.append(str(exc))
        else:
            progress.clear()
            _tell(model, pulled, pin=options.pin)
        finally:
            progress.clear()
    if len(problems) == len(models) == 1:
        raise HubError(problems[0])
    for problem in problems:
        warn(problem)
    if problems:
        raise HubError(f"{len(problems)} of {len(models)} models could not be pulled")
    return ExitCode.FINE


def _chosen(options: argparse.Namespace) -> list[ModelDefinition]:
    """Return the models to pull; ConfigError names one that has no place to get it from."""
    from pytest_raq.config import load_model, load_suite, suite_names

    names = list(options.names)
    asked = set(names)
    known = suite_names(options.folder)
    for name in options.suite:
        suite = load_suite(options.suites_folder, name)
        names += [*suite.models, *(judge for judge in suite.judges if judge in known)]
    if options.all:
        names += known
    if not names:
        raise ConfigError("raq models pull: name models, or --suite NAME, or --all")
    models = [load_model(options.folder, name) for name in dict.fromkeys(names)]
    for model in models:
        if model.name in asked and (model.source is None or model.file is None):
            raise ConfigError(
                f"{model.path}: has no [source] to pull it from: write repo and filename there"
            )
    return [model for model in models if model.source is not None and model.file is not None]


def _job(model: ModelDefinition) -> Job:
    from pytest_raq.hub import Job

    assert model.source is not None
    return Job(model.name, model.source, model.file_path, model.sha256 or "")


class _Steps:
    """Shows how much of a file is here, its speed, and the time left."""

    def __init__(self, progress: CommandProgress) -> None:
        self._progress = progress
        self._started = time.monotonic()
        self._first: int | None = None

    def __call__(self, name: str, done: int, size: int | None) -> None:
        from pytest_raq.report import format_seconds
        from pytest_raq.text import size_text

        self._first = done if self._first is None else self._first
        rate = (done - self._first) / max(time.monotonic() - self._started, 1e-3)
        text = f"{name}: {size_text(done)}"
        if size is not None:
            text += f" of {size_text(size)}"
        if rate > 0:
            text += f", {size_text(rate)}/s"
            if size is not None:
                text += f", {format_seconds((size - done) / rate)} left"
        self._progress.show(text)


def _tell(model: ModelDefinition, pulled: Pulled, *, pin: bool) -> None:
    from pytest_raq.hub.pull import pin as pin_definition
    from pytest_raq.hub.pull import pin_lines
    from pytest_raq.text import size_text

    how = "is complete" if pulled.how == "complete" else f"pulled {pulled.how}".strip()
    how = how.removesuffix(" fetched")
    say(f"{model.name}: {how}: {model.file_path}, {size_text(pulled.size)}")
    commit = pulled.job.remote.commit if pulled.job.remote else ""
    is_pinned = model.sha256 == pulled.sha256 and (
        not commit or (model.source is not None and model.source.revision == commit)
    )
    if pin and not is_pinned:
        pin_definition(model.path, pulled.sha256, commit)
        say(f"  pinned in {model.path}")
    elif model.sha256 is None:
        say(f"  pin it in {model.path}: {pin_lines(pulled.sha256, commit)}")


def add_models_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq models list``, ``raq models verify`` and ``raq models pull``."""
    parser = commands.add_parser("models", help="list, verify and pull models")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, help_text, command in (
        ("list", "list every definition with its file, and whether the file exists", _list),
        ("verify", "check that every file exists and has the right SHA-256", _verify),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument("names", nargs="*", metavar="NAME", help="only these models")
        add_folder_option(action)
        action.set_defaults(command=command)
    add_folder_option(add_pull_action(actions))


def add_folder_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--folder FOLDER``."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("models"),
        help="folder of the definitions (default: models)",
    )


def _definitions(options: argparse.Namespace) -> Iterator[ModelDefinition]:
    from pytest_raq.config import load_model, suite_names

    if not options.folder.is_dir():
        raise ConfigError(f"{options.folder}: is not a folder; name it with --folder")
    names = options.names or suite_names(options.folder)
    if not names:
        raise ConfigError(f"{options.folder}: holds no definition; a model is a file NAME.toml")
    for name in names:
        yield load_model(options.folder, name)


def _list(options: argparse.Namespace) -> int:
    for model in _definitions(options):
        place = str(model.file_path) if model.file else getattr(model.openai, "base_url", "")
        say(f"{model.name}: {model.engine}, {place}{_state(model)}")
    return ExitCode.FINE


def _state(model: ModelDefinition) -> str:
    from pytest_raq.text import size_text

    if model.file is None:
        return ""
    if _is_not_pulled(model):
        return f", not pulled (raq models pull {model.name})"
    problem = _problem(model)
    if problem and not model.file_path.is_file():
        return ", missing"
    size = size_text(model.file_path.stat().st_size)
    known = "present" if model.sha256 else "present, no sha256 to check it against"
    return f", {size}, {'does not match sha256' if problem else known}"


def _is_not_pulled(model: ModelDefinition) -> bool:
    """Whether there is no file yet, but a place to get it from."""
    return model.file is not None and model.source is not None and not model.file_path.exists()


def _verify(options: argparse.Namespace) -> int:
    problems = 0
    for model in _definitions(options):
        if _is_not_pulled(model):
            # A named model is reported even if it was not pulled.
            problems += bool(options.names)
            say(f"{model.name}: not pulled (raq models pull {model.name})")
            continue
        problem = _problem(model)
        problems += bool(problem)
        say(f"{model.name}: {problem or _fine(model)}")
    if problems:
        raise MeasurementError(f"{problems} of the models cannot run as they are defined")
    return ExitCode.FINE


def _fine(model: ModelDefinition) -> str:
    is_checked = model.file is None or model.sha256 is not None
    return "fine" if is_checked else "present; the definition has no sha256 to check it against"


def _problem(model: ModelDefinition) -> str:
    if model.file is None:
        return ""
    try:
        with model.file_path.open("rb") as file:
            if model.sha256 is None:
                return ""
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return f"{model.file_path}: {exc.strerror}"
    if digest != model.sha256:
        return f"{model.file_path}: SHA-256 is {digest}, the definition says {model.sha256}"
    return ""


def add_quantize_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq quantize``."""
    text = "write a GGUF file in another type, by llama.cpp's own quantizer"
    parser = commands.add_parser("quantize", help=text, description=text)
    parser.add_argument("file", type=Path, metavar="FILE", help="the GGUF file, best at F16 or F32")
    parser.add_argument("--to", required=True, metavar="TYPE", help="Q8_0, Q4_K_M, Q2_K, …")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the new file (default: NAME-TYPE.gguf beside it)"
    )
    parser.add_argument("--force", action="store_true", help="replace the new file if it exists")
    add_json_option(parser)
    parser.set_defaults(command=_quantize)


def _quantize(options: argparse.Namespace) -> int:
    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.engines.llamacpp.quantizer import Quantizer, plain_name
    from pytest_raq.records.plain import plain

    progress = CommandProgress()
    with Quantizer(options.file) as quantizer:
        kind = quantizer.kind(options.to)
        target = options.out or options.file.with_name(
            f"{plain_name(options.file, quantizer.source.quantization)}-{kind}.gguf"
        )
        _refuse(options.file, target, force=options.force)
        try:
            made = quantizer.quantize(
                kind,
                target,
                lambda done, total: progress.show(f"{target.name}: tensor {done} of {total}"),
            )
        finally:
            progress.clear()
        write_result(_lines(made, quantizer.source.quantization), plain(_table(made)), options.json)
    return ExitCode.FINE


def _refuse(source: Path, target: Path, *, force: bool) -> None:
    """Raise ConfigError if the new file must not be written.

    Its folder is made first: ``sub/../r.gguf`` is no file before ``sub`` exists.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{target}: cannot be written: {exc.strerror or exc}") from exc
    if target.is_dir():
        raise ConfigError(f"--out {target}: is a folder; name the file")
    if target.exists() and target.samefile(source):
        raise ConfigError(f"--out {target}: is the file to be quantized; name another")
    if target.exists() and not force:
        raise ConfigError(f"{target}: exists; replace it with --force, or name another with --out")


def _lines(made: QuantizedFile, quantization: str) -> list[str]:
    from pytest_raq.text import size_text

    share = 100 * made.bytes / made.source_bytes
    before = f"{size_text(made.source_bytes)}{f' ({quantization})' * bool(quantization)}"
    head = f"{made.path}: {before} → {size_text(made.bytes)} ({made.kind}), {share:.0f} %"
    return [head, *(f"note: {note}" for note in made.notes)]


def _table(made: QuantizedFile) -> dict[str, object]:
    return {
        "file": str(made.path),
        "type": made.kind,
        "bytes": made.bytes,
        "source_bytes": made.source_bytes,
        "notes": list(made.notes),
    }
