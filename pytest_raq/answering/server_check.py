"""Whether a server is still who gave its stored answers: found out before they are used."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Protocol

from pytest_raq.answering.canaries import Canaries, ask_canaries, is_beyond
from pytest_raq.answering.prompts import question_prompt
from pytest_raq.answering.repetition import spread
from pytest_raq.answering.server_memory import next_epoch
from pytest_raq.errors import RaqError
from pytest_raq.records import Answer, KnownServer, ServerFinding
from pytest_raq.records.server_identity import (
    FINGERPRINT,
    changed_fields,
    changes_text,
    merged,
    says_who,
    without,
)
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_raq.answering.cache import AnswerCache
    from pytest_raq.answering.engine_pool import EnginePool
    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines import Engine
    from pytest_raq.records import Identity, Outcome, Prompt, Question
    from pytest_raq.records.server_identity import FieldChange

_SHOWN = 40


class FindingSharing(Protocol):
    """How the processes of one run share what one of them found out."""

    def hold_file(self, *name: str) -> AbstractContextManager[Path]:
        """Let this process alone read and write the file of a name."""


class ServerCheck:
    """Finds out once in a run who answers behind a server, and says whether that changed.

    Stored answers are used only if what the server says of itself, or canary questions, show
    that it is the same. Otherwise it is asked again: after a change under keys of a new epoch,
    so that old and new answers are never mixed. A GGUF file is known by its content: of such a
    model everything is confirmed at once.
    """

    def __init__(
        self,
        model: ModelDefinition,
        questions: Mapping[str, Question],
        cache: AnswerCache,
        pool: EnginePool,
        *,
        sharing: FindingSharing | None,
        sharing_key: tuple[str, str],
    ) -> None:
        self._model, self._questions = model, questions
        self._cache, self._pool = cache, pool
        self._sharing, self._sharing_key = sharing, sharing_key
        self.is_server = model.engine == "openai" and model.openai is not None
        self.finding: ServerFinding | None = None
        self.notes: list[str] = []
        self._replaced: dict[str, str] = {}
        self._learned: tuple[str, ...] = ()
        self._is_noted = False

    @property
    def identity(self) -> dict[str, str]:
        """What the server says of itself, without what was known before to move by itself."""
        known = self._cache.server.known
        moving = tuple(name for name in known.moving if name not in self._learned)
        return without(known.identity, moving) if self.is_server else {}

    def confirms(self, stored: Iterable[Answer], before: Callable[[], None] = lambda: None) -> bool:
        """Return whether stored answers can be used; ``before`` is called before asking.

        If they cannot, the cache recalls no others of that kind either.
        """
        if not self.is_server:
            return True
        known = {answer.question_id: answer.text for answer in stored}
        texts = {name: known[name] for name in self._questions if name in known}
        if self.finding is None:
            before()
            self.finding = self._share(texts)
            self._apply(self.finding, texts)
        return self.finding.is_same

    def absorb(self, notes: Iterable[str]) -> None:
        """Take over what another process found out."""
        self.notes += [note for note in notes if note not in self.notes]

    def _share(self, texts: Mapping[str, str]) -> ServerFinding:
        """Return what was found out in this run, by this process or by another one."""
        if self._sharing is None:
            return self._find(texts)
        with self._sharing.hold_file("server", *self._sharing_key) as path:
            if path.exists():
                table = json.loads(path.read_text(encoding="ascii"))
                return ServerFinding(**{**table, "moving": tuple(table["moving"])})
            found = self._find(texts)
            path.write_text(json.dumps(asdict(found)), encoding="ascii")
            return found

    def _apply(self, finding: ServerFinding, texts: Mapping[str, str]) -> None:
        if finding.note:
            self.notes.append(finding.note)
        if self._cache.server.known.epoch != finding.epoch:  # another process found it out
            self._cache.server.follow(finding.epoch)
        if finding.moving:
            self._replaced = dict(texts)
        if not finding.is_same:
            self._cache.enter_epoch(recalls=finding.is_changed)

    def _find(self, texts: Mapping[str, str]) -> ServerFinding:
        memory = self._cache.server
        is_known = memory.reload()
        known = memory.known
        is_one = len(texts) == 1
        count = f"{len(texts) or ''} stored answer{'s' * (not is_one)}".strip()
        unused = f"{count} {'is' if is_one else 'are'} not used"
        if is_known:  # by another suite, or another definition of this server
            return ServerFinding(
                is_same=False,
                is_changed=True,
                epoch=known.epoch,
                note=f"model changed, as was found out in this run before: {unused}, and asked"
                " again",
            )
        try:
            engine = self._pool.get(self._model)
        except RaqError as exc:
            return ServerFinding(
                is_same=False,
                epoch=known.epoch,
                note=f"{unused}, because nobody can ask whether the server would still give"
                f" {'it' if is_one else 'them'}: {exc}",
            )
        before = without(known.identity, known.moving)
        changes = changed_fields(before, engine.info.identity)
        canaries = Canaries()
        if not changes:
            canaries = self._ask_canaries(engine, texts)
            changes = changed_fields(before, engine.info.identity)
        now = engine.info.identity
        if changes or is_beyond(canaries, self._cache.repeats):
            evidence = [sorted(now.items()), sorted(canaries.differing.items())]
            memory.keep(KnownServer(dict(now), next_epoch(known, evidence), known.moving))
            why = _change(changes, canaries, texts)
            is_moving = not canaries.differ and {item.field for item in changes} == {FINGERPRINT}
            return ServerFinding(
                is_same=False,
                is_changed=True,
                epoch=memory.known.epoch,
                note=f"{why}: {unused}, and asked again",
                moving=(FINGERPRINT,) if is_moving else (),
            )
        return self._unchanged(known, now, canaries, unused)

    def _unchanged(
        self, known: KnownServer, now: Identity, canaries: Canaries, unused: str
    ) -> ServerFinding:
        """Return whether enough is known to use the stored answers."""
        before = without(known.identity, known.moving)
        asked = self._model.openai.model if self._model.openai else ""
        is_known = says_who(before, now, asked)
        if not (canaries.compared or is_known):
            failed = f" ({canaries.problem})" if canaries.problem else ""
            why = "canaries = 0" if not self._model.canaries else "no canary question has an answer"
            return ServerFinding(
                is_same=False,
                epoch=known.epoch,
                note=f"nothing can be found out about who answers: the server says nothing of"
                f" itself that could be compared, and {why}{failed}: {unused}, and asked again",
            )
        self._cache.server.keep(replace(known, identity=merged(known.identity, now)))
        note = ""
        if canaries.differ:
            noise = self._cache.repeats
            times = f"{noise.changed} of {noise.asked}" if noise else "some"
            note = (
                f"{_canary_text(canaries)}, but the server changes {times} answers by itself when"
                " asked again: stored answers are used"
            )
        elif not is_known:
            note = (
                "the server says nothing of itself that tells who answers:"
                f" {canaries.compared} of {canaries.compared} canary questions have the stored"
                " answer"
            )
        return ServerFinding(is_same=True, epoch=known.epoch, note=note)

    def _ask_canaries(self, engine: Engine, texts: Mapping[str, str]) -> Canaries:
        """Ask some questions again, greedily; sampled answers have canaries of their own."""
        if self._model.temperature > 0:
            prompts = self._prompts(self._canary_names(list(self._questions)))
            kept = self._cache.recall({prompt.question_id: prompt for prompt in prompts})
            texts = {answer.question_id: answer.text for answer in kept}
        ask = self._asker(engine)
        return ask_canaries(texts, self._model.canaries, ask, self._cache.repeats)

    def _canary_names(self, names: Sequence[str]) -> list[str]:
        return spread(names, self._model.canaries)

    def _prompts(self, names: Iterable[str]) -> list[Prompt]:
        return [
            replace(question_prompt(self._model, self._questions[name]), greedy=True)
            for name in names
        ]

    def _asker(self, engine: Engine) -> Callable[[Sequence[str]], Iterable[Outcome]]:
        return lambda names: engine.answers(self._prompts(names))

    def note(self, identity: Identity) -> None:
        """Take what a server says of itself before it is asked the questions of a run.

        If that is not what the store knows, new answers are kept in a new epoch.
        """
        if not self.is_server or self._is_noted:
            return
        self._is_noted = True
        self._follow(identity)
        if self._model.temperature > 0 and self._cache.server.is_kept:
            self._keep_canaries()

    def _follow(self, identity: Identity) -> bool:
        """Keep who answers now; return whether it is somebody else than before."""
        memory = self._cache.server
        if memory.reload():
            self._cache.enter_epoch(recalls=True)
        known = memory.known
        if changed_fields(without(known.identity, known.moving), identity):
            epoch = next_epoch(known, [sorted(identity.items())])
            memory.keep(KnownServer(dict(identity), epoch, known.moving))
            self._cache.enter_epoch(recalls=True)
            return True
        memory.keep(replace(known, identity=merged(known.identity, identity)))
        return False

    def _keep_canaries(self) -> None:
        """Ask sampled models some questions greedily, so that a later run can ask them again."""
        prompts = {p.question_id: p for p in self._prompts(self._canary_names([*self._questions]))}
        known = {answer.question_id for answer in self._cache.recall(prompts)}
        missing = [prompt for name, prompt in prompts.items() if name not in known]
        for outcome in self._pool.get(self._model).answers(missing) if missing else ():
            if isinstance(outcome, Answer):
                self._cache.keep(prompts[outcome.question_id], outcome)

    def learn(self, answers: Mapping[str, Answer]) -> None:
        """Take what the replies to all questions said; ``answers`` are those of this run.

        A fingerprint that changed although the answers did not is one that changes by itself,
        e.g. with each start: it does not count any more, or each start would cost all answers.
        """
        if not self.is_server or not self._pool.is_open(self._model):
            return
        info = self._pool.get(self._model).info
        if self._follow(info.identity):  # the first reply told more than the routes
            self._cache.remember(info)
            for name, answer in answers.items():
                self._cache.keep(question_prompt(self._model, self._questions[name]), answer)
        both = {name: text for name, text in self._replaced.items() if name in answers}
        self._replaced = {}
        if not both:
            return
        differing = {n: answers[n].text for n in both if answers[n].text != both[n]}
        found = Canaries(len(both), differing, len(differing))
        is_sampled = self._model.temperature > 0
        if is_sampled or not is_beyond(found, self._cache.repeats):
            known = self._cache.server.known
            moving = tuple(sorted({*known.moving, FINGERPRINT}))
            self._cache.server.keep(replace(known, moving=moving))
            self._learned = (FINGERPRINT,)
            self.notes.append(
                f"{FINGERPRINT} changed, but"
                f" {len(both) - len(differing)} of {len(both)} answers are those of before:"
                " it does not count any more for this server"
            )


def _change(changes: Sequence[FieldChange], canaries: Canaries, texts: Mapping[str, str]) -> str:
    """Return what changed, old → new."""
    if changes:
        return f"{changes_text(list(changes))} since the answers were stored"
    name, text = next(iter(canaries.differing.items()))
    before = texts.get(name, "")
    told = f": {_quoted(before)} → {_quoted(text)}" if name in texts else ""
    return f"model changed: {_canary_text(canaries)} ({name}{told})"


def _canary_text(canaries: Canaries) -> str:
    verb = "has" if canaries.differ == 1 else "have"
    return (
        f"{canaries.differ} of {canaries.compared} canary questions {verb} another answer than"
        " the stored one"
    )


def _quoted(text: str) -> str:
    return repr(one_line(text, _SHOWN))
