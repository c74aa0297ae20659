"""The file formats as JSON Schema, for editors and for the reference in docs/formats.md.

Draft 7, because that is what editors of TOML know; a table is a definition.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_raq.config.models import ModelDefinition
from pytest_raq.config.suites import SuiteDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.config.base import Settings

KINDS: Mapping[str, type[Settings]] = {"suite": SuiteDefinition, "model": ModelDefinition}
"""Every kind of file that is written in TOML."""

PURPOSES: Mapping[str, str] = {
    "suite": "`suites/NAME.toml`: what to ask whom, and when to fail.",
    "model": "`models/NAME.toml`: one contestant.",
}
"""What each kind of file is for."""

_OWN_KEYS = ("name", "path")


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a kind of file.

    KeyError for a kind that KINDS does not have.
    """
    found = KINDS[kind].model_json_schema(ref_template="#/definitions/{model}")
    tables = found.pop("$defs", {})
    for key in _OWN_KEYS:
        del found["properties"][key]
    required = [key for key in found.pop("required", []) if key not in _OWN_KEYS]
    plain = _plain({**found, "required": required, "definitions": tables})
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"pytest-raq {kind}",
        "description": PURPOSES[kind],
    }
    return {**head, **{key: value for key, value in plain.items() if key not in head}}


def schema_text(kind: str) -> str:
    """Return the JSON Schema of a kind of file as text; KeyError as `json_schema`."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema as TOML has it: no null, no default of a whole table, no title of a key.

    Draft 7 ignores all beside ``$ref``, so the reference moves into ``allOf``.
    """
    found = {key: value for key, value in schema.items() if not _is_noise(key, value)}
    for key in {"properties", "definitions"} & found.keys():
        found[key] = {name: _plain(item) for name, item in found[key].items()}
    for key in {"items", "additionalProperties"} & found.keys():
        found[key] = _plain(found[key]) if isinstance(found[key], dict) else found[key]
    if "description" in found:
        found["description"] = _one_line(found["description"])
    choices = [_plain(choice) for choice in found.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        found = {**choices[0], **found}
    elif choices:
        found["anyOf"] = choices
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    return found


def _is_noise(key: str, value: object) -> bool:
    return key == "title" or (key == "default" and (value is None or isinstance(value, dict)))


def _one_line(text: str) -> str:
    """Return a docstring with one line a paragraph and Markdown's quotes."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(paragraphs).replace("``", "`")
