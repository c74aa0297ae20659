"""The formats of the files, as JSON Schema and as a reference for people."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_raq.config.diagnostics import OWN_KEYS
from pytest_raq.config.models import ModelDefinition
from pytest_raq.config.suites import SuiteDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.config.base import Settings


KINDS: Mapping[str, type[Settings]] = {"suite": SuiteDefinition, "model": ModelDefinition}
"""Every kind of file that is written in TOML."""

PURPOSES: Mapping[str, str] = {
    "suite": "`suites/NAME.toml`: the questions, the models, and when a test fails.",
    "model": "`models/NAME.toml`: one contestant.",
}
"""The purpose of each kind of file."""


EXAMPLES: Mapping[str, str] = {
    "suite": """\
#:schema ./suite.schema.json
default = true
models = ["ours"]             # models/ours.toml
judge = "reference"

[dataset]
source = "support.json"       # in this folder
sample = 60
seed = 0

[gate]
margin = 0.10
max_slowdown = 0.25
""",
    "model": """\
#:schema ./model.schema.json
engine = "llama-cpp"
family = "llama"
file = "ours-Q4_K_M.gguf"     # in this folder
context_length = 4096
max_tokens = 64
stop = ["\\n"]
prompt = "chat"

[source]
repo = "our-team/ours-GGUF"
filename = "ours-Q4_K_M.gguf"
""",
}
"""An example of each kind of file."""

_HEAD = """\
# File formats

<!-- Made by `raq schema --markdown` from the settings: change those, then `make docs`. -->

Suites and models are TOML files in UTF-8. The name of a file is the name of what it defines:
`suites/support.toml` is the suite `support`. Unknown keys are errors; all errors of a file are
reported at once, each with its place and the nearest known key:

```console
$ pytest suites/
suites/support.toml: unknown key dataset.sampel; did you mean 'sample'?; gate.alpha: should be a \
number (got '0.05')
```

## In an editor

`raq schema suite` and `raq schema model` print JSON Schema (draft 7). An editor that knows TOML,
such as VS Code with Even Better TOML, or any with Taplo's language server, completes and checks
keys while you type when the first line of a file says where the schema is:

```toml
#:schema ./suite.schema.json
```

`raq init` writes that line, and the schemas next to the files. After an update of pytest-raq, write
them again:

```console
$ raq schema suite > suites/suite.schema.json
$ raq schema model > models/model.schema.json
```
"""

_TABLE = re.compile(r"^### `\[+([\w.]+)\]+`$", re.MULTILINE)
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
}
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a kind of file.

    Raises KeyError for a kind that is not in KINDS.
    """
    found = KINDS[kind].model_json_schema(ref_template="#/definitions/{model}")
    tables = found.pop("$defs", {})
    for key in OWN_KEYS:
        found["properties"].pop(key, None)
    required = [key for key in found.pop("required", []) if key not in OWN_KEYS]
    plain = _plain({**found, "required": required, "definitions": tables})
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"pytest-raq {kind}",
        "description": PURPOSES[kind],
    }
    return {**head, **{key: value for key, value in plain.items() if key not in head}}


def schema_text(kind: str) -> str:
    """Return the JSON Schema of a kind of file as text; raises KeyError like `json_schema`."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema for TOML: no null, no default of a whole table, no title of a key.

    Draft 7 ignores everything next to ``$ref``, so the reference moves into ``allOf``.
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
    """Return a docstring with one line per paragraph and Markdown's quotes."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(paragraphs).replace("``", "`")


def format_reference() -> str:
    """Return docs/formats.md."""
    parts, known = [_HEAD], Counter[str]()
    for kind in KINDS:
        text = "\n".join(_kind(kind))
        anchors = [_anchor(head) for head in _TABLE.findall(text)]
        for anchor in anchors:
            if known[anchor]:  # a heading of this name stands above
                text = text.replace(f"(#{anchor})", f"(#{anchor}-{known[anchor]})")
        known.update(anchors)
        parts.append(text)
    return "\n".join(parts)


def _anchor(place: str) -> str:
    return place.replace(".", "")


def _kind(kind: str) -> Iterator[str]:
    schema = json_schema(kind)
    yield f"## A {kind}\n\n{PURPOSES[kind]}\n\n```toml\n{EXAMPLES[kind]}```\n"
    yield from _table(schema, schema["definitions"], "")


def _table(
    table: Mapping[str, Any], definitions: Mapping[str, Any], where: str, head: str = ""
) -> Iterator[str]:
    """Yield the rows of a table, then those of the tables in it."""
    required = table.get("required", [])
    if head:
        yield f"### `{head}`\n\n{table.get('description', '')}\n"
    yield "| key | what | default | meaning |\n| :-- | :-- | :-- | :-- |"
    for key, item in table["properties"].items():
        default = "required" if key in required else _default(item)
        place = f"{where}.{key}".lstrip(".")
        told = item.get("description") or _definition(item, definitions).get("description", "")
        meaning = told.replace("\n\n", " ")
        yield _row(f"`{key}`", _what(item, definitions, place), default, meaning)
    yield ""
    for key, item in table["properties"].items():
        for choice in item.get("anyOf", [item]):
            inner = _definition(choice, definitions)
            if "properties" in inner:
                place = f"{where}.{key}".lstrip(".")
                head = f"[[{place}]]" if choice.get("type") == "array" else f"[{place}]"
                yield from _table(inner, definitions, place, head)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _definition(item: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition that an item, or the items of a list, refer to, else the item."""
    item = item.get("allOf", [item])[0]
    if item.get("type") == "array":
        item = item.get("items", {})
    if "$ref" not in item:
        return item
    found: Mapping[str, Any] = definitions[item["$ref"].rpartition("/")[2]]
    return found


def _default(item: Mapping[str, Any]) -> str:
    if "default" not in item:
        return "–"
    return f"`{json.dumps(item['default'], ensure_ascii=False)}`"


def _what(item: Mapping[str, Any], definitions: Mapping[str, Any], place: str) -> str:
    """Return the kind of a value as text."""
    inner = _definition(item, definitions)
    is_list = item.get("type") == "array"
    if "properties" in inner:
        head, noun = (f"[[{place}]]", "tables") if is_list else (f"[{place}]", "table")
        return f"{noun} [`{head}`](#{_anchor(place)})"
    if is_list:
        return f"list of {_plural(_what(item.get('items', {}), definitions, place))}"
    if "anyOf" in inner:
        return _one_of([_what(choice, definitions, place) for choice in inner["anyOf"]])
    if "enum" in inner:
        return " or ".join(f"`{json.dumps(value)}`" for value in inner["enum"])
    if inner.get("type") == "object":
        values = inner.get("additionalProperties")
        of = _plural(_what(values, definitions, place)) if isinstance(values, dict) else ""
        return f"table of {of}" if of else "table"
    bounds = " and ".join(f"{sign} {inner[key]:.15g}" for key, sign in _BOUNDS if key in inner)
    return f"{_WORDS.get(inner.get('type', ''), 'value')} {bounds}".rstrip()


def _one_of(words: list[str]) -> str:
    *single, last = words
    if last == f"list of {_plural(' or '.join(single))}":
        last = "a list of these"
    return " or ".join([*single, last])


def _plural(words: str) -> str:
    if " or " in words:
        return f"values: {words}"
    return f"{words}s" if words in {"text", "number", "whole number", "table", "value"} else words
