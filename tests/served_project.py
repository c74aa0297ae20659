"""A project whose models are behind servers, run in this process."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from openai_server import Response, Server, stream
from projects import squad

from pytest_raq.running import Session, SessionOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_raq.records import SuiteResult
    from pytest_raq.running.workers import SharedWork


class Weights:
    """The model of a server: answers by question, who it says it is, and what it was asked."""

    def __init__(self, text: str | Callable[[str], str] = "right {}", **who: str) -> None:
        self.text, self.who = text, who
        self.asked: list[int] = []

    def __call__(self, request: dict[str, Any]) -> Response:
        found = re.search(r"about (\d+)", request["messages"][0]["content"])
        assert found
        number = found[1]
        self.asked.append(int(number))
        text = self.text(number) if callable(self.text) else self.text.format(number)
        return stream([text], **self.who)


class ServedProject:
    """A suite "small" of twenty questions; each run is a session of its own with one store."""

    def __init__(self, root: Path, suite: str = "") -> None:
        self.root, self.suite = root, suite
        for name in ("suites", "models", "baselines"):
            (root / name).mkdir()
        (root / "suites/small.json").write_text(json.dumps(squad()), encoding="utf-8")
        self.models: list[str] = []

    def add(
        self, name: str, server: Server | str, *, served: str = "m", **settings: object
    ) -> None:
        """Write a definition of a model behind a server."""
        url = server if isinstance(server, str) else server.url
        told = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        (self.root / f"models/{name}.toml").write_text(
            f'engine = "openai"\nprompt = "chat"\ntimeout = 5\n{told}[openai]\n'
            f'base_url = "{url}"\nmodel = "{served}"\nmax_retries = 0\n',
            encoding="utf-8",
        )
        if name not in self.models:
            self.models.append(name)

    def session(self, sharing: SharedWork | None = None, **options: object) -> Session:
        """Return a session; with ``sharing`` it is one of several processes of a run."""
        models = json.dumps(self.models)
        (self.root / "suites/small.toml").write_text(
            f'default = true\nmodels = {models}\n{self.suite}\n[dataset]\nsource = "small.json"\n'
            '[gate]\nmargin = 0.5\nlikelihood = "off"\n',
            encoding="utf-8",
        )
        folders = {f"{name}_folder": self.root / name for name in ("suites", "models", "baselines")}
        return Session(
            SessionOptions(**folders, store_path=self.root / "s.db", **options),  # type: ignore[arg-type]
            sharing=sharing,
        )

    def run(self, **options: object) -> SuiteResult:
        """Run everything and return the result; with ``update`` it is accepted."""
        session = self.session(**options)
        try:
            run = session.run("small")
            for model in run.models:
                run.verdict(model)
            if options.get("update"):
                run.accept("test")
            return run.result()
        finally:
            session.close()


def notes_of(result: SuiteResult, start: str) -> Iterator[str]:
    """Yield the notes that begin so."""
    return (note for note in result.notes if note.startswith(start))
