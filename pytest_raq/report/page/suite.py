"""One suite on the page of a run."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_raq import __version__
from pytest_raq.report.figures.drawing import style
from pytest_raq.report.figures.files import inline_svg
from pytest_raq.report.figures.suite import quality_pictures, speed_pictures
from pytest_raq.report.origins import from_store_text, keys_text
from pytest_raq.report.page.data import question_data
from pytest_raq.report.page.likelihood import likelihood_table, worst_table
from pytest_raq.report.page.tables import (
    anchor_table,
    f1_table,
    judge_tables,
    probe_table,
    provenance_tables,
    settings_table,
    shown,
)
from pytest_raq.report.page.views import (
    DIFFERS,
    columns,
    conclude,
    matrix_views,
    model_rows,
    omnibus_lines,
    standing_lines,
    verdict_views,
)
from pytest_raq.report.repeatability import repeatability_lines
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment

    from pytest_raq.records import RunRecord, SuiteResult
    from pytest_raq.report.figures.suite import Picture


_LONGEST = 4000
"""Characters of one text outside the table of questions."""
_NOTES = {
    "net-preference": "Below zero, today’s answers rank below the accepted ones more often than"
    " above. Lines are 95 % intervals.",
    "likelihood": "A tick is a question. Right of zero, its reference has become less likely. The"
    " dot is the mean, with its 95 % interval; the farthest questions stand at the edge.",
    "mean-ranks": "Lines are 95 % intervals.",
    "critical-difference": "Models that a bar joins are not separated by the permutation test"
    " at 0.05.",
}


@dataclass(frozen=True, slots=True)
class PageSuite:
    """A suite of a page: its result, and what the JSON of the run knows of judges."""

    result: SuiteResult
    judge: Mapping[str, object] = field(default_factory=dict)


def page_html(suites: Sequence[PageSuite], facts: Mapping[str, str]) -> str:
    """Return the page of a run; ``facts`` are shown at the top, e.g. time and commit.

    Nothing but numbers is printed as it is: every other text passes
    `safe_text` and is escaped, and what models said stands in JSON that only
    ever becomes text nodes.
    """
    from markupsafe import Markup

    css, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .from_string(_asset("page.html.j2"))
        .render(
            policy=_policy(css, script),
            version=__version__,
            title=_title(suites),
            css=Markup(css),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            facts=list(facts.items()),
            conclusion=conclude([suite.result for suite in suites]),
            suites=[_suite_view(suite, number) for number, suite in enumerate(suites)],
        )
    )


def _asset(name: str) -> str:
    return files("pytest_raq.report.page").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(css: str, script: str) -> str:
    """Return a policy under which the page loads nothing and runs only our own script."""
    return (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(script)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _title(suites: Iterable[PageSuite]) -> str:
    return f"{', '.join(suite.result.suite for suite in suites)}: relative answer quality"


def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printed(value: object) -> object:
    from markupsafe import Markup

    return value if isinstance(value, Markup) else safe_text(str(value), _LONGEST)


def _suite_view(suite: PageSuite, number: int) -> dict[str, object]:
    from markupsafe import Markup

    result = suite.result
    verdicts = verdict_views(result)
    differences, provenance = provenance_tables(result.provenance, result.baseline)
    data = question_data(result, suite.judge)
    with style():
        quality = _pictures(quality_pictures(result), f"q{number}")
        speed = _pictures(speed_pictures(result), f"s{number}")
    return {
        "name": result.suite,
        "told": _told(result),
        "baseline_problem": result.baseline_problem,
        "has_baseline": result.baseline is not None,
        "verdicts": list(verdicts.values()),
        "notes": [note for note in result.notes if not note.startswith(DIFFERS)],
        "repeatability": [
            f"{names}: {told}"
            for names, told in repeatability_lines(
                result, (name for name in result.models if name not in verdicts)
            )
        ],
        "columns": columns(result),
        "rows": model_rows(result, verdicts),
        "quality": quality,
        "speed": speed,
        "probe": probe_table(result),
        "quality_tables": [
            table
            for table in (
                anchor_table(result),
                f1_table(result),
                likelihood_table(result),
                worst_table(result),
            )
            if table is not None
        ],
        "matrices": matrix_views(result),
        "omnibus": omnibus_lines(result.tests),
        "standing": standing_lines(result),
        "judge": _judge_view(suite),
        "differences": differences,
        "provenance": provenance,
        "settings": settings_table(result),
        "changes": result.changes,
        "data": {"type": data.type, "text": Markup(data.text)},  # noqa: S704 - made safe there
    }


def _told(result: SuiteResult) -> str:
    count, passages = len(result.questions), result.passages
    told = (
        f"{count} question{'s' * (count != 1)} in {passages} passage{'s' * (passages != 1)},"
        f" {len(result.models)} model{'s' * (len(result.models) != 1)},"
        f" judge {result.provenance.judge.name}"
    )
    if stored := from_store_text(result):
        told += f", {stored}"
    if keys := keys_text(result.provenance):
        told += f", {keys}"
    baseline = result.baseline
    if baseline is None:
        return f"{told}."
    why = f" ({baseline.reason})" if baseline.reason.strip() else ""
    return f"{told}; compared with the baseline accepted {baseline.accepted_at}{why}."


def _pictures(pictures: Iterable[Picture], prefix: str) -> list[dict[str, object]]:
    from markupsafe import Markup

    return [
        {
            "title": picture.title,
            "wide": picture.name == "critical-difference",
            "note": _NOTES.get(picture.name, ""),
            "svg": Markup(  # noqa: S704 - serialized from a tree
                inline_svg(
                    picture.figure,
                    title=picture.title,
                    description=picture.description,
                    prefix=f"{prefix}-{picture.name}",
                )
            ),
        }
        for picture in pictures
    ]


def _judge_view(suite: PageSuite) -> dict[str, object]:
    judge = suite.result.provenance.judge
    parts = [f"{judge.name} ranked the answers"]
    parts += [f"{key} {value}" for key, value in judge.options.items()]
    if judge.prompt_sha256:
        parts.append(f"SHA-256 of its prompt {judge.prompt_sha256[:12]}")
    return {
        "told": f"{'; '.join(parts)}.",
        "problems": _texts(suite.judge.get("problems")),
        "notes": _texts(suite.judge.get("notes")),
        "tables": list(judge_tables(suite.judge)),
    }


def _texts(value: object) -> list[str]:
    return [shown(text) for text in value] if isinstance(value, list) else []


def page_suite(result: SuiteResult, table: Mapping[str, object]) -> PageSuite:
    """Return a suite of a page from its result and the JSON of it, which knows the judges."""
    judge = table.get("judge")
    return PageSuite(result, judge if isinstance(judge, dict) else {})


def run_facts(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return the facts of a run for the top of its page: id, time, commit, options, state."""
    if not records:
        return {}
    first, last = records[0], records[-1]
    states = dict.fromkeys(record.state.value for record in records)
    facts = {
        "Run": first.id,
        "Ended": last.time.replace("T", " ").replace("Z", " UTC"),
        "Commit": _short(first.commit),
        "Options": " ".join(f"{option} {value}" for option, value in first.options.items()),
        "State": "" if list(states) == ["complete"] else ", ".join(states),
        "Accepted": "as the baseline" if any(record.accepted for record in records) else "",
    }
    return {name: value for name, value in facts.items() if value}


def _short(commit: str) -> str:
    digits, dash, dirty = commit.partition("-")
    return f"{digits[:12]}{dash}{dirty}"
