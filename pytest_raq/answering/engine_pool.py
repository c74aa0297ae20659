"""Engines that are kept open between tests, within the memory at hand."""

from __future__ import annotations

import os
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from pytest_raq.engines import open_engine
from pytest_raq.errors import RaqError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines import Engine

_MEMORY_SHARE = 0.4


class EnginePool:
    """Opens each model once and closes the least recently used when memory is short.

    A model that did not start is not tried again: the same error is raised
    each time it is asked for. ``digest`` tells the SHA-256 of a file, maybe
    without reading it.
    """

    def __init__(
        self,
        opener: Callable[..., Engine] | None = None,
        budget_bytes: int | None = None,
        digest: Callable[[Path], str] | None = None,
    ) -> None:
        known = partial(open_engine, digest=digest) if digest else open_engine
        self._opener = opener or known
        self._budget = memory_share() if budget_bytes is None else budget_bytes
        self._engines: OrderedDict[str, tuple[Engine, int]] = OrderedDict()
        self._errors: dict[str, RaqError] = {}

    def is_open(self, model: ModelDefinition) -> bool:
        """Whether the model is loaded."""
        return model.name in self._engines

    def fits(self, sizes: Iterable[int]) -> bool:
        """Whether models of these sizes, in bytes, can be open at the same time."""
        return sum(sizes) <= self._budget

    def get(self, model: ModelDefinition, *, is_verified: bool = False) -> Engine:
        """Return the engine of a model, loading it if needed; RaqError when it will not load.

        Of one that ``is_verified`` to be reproducible that is not found out again.
        """
        if model.name in self._errors:
            raise self._errors[model.name]
        if model.name not in self._engines:
            self._open(
                model, partial(self._opener, is_verified=True) if is_verified else self._opener
            )
        self._engines.move_to_end(model.name)
        return self._engines[model.name][0]

    def open_fresh(self, model: ModelDefinition) -> Engine:
        """Load a model once more, in a process of its own that the caller closes."""
        self._make_room(file_size(model))
        return self._opener(model)

    def _make_room(self, size: int) -> None:
        while self._engines and size + self._bytes_open() > self._budget:
            _, (engine, _) = self._engines.popitem(last=False)
            engine.close()

    def _open(self, model: ModelDefinition, opener: Callable[..., Engine]) -> None:
        size = file_size(model)
        self._make_room(size)
        try:
            self._engines[model.name] = (opener(model), size)
        except RaqError as exc:
            self._errors[model.name] = exc
            raise

    def release(self, model: ModelDefinition) -> None:
        """Close the engine of a model, if it is open."""
        engine, _ = self._engines.pop(model.name, (None, 0))
        if engine is not None:
            engine.close()

    def _bytes_open(self) -> int:
        return sum(size for _, size in self._engines.values())

    def close(self) -> None:
        """Close every engine."""
        while self._engines:
            _, (engine, _) = self._engines.popitem()
            engine.close()


def file_size(model: ModelDefinition) -> int:
    """Return the bytes of a model's file; 0 where there is none."""
    if model.file is None:
        return 0
    try:
        return model.file_path.stat().st_size
    except OSError:
        return 0


def memory_share() -> int:
    """Return how many bytes the files of loaded models may have together."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES")
        return int(_MEMORY_SHARE * pages * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return 2**32
