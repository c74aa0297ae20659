"""Tables of a page whose rows are only known from the data: judges, provenance, speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.records import SpeedReference
from pytest_raq.records.plain import plain
from pytest_raq.text import number, p_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.records import Baseline, Provenance, SuiteResult

_BY_QUESTION = {"ranks", "orders_agreed"}
"""These are shown with the questions."""
_LEFT_OUT = {"judge", "kendall_w_by_question"}
_TOLD_APART = {"problems", "notes", "judges"}
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, the first of which names it."""

    cells: Sequence[str]
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title, which is read aloud also where it is hidden."""

    title: str
    head: Sequence[str]
    rows: Sequence[Row]
    hide_title: bool = False
    numbers_from: int = 99
    """The first column whose cells are numbers, aligned right."""


def words(name: str) -> str:
    """Return the name of a field as words."""
    return name.replace("_", " ")


def shown(value: object) -> str:
    """Return a value of the JSON as a reader writes it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 0 if value == int(value) else _DECIMALS)
    if isinstance(value, dict):
        return _shown_table(value)
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    return str(value)


def _shown_table(table: Mapping[str, object]) -> str:
    if table.keys() == {"low", "high"}:
        return f"[{shown(table['low'])}, {shown(table['high'])}]"
    if table.keys() >= {"count", "total"}:
        interval = (
            f" {shown(table['interval'])}" if table.get("interval") and table["total"] else ""
        )
        return f"{shown(table['count'])} of {shown(table['total'])}{interval}"
    return ", ".join(_named(key, value) for key, value in table.items()) or "none"


def _named(key: str, value: object) -> str:
    if key == "p_value" and isinstance(value, float):
        return f"p {p_text(value)}"
    return f"{'p' if key == 'p_value' else words(key)} {shown(value)}"


def judge_tables(judge: Mapping[str, object]) -> Iterator[Table]:
    """Yield what a run knows of its judges, whatever it is: a table a part."""
    single = {}
    for key, value in judge.items():
        if key in _BY_QUESTION | _TOLD_APART or value in (None, "", [], {}):
            continue
        if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
            yield _side_by_side(words(key).capitalize(), value)
        elif isinstance(value, dict):
            yield from _part(words(key).capitalize(), value)
        else:
            single[key] = value
    if single:
        yield Table("Judge", (), _rows(single))


def _side_by_side(title: str, tables: Mapping[str, Mapping[str, object]]) -> Table:
    scalars = [_scalars(table) for table in tables.values()]
    keys = dict.fromkeys(key for table in scalars for key, value in table.items() if value != "")
    return Table(
        title,
        ("", *tables),
        [Row((words(key), *(shown(table.get(key)) for table in scalars))) for key in keys],
    )


def _scalars(table: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a table; those of a table by name are fields of their own."""
    found: dict[str, object] = {}
    for key, value in table.items():
        if key in _LEFT_OUT:
            continue
        if key == "kinds" and isinstance(value, dict):
            found |= {f"{key}: {name}": item for name, item in value.items()}
        else:
            found[key] = value
    return found


def _part(title: str, table: Mapping[str, object]) -> Iterator[Table]:
    lists = {
        key: value
        for key, value in table.items()
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    }
    rest = {k: v for k, v in table.items() if k not in lists and k not in _LEFT_OUT}
    if rest:
        yield Table(title, (), _rows(rest))
    for key, items in lists.items():
        heads = list(items[0])
        yield Table(
            f"{title}: {words(key)}",
            [words(head) for head in heads],
            [Row([shown(item.get(head)) for head in heads]) for item in items],
        )


def _rows(table: Mapping[str, object]) -> list[Row]:
    return [Row((words(key), shown(value))) for key, value in table.items()]


def provenance_tables(now: Provenance, baseline: Baseline | None) -> tuple[Table | None, Table]:
    """Return what differs from the baseline (None where nothing does), and everything."""
    today = dict(_flat(plain(now)))
    before = dict(_flat(plain(baseline.provenance))) if baseline else {}
    head = ("field", "now", "baseline") if baseline else ("field", "now")
    rows = [
        Row(
            (name, today.get(name, "–"), *([before.get(name, "–")] if baseline else [])),
            differs=bool(baseline) and _differs(name, today, before),
        )
        for name in {**today, **before}
    ]
    changed = [Row(row.cells) for row in rows if row.differs]
    everything = Table("All provenance", head, rows, hide_title=True)
    return (Table("What differs from the baseline", head, changed) if changed else None), everything


def _differs(name: str, now: Mapping[str, str], before: Mapping[str, str]) -> bool:
    # The description of an engine is not known where it was not loaded.
    is_unknown = name.endswith(("build", "template_sha256")) and not (
        now.get(name) and before.get(name)
    )
    return not is_unknown and now.get(name) != before.get(name)


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif not isinstance(value, dict):
        yield path, shown(value)


_COMPARED_WITH = {
    SpeedReference.ACCEPTED: "the accepted model, in turns",
    SpeedReference.YARDSTICK: "its multiple of the yardstick model",
    SpeedReference.STORED: "the server at another time",
}


def probe_table(result: SuiteResult) -> Table | None:
    """Return the speed probe of each model against the baseline; None without one."""
    rows = [
        Row(
            (
                model,
                words(item.measure),
                _figure(item.now),
                _figure(item.before),
                f"{number(item.ratio)} [{number(item.interval.low)}, {number(item.interval.high)}]",
                _COMPARED_WITH[item.against],
            )
        )
        for model, verdict in result.verdicts.items()
        for item in verdict.speed
    ]
    head = ("model", "measure", "now", "accepted", "ratio, below 1 is slower", "compared with")
    title = "Speed against the accepted state: medians, and the ratio with its interval"
    return Table(title, head, rows, numbers_from=2) if rows else None


def anchor_table(result: SuiteResult) -> Table | None:
    """Return what each model lost or won since the anchor; None where nothing moved since then."""
    rows = [
        Row(
            (
                model,
                number(quality.net_preference),
                f"[{number(quality.interval.low)}, {number(quality.interval.high)}]",
                p_text(quality.adjusted_p),
                number(f1.difference, 3) if f1 else "–",
                p_text(f1.adjusted_p) if f1 else "–",
            )
        )
        for model, verdict in result.verdicts.items()
        if (quality := verdict.since_anchor) is not None
        for f1 in (verdict.f1_since_anchor,)
    ]
    anchor = result.anchor
    if not rows or anchor is None:
        return None
    why = f" ({anchor.reason})" if anchor.reason.strip() else ""
    head = ("model", "net preference", "interval", "p", "F1 difference", "its p")
    title = f"Since the anchor, accepted {anchor.accepted_at}{why}"
    return Table(title, head, rows, numbers_from=1)


def f1_table(result: SuiteResult) -> Table | None:
    """Return the test of F1 of each model against the baseline; None without one."""
    rows = [
        Row(
            (
                model,
                number(f1.now, 3),
                number(f1.before, 3),
                number(f1.difference, 3),
                f"[{number(f1.interval.low, 3)}, {number(f1.interval.high, 3)}]",
                p_text(f1.adjusted_p),
            )
        )
        for model, verdict in result.verdicts.items()
        if (f1 := verdict.f1) is not None
    ]
    head = ("model", "F1 now", "accepted", "difference", "interval", "p")
    return Table("F1 against the accepted answers", head, rows, numbers_from=1) if rows else None


def _figure(value: float) -> str:
    """Return a speed, or seconds, with as many decimals as mean something."""
    return number(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else _DECIMALS)
