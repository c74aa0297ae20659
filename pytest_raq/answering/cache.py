"""The stored answers of one model."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_raq.answering.identity import AnswerIdentity
from pytest_raq.engines.llamacpp.engine import DEFAULT_PARALLEL
from pytest_raq.engines.llamacpp.reproducible import VERIFIED
from pytest_raq.engines.openai_compat.parameters import sent_for
from pytest_raq.files import hash_file
from pytest_raq.records import Repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import Answer, EngineInfo, Likelihood, Prompt
    from pytest_raq.store import Store

UNREADABLE = "unreadable"
"""In place of the SHA-256 of a model file that cannot be read."""


def _is_unheard(info: EngineInfo) -> bool:
    """Whether this is a server without a reply so far: nothing can be known of it yet."""
    return info.engine == "openai" and info.left_out is None


class AnswerCache:
    """Recalls and keeps answers under keys that say what generated them.

    Without a store, and with ``fresh``, nothing is recalled; without a store
    nothing is kept.
    """

    def __init__(self, model: ModelDefinition, store: Store | None, *, fresh: bool) -> None:
        self._model, self._store, self._fresh = model, store, fresh
        self._loaded: EngineInfo | None = None
        self._known_identity: AnswerIdentity | None = None

    @cached_property
    def file_sha256(self) -> str:
        """SHA-256 of the model's file, read once at most."""
        if self._model.file is None:
            return ""
        try:
            return self._digest(self._model.file_path)
        except OSError:
            return UNREADABLE

    @property
    def _digest(self) -> Callable[[Path], str]:
        return hash_file if self._store is None else self._store.file_hashes.sha256

    @property
    def engine_version(self) -> str:
        """The version of llama-cpp-python that runs the model."""
        return self._identity.engine_version

    @property
    def engine_info(self) -> EngineInfo | None:
        """What the engine said of itself: of this run, else of the run that kept the answers."""
        if self._loaded is None and self._store is not None:
            known = self._store.engines.get(self._identity.engine_key)
            former = self._identity.former_engine_key
            self._loaded = known or self._store.engines.get_former(former)
        return self._loaded

    @property
    def is_verified(self) -> bool:
        """Whether this build passed the self-test with this file on this processor before.

        With as many sequences as there will be, or more: no test of 4 says
        anything about 32.
        """
        info = None if self._fresh or not self._model.reproducible else self.engine_info
        if info is None or info.reproducible != VERIFIED:
            return False
        return info.tested_sequences >= (self._model.parallel or DEFAULT_PARALLEL)

    def recall(self, prompts: Mapping[str, Prompt]) -> Iterator[Answer]:
        """Yield the stored answers to prompts, given by the ids of their questions."""
        if self._store is None or self._fresh or not self._is_as_defined():
            return
        keys = {question_id: self._identity.key(prompt) for question_id, prompt in prompts.items()}
        known = set()
        for answer in self._store.answers.get_many(keys, self._model.name):
            known.add(answer.question_id)
            yield answer
        for question_id, prompt in prompts.items():
            if question_id not in known:
                yield from self._recall_former(keys[question_id], question_id, prompt)

    def _recall_former(self, key: str, question_id: str, prompt: Prompt) -> Iterator[Answer]:
        """Take over an answer that an older version kept, under the key of this one."""
        assert self._store is not None
        former = self._identity.former_key(prompt)
        answer = self._store.answers.get_former(former, question_id, self._model.name)
        if answer is not None:
            self._store.answers.put(key, answer)
            yield answer

    def keep(self, prompt: Prompt, answer: Answer) -> None:
        """Store an answer, unless the file was replaced since it was hashed.

        Nor is an answer stored as reproducible that is not: in another batch it
        may be another one.
        """
        if self._store is not None and self._is_same_file and self._keeps_promise:
            self._store.answers.put(self._identity.key(prompt), answer)

    def recall_likelihoods(
        self, wanted: Mapping[str, tuple[Prompt, Iterable[str]]]
    ) -> dict[str, dict[str, Likelihood]]:
        """Return what is stored of texts after prompts, by question and text."""
        if self._store is None or self._fresh or not self._is_as_defined():
            return {}
        keys = {
            (question_id, text): self._identity.likelihood_key(prompt, text)
            for question_id, (prompt, texts) in wanted.items()
            for text in texts
        }
        known = self._store.likelihoods.get_many(list(dict.fromkeys(keys.values())))
        found: dict[str, dict[str, Likelihood]] = {}
        for (question_id, text), key in keys.items():
            if key in known:
                found.setdefault(question_id, {})[text] = known[key]
        return found

    def keep_likelihoods(self, prompt: Prompt, texts: Mapping[str, Likelihood]) -> None:
        """Store how likely texts are after a prompt, where an answer to it would be stored."""
        if self._store is not None and self._is_same_file and self._keeps_promise:
            key = self._identity.likelihood_key
            rows = {key(prompt, text): likelihood for text, likelihood in texts.items()}
            self._store.likelihoods.put_many(self._model.name, rows)

    def remember(self, info: EngineInfo) -> bool:
        """Note what a loaded engine says of itself.

        Return whether it runs other kernels than expected: what was recalled
        are not its answers then.
        """
        known = self.engine_info
        if known is not None:  # what was found out earlier still holds
            info = replace(
                info,
                tested_sequences=info.tested_sequences or known.tested_sequences,
                asked_again=known.asked_again,
                changed_again=known.changed_again,
                left_out=self._all_left_out(known, info),
                note=info.note or (known.note if _is_unheard(info) else ""),
            )
        self._loaded = info
        if self._store is not None and self._is_same_file:
            own = self._identify(info)
            self._store.engines.put(own.engine_key, info)
            if info.will_recur:  # a later run looks for its answers there at once
                self._store.engines.put(self._identify().engine_key, info)
        if self._identity.is_of(info):
            return False
        self._known_identity = self._identify(info)
        return True

    def _all_left_out(self, known: EngineInfo, now: EngineInfo) -> tuple[str, ...] | None:
        """Return what a server refuses, with what only other definitions of it have shown."""
        if now.left_out is None or not known.left_out:
            return known.left_out if now.left_out is None else now.left_out
        others = set(known.left_out) - sent_for(self._model)
        return tuple(sorted({*now.left_out, *others}))

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is not sent for this model, because its server refuses it."""
        sent, info = sent_for(self._model), self.engine_info
        return tuple(name for name in (info.left_out if info else None) or () if name in sent)

    @property
    def repeats(self) -> Repeats | None:
        """How many answers changed when this engine was last asked again; None: not measured."""
        info = self.engine_info
        return Repeats(info.asked_again, info.changed_again) if info and info.asked_again else None

    def keep_repeats(self, found: Repeats) -> None:
        """Note how many answers changed when the loaded engine was asked again."""
        assert self._loaded is not None
        self._loaded = replace(self._loaded, asked_again=found.asked, changed_again=found.changed)
        if self._store is not None:
            self._store.engines.put(self._identity.engine_key, self._loaded)

    @property
    def _keeps_promise(self) -> bool:
        """Whether the answers are as reproducible as the definition asks."""
        if self._loaded is None or not self._model.reproducible:
            return True
        return self._loaded.reproducible == VERIFIED

    def _is_as_defined(self) -> bool:
        """Whether the file is the one of the definition; if not, the engine will report it."""
        expected = self._model.sha256 or self.file_sha256
        return self.file_sha256 == expected != UNREADABLE

    @property
    def _is_same_file(self) -> bool:
        """Whether what was loaded is what was hashed; a file may be replaced in between."""
        loaded = self._loaded.file_sha256 if self._loaded else ""
        return loaded in {"", self.file_sha256}

    @property
    def _identity(self) -> AnswerIdentity:
        """What answers are kept under: of the kernels that ran, or that ran last time."""
        if self._known_identity is None:
            usual = self._identify()
            known = self._store.engines.get(usual.engine_key) if self._store else None
            self._known_identity = usual if known is None else self._identify(known)
        return self._known_identity

    def _identify(self, info: EngineInfo | None = None) -> AnswerIdentity:
        """Return the identity of an engine that says this of itself, or of the usual one."""
        return AnswerIdentity(
            self._model,
            self.file_sha256,
            self._digest,
            extra_buffers=info is None or info.extra_buffers,
            left_out=(info.left_out if info else None) or (),
        )
