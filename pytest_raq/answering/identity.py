"""What can change a model's answers, and the keys under which they are kept."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.instruction_sets import arithmetic_of
from pytest_raq.engines.openai_compat.parameters import HARMLESS, sent_for
from pytest_raq.files import hash_file
from pytest_raq.machine import describe_machine
from pytest_raq.store import AnswerKeys, hash_parts, likelihood_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.llamacpp.environment import Environment
    from pytest_raq.records import EngineInfo, Prompt

Options = dict[str, str | int | float | list[str]]

_LIBRARIES = ("*.so*", "*.dylib", "*.dll")
_WHERE = ("processor", "architecture", "system")


def model_options(model: ModelDefinition) -> Options:
    """Return the settings of a definition that can change its answers or their timings."""
    thought = _reasoning_options(model)
    if model.openai is not None and model.engine == "openai":
        return {
            "model": model.openai.model,
            "max_tokens": model.max_tokens,
            "temperature": model.temperature,
            "seed": model.seed,
            "stop": list(model.stop),
            **model.openai.request_options,
            **thought,
        }
    options: Options = {
        **thought,
        "context_length": model.context_length,
        "max_tokens": model.max_tokens,
        "temperature": model.temperature,
        "seed": model.seed,
        "stop": list(model.stop),
    }
    if model.reproducible:  # the same on any number of threads, and in any number of sequences
        return options
    options["threads"] = model.threads or 0
    if model.parallel is not None:
        options["parallel"] = model.parallel
    return options


def _reasoning_options(model: ModelDefinition) -> Options:
    """Return how a model may reason, as far as it is not as earlier versions asked."""
    options: Options = {}
    if model.reasoning != "auto":
        options["reasoning"] = model.reasoning
    if model.max_reasoning_tokens is not None:
        options["max_reasoning_tokens"] = model.max_reasoning_tokens
    if model.template and model.uses_chat:
        options["template"] = [
            f"{name} = {json.dumps(value, sort_keys=True)}"
            for name, value in sorted(model.template.items())
        ]
    return options


class AnswerIdentity:
    """The keys of one model's answers: of file, engine build, options and prompt.

    The build of llama.cpp is the version of llama-cpp-python, the content of
    its shared libraries (two builds of one version may round differently), and
    the processor, for which llama.cpp picks its kernels and on which the
    timings were taken. With ``extra_buffers`` False llama.cpp runs without its
    extra buffer types, whose kernels add in another order. A ``reproducible``
    model's answers depend on the instruction set in their place. A server is its
    address, the name of the model, the ``epoch`` (a new one for each change of who answers), and
    the parameters that it refuses: those that are ``left_out`` of the requests.
    """

    def __init__(
        self,
        model: ModelDefinition,
        file_sha256: str,
        digest: Callable[[Path], str] = hash_file,
        *,
        extra_buffers: bool = True,
        left_out: Iterable[str] = (),
        epoch: str = "",
    ) -> None:
        self._model, self._file_sha256, self._epoch = model, file_sha256, epoch
        self.extra_buffers = extra_buffers
        self.left_out = _of_effect(model, left_out)
        self._other = _other_environment(model)
        identity = self._identify(digest)
        self.engine_key = hash_parts(model=identity)
        options = model_options(model)
        if self.left_out:
            options["left_out"] = list(self.left_out)
        self._keys = AnswerKeys(model=identity, options=options)
        self._greedy_keys = AnswerKeys(model=identity, options={**options, "temperature": 0.0})

    def is_of(self, info: EngineInfo) -> bool:
        """Whether this is the identity of an engine that says this of itself."""
        left_out = _of_effect(self._model, info.left_out or ())
        return (self.extra_buffers, self.left_out) == (info.extra_buffers, left_out)

    def key(self, prompt: Prompt) -> str:
        """Return the key of the answer to a prompt."""
        return (self._greedy_keys if prompt.greedy else self._keys).key(prompt)

    def likelihood_key(self, prompt: Prompt, text: str) -> str:
        """Return the key of a text's likelihood after a prompt."""
        return likelihood_key(self.key(prompt), text)

    def _identify(self, digest: Callable[[Path], str]) -> list[str]:
        model = self._model
        if model.openai is not None and model.engine == "openai":
            server = model.openai
            query = [json.dumps(server.query, sort_keys=True)] if server.query else []
            epoch = [self._epoch] if self._epoch else []
            return [model.engine, server.base_url, server.model, *query, *epoch]
        machine = describe_machine()
        where = [machine[name] for name in _WHERE]
        libraries = _hash_libraries(self._library_files(), digest)
        kernels = [] if self.extra_buffers else ["extra buffer types off"]
        if model.reproducible:
            kernels = ["reproducible", arithmetic_of(self._other.python if self._other else None)]
        return [model.engine, self.engine_version, libraries, *where, self._file_sha256, *kernels]

    @property
    def engine_version(self) -> str:
        """The version of llama-cpp-python that runs the model."""
        return self._other.version if self._other else engine_version()

    def _library_files(self) -> list[Path]:
        return _libraries_in(self._other.libraries) if self._other else library_files()

    @property
    def former_engine_key(self) -> str:
        """The key of the engine in a store of format 1; empty where it cannot be there."""
        if self._other or not self.extra_buffers or self._model.reproducible:
            return ""
        return hash_parts(model=self._former_identity)

    def former_key(self, prompt: Prompt) -> str:
        """Return the key of the answer in a store of format 1; empty where it cannot be there.

        Format 1 had no batches: its questions were asked one at a time. Nor did
        it know chats of several messages.
        """
        options = model_options(self._model)
        asked_alone = options.pop("parallel", 1) == 1 and not self._model.reproducible
        if prompt.messages or self._other or not (asked_alone and self.extra_buffers):
            return ""
        if self._epoch:  # they are those of whoever answered before
            return ""
        return hash_parts(
            model=self._former_identity, options=options, text=prompt.text, chat=prompt.chat
        )

    @property
    def _former_identity(self) -> list[str]:
        return [self._model.engine, engine_version(), self._file_sha256]


