"""The errors of a server, each in one line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_raq.text import one_line

if TYPE_CHECKING:
    from pytest_raq.engines.openai_compat.server import Server

_SHOWN = 300
_BUSY_STATUS = frozenset((408, 429, 502, 503, 504, 529))
_BUSY = (
    "busy",
    "overload",
    "rate limit",
    "rate_limit",
    "too many requests",
    "try again",
    "at capacity",
    "loading model",
    "temporarily",
    "queue is full",
    "unavailable",
)
_NO_MONEY = ("insufficient_quota", "billing", "credit")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request has no completion.

    ``is_final`` says that no other request can have one either; ``status`` is
    the HTTP status, 0 where there was no response; ``said`` what the server
    says of it; ``is_timeout`` whether it said nothing for too long; ``is_busy``
    that it may answer later, although its response has a status of success.
    ``parameter`` and ``code`` are what the server names beside its words; ``is_cut``
    says that its reply ended too early.
    """

    reason: str
    is_final: bool = False
    status: int = 0
    said: str = ""
    is_timeout: bool = False
    is_busy: bool = False
    parameter: str = ""
    code: str = ""
    is_cut: bool = False

    @property
    def is_refusal(self) -> bool:
        """Whether the server does not take something of the request."""
        return self.status in {400, 422} and not self.is_busy

    def refuses(self, parameter: str) -> bool:
        """Whether the server cannot take a parameter of the request."""
        return self.is_refusal and (parameter == self.parameter or parameter in self.said)


def no_completion(server: Server, why: str) -> Problem:
    """Return the problem with a response that is not a completion."""
    told = one_line(server.hide(why), _SHOWN)
    return Problem(f"{server.address} sent something that is not a completion: {told}")


def tell_exception(error: Exception, server: Server) -> Problem:
    """Return what an exception of the client means; the key is in none of its texts."""
    import openai

    if isinstance(error, openai.APIStatusError):
        found = _tell_status(error.status_code, _said(error, server), str(error.code), server)
        codes = [str(code) for code in (error.code, error.type) if code]
        return replace(found, parameter=str(error.param or ""), code=" ".join(codes))
    if isinstance(error, openai.APIConnectionError):
        return _tell_connection(error, server)
    if isinstance(error, openai.APIError):
        return tell_error(error.body or str(error), server)
    if isinstance(error, ValueError):
        return no_completion(server, str(error))
    told = one_line(server.hide(f"{type(error).__name__}: {error}"), _SHOWN)
    return Problem(f"{server.address} could not be reached: {told}")


def tell_error(error: object, server: Server) -> Problem:
    """Return what an error means that came as a reply, with HTTP status 200."""
    table = error if isinstance(error, dict) else {"message": error}
    said = one_line(server.hide(str(table.get("message") or error)), _SHOWN)
    codes = [str(table.get(name) or "") for name in ("code", "status", "type")]
    status = next((int(code) for code in codes if code.isdigit() and 400 <= int(code) < 600), 0)
    told = " ".join((*codes, said)).lower()
    if not any(word in told for word in _NO_MONEY) and (
        status in _BUSY_STATUS or any(word in told for word in _BUSY)
    ):
        return Problem(
            f"{server.address} is still too busy ({said}): send fewer requests at once, or try"
            " again later",
            status=status,
            said=said,
            is_busy=True,
        )
    if status:
        parameter = str(table.get("param") or "")
        found = _tell_status(status, said, codes[0], server)
        return replace(found, parameter=parameter, code=" ".join(codes).strip())
    return Problem(f"{server.address} failed: {said}", said=said)


def _said(error: Exception, server: Server) -> str:
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if message and isinstance(metadata, dict) and metadata.get("raw"):
        message = f"{message}: {metadata['raw']}"  # a router repeats what the provider said
    # Hidden first: what is cut in the middle would not be found.
    return one_line(server.hide(str(message or body or error)), _SHOWN)


def _tell_status(status: int, said: str, code: str, server: Server) -> Problem:
    told = f"({status}: {said})"
    address, path = server.address, server.path
    if status == 401:
        key = f"the key in {server.key_env}" if server.key_env else "a request without a key"
        reason = f"{address} refuses {key} {told}: correct it, or api_key_env in {path}"
        return Problem(reason, is_final=True, status=status, said=said)
    if status == 403:
        reason = f"{address} does not allow model {server.model!r} {told}: ask its administrator"
        return Problem(reason, is_final=True, status=status, said=said)
    if status == 404:
        reason = (
            f"{address} does not know model {server.model!r}, or is not a /v1 address {told}:"
            f" correct model or base_url in {path}"
        )
        return Problem(reason, is_final=True, status=status, said=said)
    if status == 429:
        broke = any(word in f"{code} {said}" for word in _NO_MONEY)
        what = "has no credit left" if broke else "still takes no more requests"
        return Problem(f"{address} {what} {told}", is_final=broke, status=status, said=said)
    what = "refuses the request" if status < 500 else "failed"
    return Problem(f"{address} {what} {told}", status=status, said=said)


def _tell_connection(error: Exception, server: Server) -> Problem:
    import openai

    chain = _causes(error)
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return _tell_unreachable(server, "it refuses the connection")
    if _was_connecting(error):
        last = one_line(server.hide(str(chain[-1])), _SHOWN) or type(chain[-1]).__name__
        return _tell_unreachable(server, last)
    if isinstance(error, openai.APITimeoutError):
        return Problem(
            f"{server.address} sent nothing for {server.timeout:g} s: raise timeout in"
            f" {server.path}, or send fewer requests at once",
            is_timeout=True,
        )
    return cut(server)


def cut(server: Server) -> Problem:
    """Return the problem with a connection that ended too early."""
    return Problem(
        f"{server.address} cut the connection before its reply was complete", is_cut=True
    )


def _tell_unreachable(server: Server, why: str) -> Problem:
    return Problem(
        f"{server.address} cannot be reached ({why}): start the server, or correct base_url in"
        f" {server.path}",
        is_final=True,
    )


def _was_connecting(error: Exception) -> bool:
    import httpx2

    kinds = (httpx2.ConnectError, httpx2.ConnectTimeout)
    return any(isinstance(cause, kinds) for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and what led to it, groups of several attempts opened."""
    found, waiting = [], [error]
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        more = [each.__cause__ or each.__context__]
        more += list(each.exceptions) if isinstance(each, BaseExceptionGroup) else []
        waiting += [cause for cause in more if cause is not None and cause not in found]
    return found
