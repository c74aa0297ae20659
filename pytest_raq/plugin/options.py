"""The options of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def add_options(parser: pytest.Parser) -> None:
    """Add all options of pytest-raq to pytest's parser."""
    group = parser.getgroup("raq", "relative answer quality (pytest-raq)")
    add = group.addoption
    add(
        "--raq-suite",
        action="append",
        default=[],
        metavar="NAME",
        help="run this suite (repeatable); default: every suite with default = true",
    )
    add("--raq-models", default="", metavar="A,B", help="only these models of the suite")
    add(
        "--raq-dataset",
        default="",
        metavar="SPEC",
        help="ask other questions: a SQuAD JSON, JSONL, CSV or Parquet file, a saved dataset,"
        " a hub id, or the TOML file of a suite",
    )
    add("--raq-sample", type=int, metavar="N", help="ask N questions, spread over passages")
    add("--raq-seed", type=int, metavar="S", help="the seed that draws the questions")
    add(
        "--raq-judge",
        default="",
        metavar="NAME",
        help="use another judge, or a panel of judges: A,B,C",
    )
    add(
        "--raq-swap",
        action="append",
        default=[],
        metavar="MODEL=FILE",
        help="the upgrade under test: run MODEL from FILE, another definition, or"
        " hf:ORG/REPO/FILE[@REVISION] of a hub (repeatable)",
    )
    add(
        "--raq-python",
        metavar="PATH",
        help="the engine under test: run the models under the llama-cpp-python of this python"
        " or virtual environment",
    )
    add(
        "--raq-allow-python",
        action="store_true",
        help="run models under the python that their definitions name; only for definitions that"
        " you have read, because it can be any program",
    )
    add(
        "--raq-base",
        default="",
        metavar="REV",
        help="judge by the suites, questions, judges and baselines of this git revision, e.g."
        " origin/main; only the models are those of the change",
    )
    add("--raq-update", action="store_true", help="accept this run as the suite's baseline")
    add(
        "--raq-anchor",
        action="store_true",
        help="accept this run as the suite's baseline and as its anchor, e.g. for a release; needs"
        " --raq-reason",
    )
    add(
        "--raq-reason",
        default="",
        metavar="TEXT",
        help="the reason, stored with --raq-update and --raq-anchor; needed unless every verdict"
        " is good",
    )
    add(
        "--raq-parallel",
        type=int,
        metavar="N",
        help="sequences that llama.cpp decodes together, requests at once to a server"
        " (default: the value in the definition, else 16)",
    )
    add(
        "--raq-reproducible",
        action="store_true",
        help="answers of GGUF files that are the same bit for bit whatever is asked beside them"
        " (docs/reproducible.md)",
    )
    add(
        "--raq-shard",
        default="",
        metavar="I/N",
        help="ask only slice I of N, for parallel CI jobs; raq merge decides (docs/ci.md)",
    )
    add("--raq-fresh", action="store_true", help="do not reuse stored answers")
    add("--raq-json", metavar="FILE", help="write the run as JSON")
    add("--raq-report", metavar="FILE", help="write the run as one self-contained HTML page")
    add(
        "--raq-markdown",
        metavar="FILE",
        help="write the run as Markdown, for a comment on a pull request",
    )
    add("--raq-metrics", metavar="FILE", help="write the run as OpenMetrics text, for a dashboard")
    add(
        "--raq-store",
        metavar="PATH",
        help="where answers are kept between runs (default: .raq/store.db)",
    )
    parser.addini("raq_models", "folder of the model definitions (default: models next to suites)")
    parser.addini("raq_baselines", "folder of the baselines (default: baselines next to suites)")
