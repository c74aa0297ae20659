"""Values that pandas wrote as Python text: ``{'text': array(['X'], dtype=object)}``."""

from __future__ import annotations

import ast

LONGEST = 1_000_000
"""Characters of a text that is read."""

_WRAPPERS = frozenset(("array", "list", "tuple", "str_", "int32", "int64", "float32", "float64"))
_EMPTY = frozenset(("nan", "None", "NaN", "NA"))


def python_value(text: str) -> object:
    """Return the value of a Python text; ValueError for anything but plain values.

    Lists, tuples, dictionaries, texts, numbers and numpy's ``array`` around them
    are read. Nothing is run: the text is only taken apart.
    """
    if len(text) > LONGEST:
        raise ValueError("is too long")
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as exc:
        raise ValueError("is not Python") from exc


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [_value(key) for key in node.keys if key is not None]
        if len(keys) != len(node.values) or not all(isinstance(key, str) for key in keys):
            raise ValueError("has a key that is no text")
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        return node.value
    if isinstance(node, ast.Call) and len(node.args) >= 1 and _name(node.func) in _WRAPPERS:
        return _value(node.args[0])
    if isinstance(node, ast.Name) and node.id in _EMPTY:
        return None
    raise ValueError("has something that is no plain value")


def _name(node: ast.expr) -> str:
    """Return the name of what is called: ``array``, or ``str_`` of ``np.str_``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
