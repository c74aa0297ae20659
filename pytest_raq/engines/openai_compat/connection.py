"""A connection to one OpenAI-compatible server: many requests at once, each in a thread.

Threads, because a short call takes the client half as much time in one as on
an event loop, and what all of them take together bounds how many fit into a
second. Each has a client with one connection: a pool of many looks at all of
them for each request.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_raq.engines.openai_compat.completions import Collector, Completion
from pytest_raq.engines.openai_compat.failures import (
    Problem,
    cut,
    no_completion,
    tell_error,
    tell_exception,
)
from pytest_raq.engines.openai_compat.pace import Turn, site_of
from pytest_raq.errors import EngineStartError
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import httpx2
    import openai

    from pytest_raq.engines.openai_compat.pace import Site
    from pytest_raq.engines.openai_compat.server import Server


Result = Completion | Problem

_CONNECT_SECONDS = 10.0
_LOOK_SECONDS = 30.0
_IDLE_SECONDS = 60.0
_END_SECONDS = 1.0
_TELEMETRY = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
_STARTED = "raq_started"
"""Where a request keeps when it was sent: each retry is a request of its own."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: the ``body`` without the model's name, to e.g. ``/chat/completions``.

    ``retries`` stands for those of the server, where it is given; the reply of
    one that ``keeps_body`` has all that the server said.
    """

    path: str
    body: Mapping[str, object]
    stream: bool = False
    retries: int | None = None
    keeps_body: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    """A request, the ticket under which its result is taken, and the round it belongs to."""

    ticket: Hashable
    round: int
    request: Request


@dataclass(slots=True)
class _Desk:
    """What the threads share with the caller; ``round`` says which results are wanted."""

    server: Server
    site: Site
    make_client: Callable[[Turn], openai.OpenAI]
    jobs: queue.SimpleQueue[_Job | None] = field(default_factory=queue.SimpleQueue)
    results: queue.SimpleQueue[tuple[_Job, Result]] = field(default_factory=queue.SimpleQueue)
    round: int = 0
    is_closed: bool = False

    def wants(self, job: _Job) -> bool:
        """Whether anybody still waits for a result."""
        return job.round == self.round and not self.is_closed


class Connection:
    """Clients of one server for ``most`` requests at a time; more that are started wait.

    Requests are started and results taken on any one thread. EngineStartError
    where the package openai is not installed.
    """

    def __init__(self, server: Server, most: int) -> None:
        self.site = site_of(server)
        self._desk = _Desk(server, self.site, _client_maker(server))
        try:
            self._desk.make_client(
                Turn(self.site.pace)
            ).close()  # what is wrong here would be wrong in each thread
        except Exception as exc:
            told = one_line(server.hide(f"{type(exc).__name__}: {exc}"))
            raise EngineStartError(
                f"{server.address} cannot be used ({told}): correct base_url in {server.path}, or"
                " the proxies of the environment"
            ) from exc
        self._most = most
        self._flying = 0
        self._threads: list[threading.Thread] = []
        self._finalizer = weakref.finalize(self, _end, self._desk, self._threads)

    def find_problem(self) -> Problem | None:
        """Return why the server cannot be used, as far as that is known without a request.

        A server that has no list of its models may still answer.
        """
        import httpx2

        server = self._desk.server
        options: Any = {"max_retries": 0, "timeout": min(server.timeout, _LOOK_SECONDS)}
        turn = Turn(self.site.pace)
        with self._desk.make_client(turn) as client:
            turn.begin()
            try:
                client.get("/models", cast_to=httpx2.Response, options=options)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
                found = tell_exception(exc, server)
                return found if found.is_final and found.status in {0, 401} else None
            finally:
                turn.end()
        return None

    def start(self, ticket: Hashable, request: Request) -> None:
        """Send a request; what comes of it is taken under its ticket."""
        self._flying += 1
        if len(self._threads) < min(self._most, self._flying):
            # Not a method of this: a thread must not keep what is forgotten from its end.
            thread = threading.Thread(target=_work, args=(self._desk,), daemon=True)
            self._threads.append(thread)
            thread.start()
        self._desk.jobs.put(_Job(ticket, self._desk.round, request))

    def take(self) -> tuple[Hashable, Result]:
        """Return the next result with its ticket; waits, so something must have been started."""
        while True:
            job, result = self._desk.results.get()
            if self._desk.wants(job):
                self._flying -= 1
                return job.ticket, result

    def cancel(self) -> None:
        """Give up what was started: no result of it will be taken.

        What waits is not sent, a stream is left at its next piece; a whole
        reply that is on its way is not used.
        """
        self._desk.round += 1
        self._flying = 0

    def close(self) -> None:
        """Give everything up and end the threads; safe to call twice."""
        self._finalizer()


def _client_maker(server: Server) -> Callable[[Turn], openai.OpenAI]:
    try:
        import httpx2
        import openai
    except ImportError as exc:
        raise EngineStartError(
            f"{server.path}: the package openai cannot be imported ({exc}):"
            " pip install 'pytest-raq[openai]'"
        ) from exc

    # Certificates are not read where none is shown: that takes as long as many requests.
    secure = server.base_url.startswith("https://")
    verify = httpx2.create_ssl_context() if secure else False

    # The client's headers about this machine help nobody here; each header takes time.
    headers: Any = {f"X-Stainless-{name}": openai.Omit() for name in _TELEMETRY}
    headers |= server.headers
    hooks = [_note_start, *([] if server.shows_key else [_omit_key])]

    class PacedClient(httpx2.Client):
        """Sends a request again whose reply was dropped because others were sent."""

        turn: Turn

        def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:  # noqa: ANN401
            while True:
                try:
                    return super().send(request, **options)
                except (httpx2.NetworkError, httpx2.RemoteProtocolError) as exc:
                    if isinstance(exc, httpx2.ConnectError) or not self.turn.again():
                        raise

    def make(turn: Turn) -> openai.OpenAI:
        http = PacedClient(
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=_IDLE_SECONDS),
            timeout=httpx2.Timeout(server.timeout, connect=min(_CONNECT_SECONDS, server.timeout)),
            trust_env=not server.is_local,
            verify=verify,
            follow_redirects=False,
            event_hooks={"request": hooks},
        )
        http.turn = turn
        return openai.OpenAI(
            base_url=server.base_url,
            api_key=server.key,
            max_retries=server.max_retries,
            http_client=http,
            default_headers=headers,
            default_query=dict(server.query),
        )

    return make


def _note_start(request: httpx2.Request) -> None:
    request.extensions[_STARTED] = time.perf_counter()


def _omit_key(request: httpx2.Request) -> None:
    request.headers.pop("Authorization", None)


def _end(desk: _Desk, threads: list[threading.Thread]) -> None:
    """Let the threads end; one that waits for a server ends with the server's reply."""
    desk.is_closed = True
    for _ in threads:
        desk.jobs.put(None)
    deadline = time.monotonic() + _END_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _work(desk: _Desk) -> None:
    """Send what is to be sent until the connection is closed."""
    turn = Turn(desk.site.pace)
    with desk.make_client(turn) as client:
        while (job := desk.jobs.get()) is not None:
            if desk.wants(job):
                desk.results.put((job, _take_turn(client, desk, job, turn)))


