"""Looks for the model that was accepted: its file, and the engine that ran it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_raq.answering.identity import folder_sha256, libraries_sha256
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import AcceptedSpeed, ModelProvenance
    from pytest_raq.store import Store

_LIBRARIES = "%llama_cpp%lib%llama.%"
"""How the path of llama.cpp's library looks: those of environments that ran a model are known."""


@dataclass(frozen=True)
class AcceptedModels:
    """Finds accepted files and engines on this machine; nothing is downloaded.

    ``originals`` are the definitions of swapped models without the swap. Files are looked for
    there, under paths that the store knows, and as ``*.gguf`` in ``folders``; engines in the
    environments of the definitions, and in those that ran a model before.
    """

    store: Store
    originals: Mapping[str, ModelDefinition] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()

    def find(
        self, today: ModelDefinition, before: ModelProvenance, speed: AcceptedSpeed | None
    ) -> tuple[ModelDefinition | None, str]:
        """Return what was accepted as a definition that can be run here, or why it cannot.

        It is asked as today's model is, with the threads that were accepted.
        """
        file = self._file(today, before.file_sha256)
        if file is None:
            return None, f"the accepted file {before.file} is not on this machine"
        found, python = self._python(today, before, speed)
        if not found:
            return None, f"the accepted engine, llama-cpp-python {before.build}, is not here"
        threads = speed.threads if speed else before.options.get("threads", 0)
        changes = {
            "name": f"{today.name} (accepted)",
            "file": str(file.absolute()),
            "sha256": None,
            "python": python,
            "python_allowed": True,  # it was found among what may be run, or has run before
            "threads": threads if isinstance(threads, int) and threads else None,
        }
        return today.model_copy(update=changes), ""

    def _file(self, today: ModelDefinition, sha256: str) -> Path | None:
        """Return a file with the accepted content; the likely ones are read first."""
        if not sha256:
            return None
        seen: set[Path] = set()
        for path in self._candidates(today, sha256):
            if path not in seen:
                seen.add(path)
                if self._is(path, sha256):
                    return path
        return None

    def _candidates(self, today: ModelDefinition, sha256: str) -> Iterator[Path]:
        original = self.originals.get(today.name)
        for model in filter(None, (original, today)):
            if model.file:
                yield model.file_path
        yield from self.store.file_hashes.paths_of(sha256)
        for folder in self.folders:
            yield from sorted(folder.rglob("*.gguf"))

    def _is(self, path: Path, sha256: str) -> bool:
        try:
            return path.is_file() and self.store.file_hashes.sha256(path) == sha256
        except OSError:
            return False

    def _python(
        self, today: ModelDefinition, before: ModelProvenance, speed: AcceptedSpeed | None
    ) -> tuple[bool, str | None]:
        """Return whether the accepted engine is here, and the Python that has it (None: ours)."""
        digest = self.store.file_hashes.sha256
        original = self.originals.get(today.name)
        wanted = speed.libraries if speed else ""
        accepted = today.model_copy(update={"python": (speed.python if speed else "") or None})
        # Not today's own environment first: what runs today may be what has become slower.
        candidates = [model for model in (original, accepted, today) if model is not None]
        version = before.build.partition(" ")[0]

        def has_libraries(model: ModelDefinition) -> bool:
            return bool(wanted) and libraries_sha256(model, digest) == wanted

        def has_version(model: ModelDefinition) -> bool:
            return _version(model) == version  # compiled elsewhere, it has other bytes

        for fits in (has_libraries, has_version):
            for model in candidates:
                with suppress(ConfigError):  # a program that nobody allowed is not run
                    path = model.python_path
                    if fits(model):
                        return True, None if path is None else str(path.absolute())
            if wanted in self._known_engines:
                return True, str(self._known_engines[wanted])
        return False, None

    @cached_property
    def _known_engines(self) -> dict[str, Path]:
        """The environments whose llama.cpp was read before, by the SHA-256 of its libraries."""
        found = {}
        folders = {path.parent for path in self.store.file_hashes.paths_like(_LIBRARIES)}
        for folder in sorted(folders):
            # .../lib/python3.12/site-packages/llama_cpp/lib, or .../Lib/site-packages/… on Windows
            for root in folder.parents[3:6]:
                if (root / "pyvenv.cfg").is_file() and folder.is_dir():
                    found[folder_sha256(folder, self.store.file_hashes.sha256)] = root
        return found


def _version(model: ModelDefinition) -> str:
    from pytest_raq.answering.identity import engine_version

    path = model.python_path
    return engine_version() if path is None else find_environment(path).version
