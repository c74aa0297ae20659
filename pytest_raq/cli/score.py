"""``raq score``: how likely texts are for a model, without generating any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_trial_options, session_options
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path

if TYPE_CHECKING:
    import argparse


def add_score_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq score``."""
    text = "measure how likely the references are for a model; nothing is generated"
    parser = commands.add_parser(
        "score",
        help=text,
        description=text,
        epilog="exit codes: 0 scored, 2 usage, 3 nothing could be scored",
    )
    parser.add_argument("suite", metavar="SUITE", help="score the references of this suite")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a definition; MODEL=FILE for another file, as with --raq-swap",
    )
    parser.add_argument(
        "--from",
        dest="texts",
        type=Path,
        metavar="FILE",
        help="score these texts: one object per line with id, and answer or text",
    )
    parser.add_argument(
        "--to",
        default="",
        metavar="TYPES",
        help="make these quantizations too, e.g. Q8_0,Q4_K_M, and compare them with the model",
    )
    add_trial_options(parser, has_suite=False)
    parser.set_defaults(command=_score)


def _score(options: argparse.Namespace) -> int:
    from contextlib import closing

    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.records.plain import plain
    from pytest_raq.report.terminal.scoring import scoring_lines
    from pytest_raq.running import Session, split_names
    from pytest_raq.trials.scoring import score_model

    texts = None if options.texts is None else read_texts(options.texts)
    progress = CommandProgress()
    with closing(Session(session_options(options), progress=progress)) as session:
        try:
            scoring = score_model(
                session,
                options.suite,
                options.model,
                kinds=split_names(options.to) if options.to else (),
                texts=texts,
                teller=progress,
            )
        finally:
            progress.clear()
        notices = session.notices
    result = {"format": 1, "scores": plain(scoring)}
    write_result([*scoring_lines(scoring), *notices], result, options.json)
    scored = all(each.scored for each in scoring.files)
    return ExitCode.FINE if scored else ExitCode.NOT_MEASURED


def read_texts(path: Path) -> dict[str, list[str]]:
    """Return the texts of a JSON Lines file by question id; ConfigError names the line."""
    where = show_path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{where}: cannot be read: {exc}; give a JSON Lines file") from exc
    texts: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            name, text = str(row["id"]), row["text"] if "text" in row else row["answer"]
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise ConfigError(
                f"{where}:{number}: is not an object with id and answer: correct the line"
            ) from exc
        texts.setdefault(name, []).append(str(text).strip())
    if not texts:
        raise ConfigError(f"{where}: holds no text: write one object per line, with id and answer")
    return {name: list(dict.fromkeys(items)) for name, items in texts.items()}
