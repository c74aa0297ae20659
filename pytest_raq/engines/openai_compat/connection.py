"""A connection to one OpenAI-compatible server: all that is asynchronous is in this module.

The client works on an event loop in a thread of its own; requests are started
and completions taken from any one other thread, in whatever order they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_raq.engines.openai_compat.completions import Collector, Completion
from pytest_raq.engines.openai_compat.problems import (
    Problem,
    cut,
    no_completion,
    tell_exception,
)
from pytest_raq.errors import EngineStartError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import httpx2
    import openai

    from pytest_raq.engines.openai_compat.server import Server

Result = Completion | Problem

_CONNECT_SECONDS = 10.0
_LOOK_SECONDS = 30.0
_IDLE_SECONDS = 60.0
_STARTED = "raq_started"
"""Where a request keeps when it was sent: each retry is a request of its own."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: the ``body`` without the model's name, to e.g. ``/chat/completions``."""

    path: str
    body: Mapping[str, object]
    stream: bool = False


class Connection:
    """A client of one server for ``most`` requests at a time.

    EngineStartError where the package openai is not installed.
    """

    def __init__(self, server: Server, most: int) -> None:
        try:
            self._client = _make_client(server, most)
        except ImportError as exc:
            raise EngineStartError(
                f"{server.path}: the package openai cannot be imported ({exc}):"
                " pip install 'pytest-raq[openai]'"
            ) from exc
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: queue.SimpleQueue[tuple[Hashable, int, Result]] = queue.SimpleQueue()
        self._round = 0
        self._thread = threading.Thread(target=_run, args=(self._loop,), daemon=True)
        self._thread.start()
        self._finalizer = weakref.finalize(self, _end, self._loop, self._thread, self._client)

    def find_problem(self) -> Problem | None:
        """Return why the server cannot be used, as far as it tells without being asked anything.

        A server that has no list of its models may still answer.
        """
        future = asyncio.run_coroutine_threadsafe(_look(self._client, self._server), self._loop)
        found = future.result()
        return found if found is not None and found.is_final and found.status != 404 else None

    def start(self, ticket: Hashable, request: Request) -> None:
        """Send a request; what comes of it is taken under its ticket."""
        number = self._round
        self._loop.call_soon_threadsafe(self._begin, ticket, number, request)

    def take(self) -> tuple[Hashable, Result]:
        """Return the next result with its ticket; waits, so something must have been started."""
        while True:
            ticket, number, result = self._results.get()
            if number == self._round:
                return ticket, result

    def cancel(self) -> None:
        """Give up what was started: no result of it will be taken."""
        self._round += 1
        self._loop.call_soon_threadsafe(self._cancel_all)

    def close(self) -> None:
        """Give everything up and end the thread; safe to call twice."""
        self._finalizer()

    def _begin(self, ticket: Hashable, number: int, request: Request) -> None:
        task = self._loop.create_task(self._work(ticket, number, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _work(self, ticket: Hashable, number: int, request: Request) -> None:
        result = await _ask(self._client, self._server, request)
        self._results.put((ticket, number, result))


def _make_client(server: Server, most: int) -> openai.AsyncOpenAI:
    import httpx2
    import openai

    async def note_start(request: httpx2.Request) -> None:
        request.extensions[_STARTED] = time.perf_counter()

    http = httpx2.AsyncClient(
        limits=httpx2.Limits(
            max_connections=most, max_keepalive_connections=most, keepalive_expiry=_IDLE_SECONDS
        ),
        timeout=httpx2.Timeout(server.timeout, connect=min(_CONNECT_SECONDS, server.timeout)),
        trust_env=not server.is_local,
        # Certificates are not read where none is shown: that takes as long as many requests.
        verify=server.base_url.startswith("https://"),
        follow_redirects=False,
        event_hooks={"request": [note_start]},
    )
    return openai.AsyncOpenAI(
        base_url=server.base_url,
        api_key=server.key,
        max_retries=server.max_retries,
        http_client=http,
    )


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _end(
    loop: asyncio.AbstractEventLoop, thread: threading.Thread, client: openai.AsyncOpenAI
) -> None:
    if loop.is_closed():
        return

    async def finish() -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.close()
        await loop.shutdown_asyncgens()

    with contextlib.suppress(Exception):
        asyncio.run_coroutine_threadsafe(finish(), loop).result(_CONNECT_SECONDS)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_CONNECT_SECONDS)
    if not thread.is_alive():
        loop.close()


async def _look(client: openai.AsyncOpenAI, server: Server) -> Problem | None:
    import httpx2

    try:
        timeout = min(server.timeout, _LOOK_SECONDS)
        options: Any = {"max_retries": 0, "timeout": timeout}
        await client.get("/models", cast_to=httpx2.Response, options=options)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
        return tell_exception(exc, server)
    return None


async def _ask(client: openai.AsyncOpenAI, server: Server, request: Request) -> Result:
    """Return what came of a request; a stream that was cut is asked for again, as a call is."""
    ask = _ask_stream if request.stream else _ask_whole
    result: Result = Problem("")
    for attempt in range(server.max_retries + 1):
        if attempt:
            await asyncio.sleep(min(0.5 * 2 ** (attempt - 1), 8.0))
        try:
            result = await ask(client, server, request)
        except _CutError:
            result = cut(server)
            continue
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
            result = tell_exception(exc, server)
        break
    if isinstance(result, Completion):
        hide = server.hide
        return replace(result, text=hide(result.text), arguments=hide(result.arguments))
    return result


class _CutError(Exception):
    """A stream ended before it was complete."""


def _body(server: Server, request: Request) -> dict[str, object]:
    return {"model": server.model, **request.body}


async def _ask_whole(client: openai.AsyncOpenAI, server: Server, request: Request) -> Result:
    import httpx2

    # Not parsed into the client's own models: that takes longer than the rest of a call.
    response = await client.post(request.path, cast_to=httpx2.Response, body=_body(server, request))
    seconds = time.perf_counter() - response.request.extensions[_STARTED]
    collector = Collector()
    collector.add(response.json(), seconds)
    if not collector.seen:
        return no_completion(server, f"it has no choices ({response.text[:80]!r})")
    return collector.finish(seconds)


async def _ask_stream(client: openai.AsyncOpenAI, server: Server, request: Request) -> Result:
    import openai

    body = _body(server, request) | {"stream": True}
    stream: openai.AsyncStream[Any] = await client.post(
        request.path,
        cast_to=object,
        body=body,
        stream=True,
        stream_cls=openai.AsyncStream[object],
    )
    started = stream.response.request.extensions[_STARTED]
    collector = Collector()
    async with stream:
        if stream.response.headers.get("content-type", "").startswith("application/json"):
            await stream.response.aread()  # it does not stream
            collector.add(stream.response.json(), time.perf_counter() - started)
        else:
            await _collect(stream, collector, started)
    if not collector.seen:
        return no_completion(server, "its stream has no choices")
    if not collector.finish_reason:
        raise _CutError
    return collector.finish(time.perf_counter() - started)


async def _collect(stream: openai.AsyncStream[Any], collector: Collector, started: float) -> None:
    import openai

    try:
        async for chunk in stream:
            collector.add(chunk, time.perf_counter() - started)
    except openai.APITimeoutError:
        raise
    except openai.APIConnectionError as exc:
        if not collector.finish_reason:
            raise _CutError from exc
