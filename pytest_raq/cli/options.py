"""Options that several commands have."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from pytest_raq.config import GateSettings
    from pytest_raq.running import SessionOptions


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write the result as JSON; - writes it to standard output, in place of the text",
    )


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--store FILE``."""
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(".raq/store.db"),
        metavar="FILE",
        help="the store of the runs (default: .raq/store.db)",
    )


def add_folder_options(parser: argparse.ArgumentParser, *names: str, what: str = "") -> None:
    """Add ``--NAME-folder FOLDER`` for each of ``suites``, ``models`` and ``baselines``."""
    for name in names:
        parser.add_argument(
            f"--{name}-folder",
            type=Path,
            default=Path(name),
            metavar="FOLDER",
            help=f"folder of the {what or name} (default: {name})",
        )


def whole_number(text: str, *, least: int = 1) -> int:
    """Return a typed number of questions, runs or the like."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
    return int(text)


def whole_number_or_zero(text: str) -> int:
    """Return a typed number that may be 0."""
    return whole_number(text, least=0)


def add_python_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--allow-python``."""
    parser.add_argument(
        "--allow-python",
        action="store_true",
        help="run models under the python that their definitions name",
    )


def add_trial_options(parser: argparse.ArgumentParser, *, has_suite: bool = True) -> None:
    """Add what a session needs to know; ``has_suite`` says that the suite is an option."""
    if has_suite:
        parser.add_argument(
            "--suite", required=True, metavar="NAME", help="ask this suite's questions"
        )
    parser.add_argument("--dataset", default="", metavar="SPEC", help="ask other questions")
    parser.add_argument("--sample", type=whole_number, metavar="N", help="ask N questions")
    parser.add_argument("--seed", type=int, metavar="S", help="the seed that draws the questions")
    parser.add_argument("--judge", default="", metavar="NAME", help="use another judge")
    parser.add_argument("--fresh", action="store_true", help="do not reuse stored answers")
    add_python_option(parser)
    add_folder_options(parser, "suites", "models")
    add_store_option(parser)
    add_json_option(parser)


def session_options(options: argparse.Namespace, **more: object) -> SessionOptions:
    """Return the typed options as those of a session; ``more`` are further ones."""
    from pytest_raq.running import SessionOptions, place_dataset

    here = Path.cwd()
    fields: dict[str, object] = {
        "suites_folder": here / options.suites_folder,
        "models_folder": here / options.models_folder,
        "baselines_folder": here / "baselines",
        "store_path": here / options.store,
        "suites": (options.suite,),
        "dataset": place_dataset(options.dataset, here),
        "sample": options.sample,
        "seed": options.seed,
        "judge": options.judge,
        "fresh": options.fresh,
        "allow_python": options.allow_python,
        "start": here,
    }
    return SessionOptions(**{**fields, **more})  # type: ignore[arg-type]


def add_gate_options(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    """Add the named settings of a suite's ``[gate]`` as options."""
    group = parser.add_argument_group("gate", "as in the [gate] table of a suite")
    for name in names:
        option = "--" + name.replace("_", "-")
        default = _default_settings().model_dump()[name]
        if isinstance(default, str):
            group.add_argument(option, choices=("pass", "fail"), help=f"(default: {default})")
        else:
            group.add_argument(option, type=float, metavar="X", help=f"(default: {default:g})")


def _default_settings() -> GateSettings:
    from pytest_raq.config import GateSettings

    return GateSettings()


def gate_settings(
    options: argparse.Namespace, names: tuple[str, ...], start: GateSettings | None = None
) -> GateSettings:
    """Return ``start`` with the settings that were typed; ConfigError names a wrong one."""
    from pydantic import ValidationError

    from pytest_raq.config import GateSettings

    typed = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in typed.items() if value is not None}
    known = {} if start is None else start.model_dump()
    try:
        return GateSettings.model_validate({**known, **given})
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        option = str(first["loc"][0]).replace("_", "-")
        message = first["msg"].replace("Input should", "should")
        raise ConfigError(f"--{option} {first['input']}: {message}") from exc
