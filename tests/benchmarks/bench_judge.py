"""Measure a judge: 1,000 rankings by a server on loopback that answers after 50 ms."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.config import ModelDefinition
from pytest_raq.judging import make_judge, rank_contestants, remember
from pytest_raq.records import Question
from pytest_raq.store import Store

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

RANKINGS = 1000
CONCURRENCY = 32
LATENCY = 0.05
ROUNDS = 3
REPLY = {
    "choices": [{"index": 0, "message": {"content": '{"A": 1, "B": 2, "C": 2}'}}],
    "usage": {"prompt_tokens": 400, "completion_tokens": 14},
}


async def _serve(told: Connection) -> None:
    body = json.dumps(REPLY).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length: ")
                await reader.readexactly(int(length.split(b"\r\n")[0] or 0))
                await asyncio.sleep(LATENCY)
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=256)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run(told: Connection) -> None:
    asyncio.run(_serve(told))


def _judge_all(port: int) -> float:
    """Return the seconds of all rankings, store and the set-up of the client included."""
    definition = ModelDefinition.model_validate(
        {
            "name": "loopback",
            "path": Path("models/loopback.toml"),
            "engine": "openai",
            "openai": {"base_url": f"http://127.0.0.1:{port}/v1", "model": "m"},
            "judge": {"concurrency": CONCURRENCY},
        }
    )
    items = [
        (
            Question(f"q{n}", "", f"passage {n}", f"What is it about {n}?", (f"right {n}",)),
            {"a": f"right {n}", "b": f"it is {n} " * 20, "c": f"wrong {n}"},
        )
        for n in range(RANKINGS)
    ]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.db") as store:
        start = time.perf_counter()
        judge = remember(make_judge(definition), store)
        rankings = list(rank_contestants(judge, items))
        judge.close()
        seconds = time.perf_counter() - start
    assert not any(ranking.missing for ranking in rankings)
    return seconds


def main(_arguments: list[str]) -> None:
    """Print how long the rankings take against the time that the server alone needs.

    The first round imports the client too.
    """
    mine, told = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_run, args=(told,), daemon=True)
    server.start()
    port = mine.recv()
    ideal = RANKINGS / CONCURRENCY * LATENCY
    try:
        found = [_judge_all(port) for _ in range(ROUNDS)]
    finally:
        server.terminate()
        server.join()
    print(
        f"judge: {RANKINGS:,} rankings in {median(found):.2f} s at concurrency {CONCURRENCY}"
        f" ({', '.join(f'{seconds:.2f}' for seconds in found)}), ideal {ideal:.2f} s:"
        f" {median(found) / ideal:.2f} times"
    )


if __name__ == "__main__":
    main([])
