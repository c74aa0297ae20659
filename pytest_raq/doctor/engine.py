"""Checks llama.cpp: what it was compiled for, and one model of each kind of quantization."""

from __future__ import annotations

import struct
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import ModelDefinition
from pytest_raq.doctor.context import finding, install_command, split_step
from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.instruction_sets import (
    describe_features,
    library_build,
    missing_features,
    reinstall_command,
    require_instruction_set,
)
from pytest_raq.engines.llamacpp.quantizer import Quantizer
from pytest_raq.errors import RaqError
from pytest_raq.records import Answer, Prompt
from pytest_raq.records.command_results import Health

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from pytest_raq.doctor.context import CheckContext
    from pytest_raq.engines.llamacpp.instruction_sets import LibraryBuild
    from pytest_raq.records.command_results import Finding


_WIDTH, _HEADS, _FEED_FORWARD, _TRAINED_CONTEXT = 256, 4, 512, 1024
_ALIGNMENT = 32
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5
_NORMAL, _CONTROL, _ALL_F32 = 1, 3, 0
_SPECIAL = ("<s>", "</s>")
PROMPT = "The quick brown fox jumps over the lazy dog. " * 4

_SHAPE = (
    ("context_length", _TRAINED_CONTEXT),
    ("embedding_length", _WIDTH),
    ("block_count", 1),
    ("feed_forward_length", _FEED_FORWARD),
    ("attention.head_count", _HEADS),
    ("attention.head_count_kv", _HEADS),
    ("rope.dimension_count", _WIDTH // _HEADS),
    ("vocab_size", len(_SPECIAL) + 256),
)

SECTION = "llama.cpp"
_KINDS = ("F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_XS")
"""One kind of quantization for each family of kernels."""
_QUESTIONS, _TOKENS, _CONTEXT = 4, 32, 512
_SILENCE = 30.0
"""Seconds after which no answer of a model of 3 MB can be expected."""
_SECONDS = 90.0
"""Seconds after which no further kind is tried."""


def write_tiny_model(path: Path) -> None:
    """Write the model to a file, about 4 MB of F32; raise OSError if it cannot be written."""
    import numpy as np

    tokens = [*_SPECIAL, *_byte_tokens()]
    kinds = [_CONTROL] * len(_SPECIAL) + [_NORMAL] * 256
    metadata = [
        _entry("general.architecture", _STRING, _string("llama")),
        _entry("general.name", _STRING, _string("raq doctor")),
        _entry("general.file_type", _UINT32, struct.pack("<I", _ALL_F32)),
        *(_entry(f"llama.{name}", _UINT32, struct.pack("<I", value)) for name, value in _SHAPE),
        _entry("llama.attention.layer_norm_rms_epsilon", _FLOAT32, struct.pack("<f", 1e-5)),
        _entry("tokenizer.ggml.model", _STRING, _string("gpt2")),
        _entry("tokenizer.ggml.pre", _STRING, _string("gpt-2")),
        _entry("tokenizer.ggml.tokens", _ARRAY, _array(_STRING, map(_string, tokens))),
        _entry(
            "tokenizer.ggml.token_type",
            _ARRAY,
            _array(_INT32, (struct.pack("<i", kind) for kind in kinds)),
        ),
        # At least one merge is required; this one never matches a text.
        _entry("tokenizer.ggml.merges", _ARRAY, _array(_STRING, [_string("Ā ā")])),
        _entry("tokenizer.ggml.bos_token_id", _UINT32, struct.pack("<I", 0)),
        _entry("tokenizer.ggml.eos_token_id", _UINT32, struct.pack("<I", 1)),
        _entry("tokenizer.ggml.add_bos_token", _BOOL, b"\1"),
    ]
    tensors = dict(_tensors(np.random.default_rng(0), len(tokens)))
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        file.write(b"".join(metadata))
        offset = 0
        for name, tensor in tensors.items():
            shape = tensor.shape[::-1]
            file.write(_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            file.write(struct.pack("<IQ", 0, offset))  # type 0 is F32
            offset += _padded(tensor.nbytes)
        file.write(b"\0" * (_padded(file.tell()) - file.tell()))
        for tensor in tensors.values():
            file.write(tensor.tobytes().ljust(_padded(tensor.nbytes), b"\0"))


def _tensors(
    random: np.random.Generator, vocabulary: int
) -> Iterator[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    import numpy as np

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.standard_normal(shape, dtype=np.float32) / np.float32(shape[-1] ** 0.5)

    ones = np.ones(_WIDTH, dtype=np.float32)
    yield "token_embd.weight", weights(vocabulary, _WIDTH)
    yield "output.weight", weights(vocabulary, _WIDTH)
    yield "output_norm.weight", ones
    yield "blk.0.attn_norm.weight", ones
    yield "blk.0.ffn_norm.weight", ones
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        yield f"blk.0.{part}.weight", weights(_WIDTH, _WIDTH)
    yield "blk.0.ffn_gate.weight", weights(_FEED_FORWARD, _WIDTH)
    yield "blk.0.ffn_up.weight", weights(_FEED_FORWARD, _WIDTH)
    yield "blk.0.ffn_down.weight", weights(_WIDTH, _FEED_FORWARD)


def _byte_tokens() -> list[str]:
    """Return GPT-2's printable characters for the 256 bytes."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    stands = {byte: chr(byte) for byte in shown}
    return [
        stands[byte] if byte in stands else chr(256 + hidden.index(byte)) for byte in range(256)
    ]


def _entry(key: str, kind: int, value: bytes) -> bytes:
    return _string(key) + struct.pack("<I", kind) + value


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _array(kind: int, items: Iterator[bytes] | Sequence[bytes]) -> bytes:
    found = list(items)
    return struct.pack("<IQ", kind, len(found)) + b"".join(found)


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def look_at_engine(context: CheckContext) -> Iterator[Finding]:
    """Yield what llama.cpp was compiled for, and whether each kind of quantization answers.

    First for this environment, or the requested one, then for each that a
    definition names.
    """
    own = [model for model in context.readable_models if _is_local(model) and not model.python]
    needed = any(model.name in context.needed for model in own)
    if context.python is None:
        absent = Health.FAILURE if needed else Health.WARNING
        yield from _Examination(SECTION, None, Health.FAILURE, absent).look()
    else:
        yield from _look_at_other(SECTION, context.python, Health.FAILURE)
    yield from _not_run(context)
    for python, health in _named_pythons(context).items():
        yield from _look_at_other(f"{SECTION} of {python}", python, health)
    yield from _look_at_instruction_sets(context)


def _not_run(context: CheckContext) -> Iterator[Finding]:
    """Yield which definitions name a program that this check does not start by itself."""
    for model in context.readable_models:
        if model.python is not None and not model.python_allowed and _is_local(model):
            told = f"{model.path} names {model.python}, which is not run without --allow-python"
            step = "read the definition, then check it with raq doctor --allow-python"
            yield finding(SECTION, f"python of {model.name}", Health.WARNING, told, step)


def _look_at_instruction_sets(context: CheckContext) -> Iterator[Finding]:
    """Yield which models ask for an instruction set, and whether their llama.cpp has it."""
    for model in context.runnable_models:
        if not model.instruction_set:
            continue
        other = context.python or model.python_path
        name, told = f"instruction_set of {model.name}", model.instruction_set
        try:
            require_instruction_set(model, find_environment(other).python if other else None)
        except RaqError as exc:
            parts = split_step(str(exc), "compile llama.cpp for it")
            yield finding(SECTION, name, context.trouble(model.name), *parts)
        else:
            yield finding(SECTION, name, Health.OK, told)


def _is_local(model: ModelDefinition) -> bool:
    return model.engine == "llama-cpp"


def _named_pythons(context: CheckContext) -> dict[Path, Health]:
    """Return the environments that definitions name, and the severity if one cannot be used."""
    found: dict[Path, Health] = {}
    for model in context.runnable_models:
        if model.python_path is not None and _is_local(model):
            health = context.trouble(model.name)
            if found.get(model.python_path) is not Health.FAILURE:
                found[model.python_path] = health
    return found


def _look_at_other(section: str, path: Path, health: Health) -> Iterator[Finding]:
    try:
        python = find_environment(path).python
    except RaqError as exc:
        told = split_step(str(exc), "name another python with llama-cpp-python")
        yield finding(section, "python", health, *told)
    else:
        yield from _Examination(section, python, health, health).look()


@dataclass
class _Examination:
    """Checks the llama.cpp of one Python; None means this Python.

    ``broken`` is the severity if it does not run, ``absent`` if it is not
    installed; ``notes`` are the notes of engines.
    """

    section: str
    python: Path | None
    broken: Health
    absent: Health
    notes: list[str] = field(default_factory=list)

    def look(self) -> Iterator[Finding]:
        """Yield all findings."""
        build = library_build(self.python)
        if build.problem == "llama-cpp-python is not installed":
            step = install_command("llama")
            yield self._found("llama-cpp-python", self.absent, "not installed", step)
            return
        yield from self._compiled_for(build)
        try:
            with tempfile.TemporaryDirectory(prefix="raq-doctor-") as folder:
                yield from self._kinds(Path(folder))
        except OSError as exc:
            text = f"no model for a test can be written: {exc}"
            step = "make space, or set TMPDIR to a folder that can be written"
            yield self._found("temporary files", Health.FAILURE, text, step)

    def _compiled_for(self, build: LibraryBuild) -> Iterator[Finding]:
        where = f"{build.version or 'of unknown version'}, of {build.python}"
        yield self._found("llama-cpp-python", Health.OK, where)
        if build.problem:
            step = reinstall_command(build)
            yield self._found("compiled for", self.broken, build.problem, step)
            return
        told = describe_features(build.features)
        if build.variants:
            told = f"{len(build.variants)} kinds of processor, selected when it starts"
        missing = missing_features(build)
        if missing and not build.variants:
            told += f"; this processor has no {', '.join(missing)}"
            yield self._found("compiled for", self.broken, told, reinstall_command(build))
        else:
            yield self._found("compiled for", Health.OK, told)

    def _kinds(self, folder: Path) -> Iterator[Finding]:
        """Make a model of each kind with llama.cpp's own quantizer, and let it answer."""
        source = folder / "tiny.gguf"
        write_tiny_model(source)
        yield from self._answer("F32", source)
        try:
            with Quantizer(source, self.python, silence=_SILENCE) as quantizer:
                yield from self._quantized(quantizer, folder)
        except RaqError as exc:
            yield self._failed("quantizer", source, str(exc))
        if self.notes:
            told = split_step(self.notes[0], self._compile_again)
            yield self._found("extra buffer types", Health.WARNING, *told)

    def _quantized(self, quantizer: Quantizer, folder: Path) -> Iterator[Finding]:
        end = time.monotonic() + _SECONDS
        for kind in (kind for kind in _KINDS if kind in quantizer.source.types):
            if time.monotonic() > end:
                text = f"not tried: the other kinds took longer than {_SECONDS:g} s"
                step = "run raq doctor again when this machine is less busy"
                yield self._found(kind, Health.WARNING, text, step)
                continue
            path = folder / f"{kind}.gguf"
            try:
                quantizer.quantize(kind, path)
            except RaqError as exc:
                yield self._failed(kind, path, str(exc))
            else:
                yield from self._answer(kind, path)

    def _answer(self, kind: str, path: Path) -> Iterator[Finding]:
        """Yield whether a model file answers; keep the notes of its engine."""
        prompts = [Prompt(str(number), f"{PROMPT}{number}") for number in range(_QUESTIONS)]
        try:
            with LlamaCppEngine(_definition(kind, path), self.python) as engine:
                started = time.perf_counter()
                outcomes = list(engine.answers(prompts))
                seconds = time.perf_counter() - started
                info = engine.info
        except RaqError as exc:
            yield self._failed(kind, path, str(exc))
            return
        if kind == "F32":
            yield self._found("build", Health.OK, info.build)
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        reasons = [outcome.reason for outcome in outcomes if not isinstance(outcome, Answer)]
        if reasons:
            yield self._failed(kind, path, reasons[0])
            return
        tokens = sum(answer.timing.generated_tokens for answer in answers)
        told = f"answers: {tokens} tokens in {seconds:.2f} s"
        if info.note:
            self.notes.append(info.note)
            _, step = split_step(info.note, self._compile_again)
            told += ", with extra buffer types off"
            yield self._found(kind, Health.WARNING, told, step)
        else:
            yield self._found(kind, Health.OK, told)

    def _failed(self, kind: str, path: Path, message: str) -> Finding:
        # The path is removed: the file is temporary, and equal reasons must compare as equal.
        told = split_step(message.removeprefix(f"{path}: "), self._compile_again)
        return self._found(kind, self.broken, *told)

    @property
    def _compile_again(self) -> str:
        return reinstall_command(library_build(self.python))

    def _found(self, name: str, health: Health, text: str, step: str = "") -> Finding:
        return finding(self.section, name, health, text, step)


def _definition(kind: str, path: Path) -> ModelDefinition:
    return ModelDefinition(
        name=kind,
        path=path.with_suffix(".toml"),
        file=path.name,
        prompt="{question}",
        context_length=_CONTEXT,
        max_tokens=_TOKENS,
        parallel=_QUESTIONS,
        timeout=_SILENCE,
    )
