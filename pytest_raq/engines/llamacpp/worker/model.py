"""Part of the worker: one GGUF file under llama.cpp's low-level API.

``llama`` is the module llama_cpp, which only the worker itself imports.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.cache import (
        SIDE_BATCH,
        least_rows,
        shared_layouts,
        side_layout,
        stream_layouts,
    )
    from pytest_raq.engines.llamacpp.worker.chat_template import TemplateError
    from pytest_raq.engines.llamacpp.worker.context import Context
    from pytest_raq.engines.llamacpp.worker.questions import (
        EMPTY,
        TOO_LONG,
        Beside,
        Continuation,
        LoadError,
        Question,
        QuestionError,
        ScoredQuestion,
        TooLongError,
    )
    from pytest_raq.engines.llamacpp.worker.thoughts import closing_of, lower_spans
    from pytest_raq.engines.llamacpp.worker.vocabulary import Vocabulary
else:  # beside the worker, in an environment that may not have this package
    from cache import SIDE_BATCH, least_rows, shared_layouts, side_layout, stream_layouts
    from chat_template import TemplateError
    from context import Context
    from questions import (
        EMPTY,
        TOO_LONG,
        Beside,
        Continuation,
        LoadError,
        Question,
        QuestionError,
        ScoredQuestion,
        TooLongError,
    )
    from thoughts import closing_of, lower_spans
    from vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from pytest_raq.engines.llamacpp.worker.cache import Layout

_ALL_LAYERS = 0x7FFFFFFF
_BATCH = 512
_PROMPT = 64
"""Tokens; kernels for many columns take over at 32 columns or fewer."""
_LONGEST_REHEARSAL = 1.0
"""Seconds that a whole batch may take while a model is loaded."""
_LONGEST_CONTEXT = 2**31 - 1


class Model(Context):
    """A loaded model with a cache of ``cells`` tokens for ``sequences`` at once.

    A ``reproducible`` one computes the same bits whatever is computed beside:
    with the plainest kernels, a stream of the cache for each sequence, and
    never fewer than ``least`` tokens of a prompt or of several sequences.
    LoadError or TemplateError when it cannot be used; ``alive`` is called
    whenever a step of something long is done.
    """

    def __init__(self, llama: ModuleType, order: dict[str, Any], alive: Callable[[], None]) -> None:
        self._llama = llama
        self._alive = alive
        self._limit = int(order["context_length"])
        self.reproducible = bool(order.get("reproducible"))
        self.least = least_rows() if self.reproducible else 1
        extra = order.get("extra_buffers", True) and not self.reproducible
        self._model = self._load(order["file"], extra_buffers=extra)
        _require_generator(llama, self._model)
        self._threads = int(order["threads"])
        context, self.layout = self._make_context(order["parallel"])
        self.sequences = self.layout.sequences
        self.vocabulary = Vocabulary(
            llama,
            self._model,
            chat=order["chat"],
            roles=order.get("roles") or ("user",),
            variables=order.get("variables") or {},
            marks=order.get("marks", ()),
        )
        self.spans = lower_spans(order.get("spans", ()))
        super().__init__(
            llama, context, capacity=_BATCH, vocabulary=self.vocabulary.size, alive=alive
        )
        self.pace = 0.0
        """Seconds that a whole batch takes, about."""
        self._warm_up()

    def _load(self, file: str, *, extra_buffers: bool) -> Any:  # noqa: ANN401 - a pointer
        def loading(_share: float, _data: object) -> bool:
            self._alive()
            return True

        params = self._llama.llama_model_default_params()
        params.n_gpu_layers = _ALL_LAYERS if self._llama.llama_supports_gpu_offload() else 0
        params.use_extra_bufts = extra_buffers
        params.progress_callback = self._llama.llama_progress_callback(loading)
        model = self._llama.llama_model_load_from_file(os.fsencode(file), params)
        if not model:
            raise LoadError("file", "llama.cpp cannot load the model")
        return model

    def _layouts(self, parallel: int) -> Iterator[Layout]:
        """Yield how the cache may be laid out, the best first: for one sequence at least."""
        llama, model = self._llama, self._model
        heads = max(1, llama.llama_model_n_head(model))
        row = llama.llama_model_n_embd(model) // heads * llama.llama_model_n_head_kv(model)
        cell = 4 * max(1, row) * llama.llama_model_n_layer(model)  # bytes: keys, values in F16
        if self.reproducible:
            return stream_layouts(self._limit, parallel, bytes_of_a_cell=cell)
        trained = self._rope_switches_at()
        return shared_layouts(self._limit, parallel, bytes_of_a_cell=cell, trained=trained)

    def _rope_switches_at(self) -> int:
        """Return above what size of cache a model takes other rotary factors; 0: it never does."""
        arch = self._metadata("general.architecture")
        said = self._metadata(f"{arch}.rope.scaling.original_context_length")
        return int(said) if said.isdecimal() else 0

    def _metadata(self, key: str) -> str:
        value = ctypes.create_string_buffer(64)
        size = self._llama.llama_model_meta_val_str(self._model, key.encode(), value, len(value))
        return "" if size < 0 else value.value.decode("utf-8", "replace")

    def _make_context(self, parallel: int) -> tuple[Any, Layout]:
        if self._limit > _LONGEST_CONTEXT:
            raise LoadError("context", "llama.cpp cannot make room")
        for layout in self._layouts(int(parallel)):
            context = self._open_context(layout, _BATCH)
            if context:
                return context, layout
        raise LoadError("context", "llama.cpp cannot make room")

    def _open_context(self, layout: Layout, batch: int) -> Any:  # noqa: ANN401 - a pointer
        """Return a context of this model; a null pointer where there is no memory for it."""
        params = self._llama.llama_context_default_params()
        params.n_threads = params.n_threads_batch = self._threads
        if self.reproducible:  # its tiles depend on where a prompt is cut
            params.flash_attn_type = self._llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.n_ctx = layout.cells
        params.n_batch = params.n_ubatch = min(batch, layout.cells)
        params.n_seq_max = layout.sequences
        params.kv_unified = layout.unified
        return self._llama.llama_init_from_model(self._model, params)

    @cached_property
    def side(self) -> Context | None:
        """A small context of the same model, made when it is first wanted; None: no memory for it.

        It has room for one question with one continuation, and a batch of others.
        """
        layout = side_layout(self._limit, trained=self._rope_switches_at())
        context = self._open_context(layout, SIDE_BATCH)
        if not context:
            return None
        size = self.vocabulary.size
        return Context(
            self._llama, context, capacity=SIDE_BATCH, vocabulary=size, alive=self._alive
        )

    def keeps(self, end: int) -> bool:
        """Whether the cache still has a whole prompt when its answer has come to an ``end``.

        Not the state of a recurrent model, nor what a sliding window has left behind.
        """
        llama, model = self._llama, self._model
        try:
            if llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model):
                return False
            window = int(llama.llama_model_n_swa(model))
        except AttributeError:  # an older llama-cpp-python, which does not tell
            return False
        return not window or end <= window

    def _warm_up(self) -> None:
        """Touch all weights once, and do once what answering does.

        So the first question is timed like the others, and kernels that this
        processor cannot run end the process here, not at a question.
        """
        self._llama.llama_set_warmup(self._context, True)
        self._rehearse(1)
        self._llama.llama_set_warmup(self._context, False)
        started = time.perf_counter()
        self._rehearse(_PROMPT)  # a prompt: matrices times matrices
        self.pace = (time.perf_counter() - started) * _BATCH / _PROMPT
        if self.pace < _LONGEST_REHEARSAL:  # a large model would take long for the same kernels
            self._rehearse(_BATCH)
        self._rehearse(1, sequences=self.sequences)  # a token each, decoded together
        self._rehearse(1)

    def _rehearse(self, tokens: int, sequences: int = 1) -> None:
        """Evaluate a batch with a number of tokens in each of several sequences, and forget it."""
        self.clear()
        self.batch.clear()
        for sequence in range(min(sequences, self.cells, self.batch.room)):
            count = min(tokens, self._limit, self.batch.room)
            self.batch.extend([self.vocabulary.first] * count, 0, sequence)
            self.batch.want_logits()
        try:
            self.evaluate()
        except QuestionError as exc:
            raise LoadError("file", str(exc)) from exc
        self._llama.llama_synchronize(self._context)
        self.clear()

    def describe(self) -> dict[str, Any]:
        """Return what the parent records of a loaded model."""
        template = self.vocabulary.template_source()
        return {
            "quantization": _quantization(self._llama, self._metadata("general.file_type")),
            "parameters": self._llama.llama_model_n_params(self._model),
            "chat_template_sha256": hashlib.sha256(template).hexdigest() if template else "",
            "parallel": self.layout.parallel,
        }

    def question(self, order: dict[str, Any]) -> Question:
        """Return a question as tokens.

        QuestionError, TemplateError or TooLongError when it cannot be asked.
        """
        started = time.perf_counter()
        tokens = self.vocabulary.prompt_tokens(
            order["text"], chat=order["chat"], messages=order.get("messages", ())
        )
        most, budget = int(order["max_tokens"]), order.get("budget")
        room = min(most + (budget or 0), self._limit - len(tokens))
        if room < 1:
            raise TooLongError(len(tokens))
        prompt_end = self.vocabulary.chat_end if order["chat"] else order.get("prompt_end", "")
        return Question(
            request=order["request"],
            tokens=tokens,
            room=room,
            stop=order["stop"],
            make_sampler=lambda: _make_sampler(self._llama, self.vocabulary.raw, order),
            seconds=time.perf_counter() - started,
            is_split=bool(order.get("split")),
            closing=closing_of(prompt_end, self.spans) if order.get("split") else None,
            budget=budget,
            most=most,
            beside=self._beside(order, tokens, room),
        )

    def _beside(self, order: dict[str, Any], tokens: list[int], room: int) -> Beside | None:
        """Return what is scored beside an answer; None where nothing is, or nothing can be."""
        texts = order.get("beside")
        if texts is None or not self.keeps(len(tokens) + room):
            return None
        if not self.reproducible and self.side is None:
            return None
        try:
            make = self._continuations(order, tokens)
            return Beside(list(map(make, texts)), make)
        except (QuestionError, TemplateError):
            return None  # the answer can do without; who scores these texts alone says why not

    def scored_question(self, order: dict[str, Any]) -> ScoredQuestion:
        """Return a question with its continuations as tokens.

        QuestionError, TemplateError or TooLongError when none can be scored.
        """
        messages = order.get("messages", ())
        tokens = self.vocabulary.prompt_tokens(order["text"], chat=order["chat"], messages=messages)
        if len(tokens) >= self._limit:
            raise TooLongError(len(tokens))
        make = self._continuations(order, tokens)
        return ScoredQuestion(order["request"], tokens, list(map(make, order["continuations"])))

    def _continuations(
        self, order: dict[str, Any], tokens: list[int]
    ) -> Callable[[str], Continuation]:
        """Return what makes continuations of texts that follow a prompt."""
        vocabulary, last = self.vocabulary, tokens[-1]
        messages = order.get("messages", ())
        lead = vocabulary.lead(order["text"], last, chat=order["chat"], messages=messages)

        def make(text: str) -> Continuation:
            following = vocabulary.continuation_tokens(text, lead, last) if text else []
            size = len(text.encode("utf-8", "replace"))
            # A single token may have to be evaluated with others.
            fits = len(tokens) + max(len(following), self.least) <= self._limit
            problem = "" if following and fits else TOO_LONG if following else EMPTY
            return Continuation(text, following, size, problem)

        return make

    def fill_up(self) -> None:
        """Add to a batch of one token each of the first sequences what the kernels want at least.

        The sequences behind them must be nobody's; what was added there before is forgotten.
        """
        for sequence in range(self.batch.size, self.least):
            self.drop(sequence)
            self.batch.add(self.vocabulary.first, 0, sequence)

    @property
    def stream(self) -> int:
        """How many tokens a sequence has room for where it shares its cells with no other."""
        return self.cells // self.sequences

    def free_sampler(self, sampler: object) -> None:
        """Free what `Question.make_sampler` made."""
        self._llama.llama_sampler_free(sampler)


def _require_generator(llama: ModuleType, model: Any) -> None:  # noqa: ANN401 - a pointer
    """LoadError unless a model continues texts."""
    vocabulary = llama.llama_model_get_vocab(model)
    if llama.llama_vocab_type(vocabulary) == llama.LLAMA_VOCAB_TYPE_NONE:
        raise LoadError("file", "the model has no tokenizer")
    encodes = llama.llama_model_has_encoder(model)
    if encodes or not llama.llama_model_has_decoder(model):
        raise LoadError("file", "the model cannot continue a text")


def _quantization(llama: ModuleType, file_type: str) -> str:
    """Return e.g. Q4_K_M for the number of a file type; empty for none."""
    if not file_type:
        return ""
    for name in dir(llama):
        if name.startswith("LLAMA_FTYPE_") and str(getattr(llama, name)) == file_type:
            return name.replace("LLAMA_FTYPE_MOSTLY_", "").replace("LLAMA_FTYPE_ALL_", "")
    return f"file type {file_type}"


def _make_sampler(llama: ModuleType, vocabulary: object, order: dict[str, Any]) -> object:
    """Return what chooses the tokens of one answer."""
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    if order["temperature"] == 0:
        links = [*_grammar(llama, vocabulary, order), llama.llama_sampler_init_greedy()]
    else:
        links = [
            *_grammar(llama, vocabulary, order),
            llama.llama_sampler_init_temp(order["temperature"]),
            llama.llama_sampler_init_dist(answer_seed(order["seed"], order["text"])),
        ]
    for link in links:
        llama.llama_sampler_chain_add(chain, link)
    return chain


def _grammar(llama: ModuleType, vocabulary: object, order: dict[str, Any]) -> list[object]:
    """Return what keeps an answer to its JSON schema; nothing where it has none."""
    if not order.get("schema"):
        return []
    try:
        grammar = llama.llama_grammar.json_schema_to_gbnf(order["schema"])
    except Exception as exc:  # a converter of any version: whatever it does not know
        raise QuestionError(f"the schema cannot be made a grammar: {exc}") from exc
    link = llama.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
    if not link:
        raise QuestionError("llama.cpp cannot read the grammar of the schema")
    return [link]


def answer_seed(seed: int, prompt: str) -> int:
    """Return the seed of one answer: of the model's seed and the prompt, nothing before it."""
    digest = hashlib.sha256(f"{seed}\0{prompt}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF  # 0xFFFFFFFF is a random seed
