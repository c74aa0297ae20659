"""Units and currencies by their names."""

from __future__ import annotations

from functools import cache, lru_cache

from pytest_raq.judging.equivalence.forms import fold, plain
from pytest_raq.judging.equivalence.languages import LONGEST_ENDING, read_tables

Unit = tuple[str, float]
"""A dimension, e.g. ``length`` or ``USD``, and the size in its base unit."""

RISKY = frozenset("in an let go ore tag pie as ha a mi or ons min den an ans so of per de".split())
"""Names that are also common words: units only where nothing follows that reads on."""

LONGEST_NAME = 24
"""Characters of the longest name of a unit."""

SYMBOLS = frozenset("$€£¥₹₩₽₺₫₪₴฿₱")
"""Signs that may stand before an amount."""


@cache
def _names() -> tuple[dict[str, tuple[Unit, ...]], dict[str, tuple[Unit, ...]]]:
    words: dict[str, list[Unit]] = {}
    stems: dict[str, list[Unit]] = {}
    for dimension, table in read_tables("units.toml").items():
        for size, names in table.values():
            for name in _split(names):
                form = plain(fold(name))
                target, form = (stems, form[:-1]) if form.endswith("*") else (words, form)
                known = target.setdefault(form, [])
                if (dimension, float(size)) not in known:
                    known.append((dimension, float(size)))
    return (
        {name: tuple(units) for name, units in words.items()},
        {name: tuple(units) for name, units in stems.items()},
    )


def _split(names: str) -> list[str]:
    return names.split()


@lru_cache(maxsize=1 << 14)
def find_units(name: str) -> tuple[Unit, ...]:
    """Return the units that a name may mean; none if it is no unit.

    Words of a name are joined by ``-``, e.g. ``degrees-celsius``.
    """
    words, stems = _names()
    form = plain(name)
    if form in words:
        return words[form]
    for end in range(len(form) - 1, max(2, len(form) - LONGEST_ENDING) - 1, -1):
        if form[:end] in stems:
            return stems[form[:end]]
    return stems.get(form, ())
