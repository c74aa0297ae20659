"""How a server is made to reply in JSON that fits a schema, from the strictest way down."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.engines.openai_compat import Completion

_TOOL = "rank"


class Form(Enum):
    """Ways to ask; each server knows some of them. In the order in which they are tried."""

    JSON_SCHEMA = "a JSON schema as response format"
    JSON_OBJECT = "a JSON object with a schema as response format"
    TOOL = "a tool call"
    PLAIN = "plain JSON"

    def constrain(self, schema: str) -> dict[str, object]:
        """Return what a request needs beside the prompt."""
        table = json.loads(schema)
        if self is Form.JSON_SCHEMA:
            named = {"name": _TOOL, "schema": table, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        if self is Form.JSON_OBJECT:
            return {"response_format": {"type": "json_object", "schema": table}}
        if self is Form.TOOL:
            function = {"name": _TOOL, "parameters": table, "description": "Rank the answers."}
            return {
                "tools": [{"type": "function", "function": function}],
                "tool_choice": {"type": "function", "function": {"name": _TOOL}},
            }
        return {}

    def text(self, completion: Completion) -> str:
        """Return the part of a completion that holds the JSON."""
        return (self is Form.TOOL and completion.arguments) or completion.text
