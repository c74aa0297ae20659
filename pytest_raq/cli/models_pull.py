"""``raq models pull``: get the files of models from the hub that their definitions name."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.exit_codes import ExitCode
from pytest_raq.errors import ConfigError, HubError

if TYPE_CHECKING:
    import argparse

    from pytest_raq.cli.progress import CommandProgress
    from pytest_raq.config import ModelDefinition
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
        epilog="HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and HF_HOME are honoured",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="these models")
    parser.add_argument(
        "--suite", action="append", default=[], help="the models and judges of this suite"
    )
    parser.add_argument("--all", action="store_true", help="every model with a [source]")
    parser.add_argument(
        "--suites-folder",
        type=Path,
        default=Path("suites"),
        metavar="FOLDER",
        help="folder of the suites (default: suites)",
    )
    parser.add_argument(
        "--pin",
        action="store_true",
        help="write the SHA-256 and the commit of each file into its definition",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a file that is another than the hub's"
    )
    parser.set_defaults(command=_pull)
    return parser


def _pull(options: argparse.Namespace) -> int:
    from pytest_raq.cli.progress import CommandProgress
    from pytest_raq.hub import Puller

    models = _chosen(options)
    puller, progress = Puller(force=options.force), CommandProgress()
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
        sys.stderr.write(f"{problem}\n")
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
    """Tells how far a file is, how fast it comes, and how long the rest takes."""

    def __init__(self, progress: CommandProgress) -> None:
        self._progress = progress
        self._started = time.monotonic()
        self._first: int | None = None

    def __call__(self, name: str, done: int, size: int | None) -> None:
        from pytest_raq.report import format_seconds
        from pytest_raq.report.text import size_text

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
    from pytest_raq.hub.pin import pin as pin_definition
    from pytest_raq.hub.pin import pin_lines
    from pytest_raq.report.text import size_text

    write = sys.stdout.write
    how = "is complete" if pulled.how == "complete" else f"pulled {pulled.how}".strip()
    how = how.removesuffix(" fetched")
    write(f"{model.name}: {how}: {model.file_path}, {size_text(pulled.size)}\n")
    commit = pulled.job.remote.commit if pulled.job.remote else ""
    is_pinned = model.sha256 == pulled.sha256 and (
        not commit or (model.source is not None and model.source.revision == commit)
    )
    if pin and not is_pinned:
        pin_definition(model.path, pulled.sha256, commit)
        write(f"  pinned in {model.path}\n")
    elif model.sha256 is None:
        write(f"  pin it in {model.path}: {pin_lines(pulled.sha256, commit)}\n")