def _of_effect(model: ModelDefinition, left_out: Iterable[str]) -> tuple[str, ...]:
    """Return the parameters that would be sent for a model and could change its answers."""
    return tuple(name for name in left_out if name in sent_for(model) and name not in HARMLESS)


def same_engine(
    first: ModelDefinition, second: ModelDefinition, digest: Callable[[Path], str] = hash_file
) -> bool:
    """Whether two definitions are run by the same build of an engine."""
    keys = {AnswerIdentity(model, "", digest).engine_key for model in (first, second)}
    return len(keys) == 1


def libraries_sha256(model: ModelDefinition, digest: Callable[[Path], str] = hash_file) -> str:
    """Return the SHA-256 of the libraries that run a model; empty for a server."""
    if model.engine != "llama-cpp":
        return ""
    other = _other_environment(model)
    return _hash_libraries(_libraries_in(other.libraries) if other else library_files(), digest)


def folder_sha256(folder: Path, digest: Callable[[Path], str] = hash_file) -> str:
    """Return the same of the libraries in a folder."""
    return _hash_libraries(_libraries_in(folder), digest)


@cache
def engine_version() -> str:
    """Return the version of llama-cpp-python without loading it."""
    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return ""


def library_files() -> list[Path]:
    """Return the shared libraries that llama-cpp-python loads; it is not imported for that."""
    override = os.environ.get("LLAMA_CPP_LIB_PATH")
    if override is not None:
        folder = Path(override)
    else:
        spec = find_spec("llama_cpp")
        if spec is None or spec.origin is None:
            return []
        folder = Path(spec.origin).parent / "lib"
    return _libraries_in(folder)


def _libraries_in(folder: Path) -> list[Path]:
    return sorted({path for pattern in _LIBRARIES for path in folder.glob(pattern)})


def _other_environment(model: ModelDefinition) -> Environment | None:
    """Return the environment that the definition names; ConfigError when it cannot be used."""
    if model.engine != "llama-cpp" or model.python_path is None:
        return None
    return find_environment(model.python_path)


def _hash_libraries(files: Iterable[Path], digest: Callable[[Path], str]) -> str:
    whole = hashlib.sha256()
    for path in files:
        try:
            whole.update(f"{path.name} {digest(path)}\n".encode())
        except OSError:  # the engine reports it when it cannot be loaded
            continue
    return whole.hexdigest()
