"""A project whose models are behind servers, run in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from projects import squad

from pytest_raq.running import Session, SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openai_server import Server

    from pytest_raq.records import SuiteResult

QUESTIONS = 20


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

    def session(self, **options: object) -> Session:
        """Return a session."""
        models = json.dumps(self.models)
        (self.root / "suites/small.toml").write_text(
            f'default = true\nmodels = {models}\n{self.suite}\n[dataset]\nsource = "small.json"\n'
            '[gate]\nmargin = 0.5\nlikelihood = "off"\n',
            encoding="utf-8",
        )
        folders = {f"{name}_folder": self.root / name for name in ("suites", "models", "baselines")}
        return Session(
            SessionOptions(**folders, store_path=self.root / "s.db", **options)  # type: ignore[arg-type]
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