def _take_turn(client: openai.OpenAI, desk: _Desk, job: _Job, turn: Turn) -> Result:
    """Return what came of a request, sent as soon as the server may take one more."""
    turn.begin()
    try:
        result: Result = cut(desk.server)
        if desk.wants(job):
            result = _ask(client, desk, job, turn)
        if isinstance(result, Completion):
            turn.complete()
        return result
    finally:
        turn.end()


def _ask(client: openai.OpenAI, desk: _Desk, job: _Job, turn: Turn) -> Result:
    """Return what came of a request.

    A stream that was cut is asked for again, as a call is, and so is a server that
    says it is busy in a reply with status 200. Where others flew at the same time, that
    counts as no try: fewer will.
    """
    server = desk.server
    result: Result = cut(server)
    attempt = 0
    while True:
        try:
            if job.request.stream:
                result = _ask_stream(client, desk, job)
            else:
                result = _ask_whole(client, server, job.request)
        except _CutError:
            result = cut(server)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
            result = tell_exception(exc, server)
            if result.is_cut:
                break  # the client has tried again
        is_cut = isinstance(result, Problem) and result.is_cut
        may_pass = is_cut or (isinstance(result, Problem) and result.is_busy)
        if not (may_pass and desk.wants(job)):
            break
        if is_cut and turn.again():
            continue
        attempt += 1
        if attempt > server.max_retries:
            break
        time.sleep(min(0.5 * 2 ** (attempt - 1), 8.0))
    if isinstance(result, Completion):
        hide = server.hide
        return replace(
            result,
            text=hide(result.text),
            reasoning=hide(result.reasoning),
            arguments=hide(result.arguments),
            finish_reason=hide(result.finish_reason),
            model=hide(result.model),
            fingerprint=hide(result.fingerprint),
        )
    return result


class _CutError(Exception):
    """A stream ended before it was complete."""


def _ask_whole(client: openai.OpenAI, server: Server, request: Request) -> Result:
    import httpx2

    # Not parsed into the client's own models: that takes longer than the rest of a call.
    said = {"model": server.model, **request.body}
    options: Any = {} if request.retries is None else {"max_retries": request.retries}
    response = client.post(request.path, cast_to=httpx2.Response, body=said, options=options)
    seconds = time.perf_counter() - response.request.extensions[_STARTED]
    collector = Collector()
    body = response.json()
    collector.add(body, seconds)
    if collector.error and not collector.seen:
        return tell_error(collector.error, server)
    if not collector.seen:
        return no_completion(server, f"it has no choices ({server.hide(response.text)[:80]!r})")
    done = collector.finish(seconds)
    return replace(done, body=body) if request.keeps_body else done


def _ask_stream(client: openai.OpenAI, desk: _Desk, job: _Job) -> Result:
    import openai

    body = {"model": desk.server.model, **job.request.body, "stream": True}
    stream: openai.Stream[Any] = client.post(
        job.request.path,
        cast_to=object,
        body=body,
        stream=True,
        stream_cls=openai.Stream[object],
    )
    started = stream.response.request.extensions[_STARTED]
    collector = Collector()
    with stream:
        if stream.response.headers.get("content-type", "").startswith("application/json"):
            stream.response.read()  # it does not stream
            collector.add(stream.response.json(), time.perf_counter() - started)
        else:
            _collect(stream, collector, started, lambda: desk.wants(job))
    if collector.error and not collector.finish_reason:
        return tell_error(collector.error, desk.server)
    if not collector.seen:
        return no_completion(desk.server, "its stream has no choices")
    if not collector.finish_reason:
        raise _CutError
    done = collector.finish(time.perf_counter() - started)
    desk.site.slots.add(started, done)
    return done


def _collect(
    stream: openai.Stream[Any],
    collector: Collector,
    started: float,
    is_wanted: Callable[[], bool],
) -> None:
    import openai

    with contextlib.closing(stream):
        try:
            for chunk in stream:
                collector.add(chunk, time.perf_counter() - started)
                if not is_wanted():
                    return
        except openai.APITimeoutError:
            raise
        except openai.APIConnectionError as exc:
            if not collector.finish_reason:
                raise _CutError from exc
