"""``[openai]`` in a definition: an OpenAI-compatible server, and what is sent to it."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pytest_raq.config.base import Settings
from pytest_raq.config.permissions import is_loopback, server_host
from pytest_raq.config.requests import (
    canonical,
    check_body,
    check_header_variables,
    check_headers,
    check_query,
    is_variable,
)


class OpenAISettings(Settings):
    """An OpenAI-compatible server."""

    base_url: str
    """The address of the server, including ``/v1``."""
    model: Annotated[str, Field(min_length=1)]
    """The name of the model on the server."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable with the API key; empty for a server that needs none."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How often a call is repeated after 429, 5xx, a timeout or a broken connection."""
    insecure: bool = False
    """Whether a server on another machine may be asked by plain http: everyone on the way can read
    questions and key."""
    ask_again: Annotated[int, Field(ge=0, le=1000)] = 10
    """How many questions are asked a second time, to see how many answers change by themselves: a
    quarter of the new answers at most, and only at temperature 0; 0 asks none."""
    reasoning_effort: Annotated[str, Field(pattern=r"^[a-z]{2,20}$")] | None = None
    """How much a model reasons before it answers, for servers that know the parameter: ``low``,
    ``medium``, … Sent with chats; absent: the server decides."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Keys that are added to each request as they are, e.g. ``top_k`` or ``cache_prompt``."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers that are added to each request. A secret belongs in headers_env."""
    headers_env: dict[str, str] = Field(default_factory=dict)
    """Headers whose values are in the environment: the header, and the variable with its value."""
    query: dict[str, str] = Field(default_factory=dict)
    """What is added to the address of each request, e.g. ``api-version``."""

    @property
    def request_options(self) -> dict[str, str]:
        """What is added to each request and can change a reply, as text; no header can."""
        effort = {"reasoning_effort": self.reasoning_effort} if self.reasoning_effort else {}
        body = {"extra_body": canonical(self.extra_body)} if self.extra_body else {}
        return {**effort, **body}

    @field_validator("base_url")
    @classmethod
    def _require_url(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if scheme not in {"http", "https"} or not separator or rest[:1] in {"", "/"}:
            raise ValueError(_tell_address(value))
        try:
            has_host = bool(urlsplit(value).hostname)
        except ValueError as exc:
            raise ValueError(_tell_address(value)) from exc
        # Programs disagree about the host of such an address.
        if not has_host or not value.isprintable() or set(value) & set(" \\"):
            raise ValueError(_tell_address(value))
        return value

    @field_validator("api_key_env")
    @classmethod
    def _require_variable(cls, value: str) -> str:
        if value and not is_variable(value):
            # Not shown: it may be the key itself.
            raise ValueError("is not the name of an environment variable: write that, not the key")
        return value

    @model_validator(mode="after")
    def _require_https(self) -> Self:
        is_plain = self.base_url.startswith("http://") and not is_loopback(self.base_url)
        if is_plain and not self.insecure:
            raise ValueError(
                f"base_url is plain http to {server_host(self.base_url)}, so everyone on the way"
                " can read questions and key: use https, or write insecure = true"
            )
        return self

    @model_validator(mode="after")
    def _check_additions(self) -> Self:
        check_body(self.extra_body)
        check_headers(self.headers, where="a file")
        check_header_variables(self.headers_env)
        check_query(self.query)
        twice = {name.lower() for name in self.headers} & {
            name.lower() for name in self.headers_env
        }
        if twice:
            raise ValueError(f"{min(twice)!r} is in headers and in headers_env: keep one")
        return self


def _tell_address(value: str) -> str:
    """Return what is wrong with an address, without its user and password."""
    return f"is not an address like http://127.0.0.1:8000/v1 (got {value.rpartition('@')[2]!r})"
