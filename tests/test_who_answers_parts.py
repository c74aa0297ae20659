"""Who answers a run of several processes or shards, and what its parts decide."""

from __future__ import annotations

import json
import sqlite3

import pytest
from openai_server import serving
from served_project import ServedProject, Weights, notes_of

from pytest_raq.answering.canaries import Canaries, ask_canaries, is_beyond
from pytest_raq.errors import MeasurementError, StoreError
from pytest_raq.records import Answer, Decision, Failure, FinishReason, Repeats, Timing
from pytest_raq.records.server_identity import (
    changed_fields,
    changes_text,
    join_values,
    merged,
    says_who,
    served_name,
)
from pytest_raq.running.merge import merge_shards
from pytest_raq.running.shard_files import read_shard_files
from pytest_raq.running.shards import Shard
from pytest_raq.running.workers import SharedWork, WorkerExchange
from pytest_raq.store.tables import Access


@pytest.fixture
def project(tmp_path):
    return ServedProject(tmp_path)


def test_one_process_of_a_run_asks_the_canaries_and_all_follow_it(project, tmp_path):
    (tmp_path / "exchange").mkdir()
    with serving(Weights()) as server:
        project.add("first", server)
        project.run(update=True)
        server.reply = weights = Weights("wrong {}")
        sessions = [
            project.session(SharedWork(WorkerExchange(tmp_path / "exchange"), 2**30))
            for _ in range(2)
        ]
        runs = [session.run("small") for session in sessions]
        verdicts = [run.verdict("first").decision for run in runs]
        assert verdicts == [Decision.REGRESSION] * 2
        assert len(weights.asked) == 3 * 3 + 20 + 5  # canaries, questions, some asked again
        above = project.session()
        whole = above.run("small")
        for run in runs:
            whole.absorb(run.export())
        (note,) = notes_of(whole.result(), "first: ")
        assert note.startswith("first: model changed: 3 of 3 canary questions have another answer")
        assert whole.result().from_store == {"first": 0}
        for session in (*sessions, above):
            session.close()


def write_shards(project, server, replies):
    for index, reply in enumerate(replies, 1):
        server.reply = reply
        path = project.root / f"{index}.json"
        session = project.session(shard=Shard(index, 2), json_path=path)
        run = session.run("small")
        for question in run.asked:
            run.answer("first", question.id)
        session.finish()
        session.close()
        yield path


def merge(project, paths):
    session = project.session()
    merged_session = merge_shards(read_shard_files(paths), session.options)
    run = merged_session.run("small")
    try:
        return run.verdict("first"), run.result()
    finally:
        merged_session.close()
        session.close()


def test_shards_of_two_models_are_not_one_run(project):
    with serving(Weights()) as server:
        project.add("first", server)
        paths = list(write_shards(project, server, [Weights(model="a"), Weights(model="b")]))
    with pytest.raises(
        MeasurementError, match=r"models\.first\.identity\.model is b, in the other"
    ):
        merge(project, paths)


def test_a_shard_whose_server_was_off_is_missing_from_the_whole(project):
    with serving(Weights()) as server:
        project.add("first", server)
        project.run(update=True)
        (first, second) = write_shards(project, server, [Weights(), Weights()])
        verdict, _ = merge(project, [first, second])
        assert verdict.decision is Decision.PASS
    session = project.session(shard=Shard(2, 2), json_path=second)
    for question in session.run("small").asked:
        session.run("small").answer("first", question.id)
    session.finish()
    session.close()
    verdict, result = merge(project, [first, second])
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons[0].startswith("10 of 20 questions have no answer")
    assert list(notes_of(result, "first: 10 stored answers are not used, because nobody can ask"))


def test_a_part_of_the_questions_is_checked_too(project):
    with serving(Weights()) as server:
        project.add("first", server)
        project.run(update=True)
    session = project.session()
    run = session.run("small")
    run.answers.plan(["q7"])
    assert isinstance(run.answer("first", "q7"), Failure)
    session.close()


def answering(*rounds):
    waiting = list(rounds)

    def ask(names):
        texts = waiting.pop(0)
        for name in names:
            yield Answer(name, "m", texts[name], FinishReason.STOP, Timing())

    return ask


def test_an_answer_that_differs_is_asked_for_twice_more():
    known = {"a": "x", "b": "y"}
    ask = answering({"a": "x", "b": "z"}, {"b": "z"}, {"b": "z"})
    assert ask_canaries(known, 3, ask, None) == Canaries(2, {"b": "z"}, 1)
    ask = answering({"a": "x", "b": "z"}, {"b": "y"}, {"b": "z"})  # it comes back
    assert ask_canaries(known, 3, ask, None) == Canaries(2, {}, 0)
    ask = answering({"a": "x", "b": "z"}, {"b": "u"}, {"b": "v"})  # it never stays
    assert ask_canaries(known, 3, ask, None) == Canaries(2, {"b": "z"}, 0)
    assert ask_canaries({}, 3, answering(), None) == Canaries()


@pytest.mark.parametrize(
    ("compared", "differ", "steady", "noise", "expected"),
    [
        (3, 0, 0, None, False),
        (3, 1, 1, None, True),
        (3, 1, 1, Repeats(10, 0), True),
        (3, 1, 0, None, False),
        (3, 1, 0, Repeats(10, 0), False),
        (3, 2, 0, Repeats(10, 0), True),  # 2 of 3 at a share of 1 in 12: p = 0.02
        (3, 1, 1, Repeats(10, 1), False),
        (3, 2, 2, Repeats(10, 1), False),  # at 2 in 12: p = 0.07
        (3, 3, 3, Repeats(10, 3), True),  # at 4 in 12: p = 0.04
        (3, 3, 3, Repeats(10, 4), False),
        (12, 9, 9, Repeats(10, 4), True),
        (12, 12, 12, Repeats(5, 5), False),
    ],
)
def test_more_must_differ_than_a_server_changes_by_itself(
    compared, differ, steady, noise, expected
):
    found = Canaries(compared, {str(n): "x" for n in range(differ)}, steady)
    assert is_beyond(found, noise) is expected


def test_identities_are_compared_field_by_field():
    before, now = {"model": "a | b", "version": "1", "x": "1"}, {"model": "b | c", "version": "2"}
    (change,) = changed_fields(before, now)
    assert str(change) == "version 1 → 2"
    assert changes_text([change]) == "server changed: version 1 → 2"
    assert merged(before, now) == {"model": "a | b | c", "version": "2", "x": "1"}
    assert join_values({str(n) for n in range(9)}) == "varies"
    assert changed_fields({"model": "varies"}, {"model": "a"}) == []
    assert says_who({"model": "a"}, {"model": "a"}, "m")
    assert not says_who({"model": "m"}, {"model": "m"}, "m")  # it repeats what it was sent
    assert not says_who({"version": "1"}, {"version": "1"}, "m")
    assert not says_who({"model": "a"}, {"system_fingerprint": "a"}, "m")
    assert served_name({"model": "m", "models.id": "x"}, "m") == "x"
    assert served_name({"model": "y", "models.id": "x"}, "m") == "y"
    assert served_name({}, "m") == "m"


def test_a_second_suite_of_a_run_knows_what_the_first_one_found_out(project):
    with serving(Weights()) as server:
        project.add("first", server)
        project.run()
        first, second = project.session(), project.session()
        runs = [session.run("small") for session in (first, second)]
        for run in runs:  # before anything is known
            assert run.answers.of("first").server.identity == {}
        server.reply = weights = Weights("wrong {}")
        for run in runs:
            run.verdict("first")
        assert len(weights.asked) == 3 * 3 + 20 + 5  # the second one finds the new answers
        assert list(
            notes_of(runs[1].result(), "first: model changed, as was found out in this run")
        )
        for session in (first, second):
            session.close()
        weights.asked.clear()
        assert project.run().from_store == {"first": 20}
    assert len(weights.asked) == 3


def test_a_store_that_cannot_be_written_brings_no_old_answers_back(project, monkeypatch):
    with serving(Weights()) as server:
        project.add("first", server)
        project.run()
        full = StoreError("the disk is full")
        monkeypatch.setattr(Access, "write", lambda access, _: access._stop_writing(full))
        server.reply = weights = Weights("wrong {}")
        result = project.run()
    assert len(weights.asked) >= 20
    assert result.from_store == {"first": 0}
    assert {item.answers["first"][:5] for item in result.questions} == {"wrong"}


def test_what_was_stored_before_identities_were_is_judged_by_canaries(project):
    with serving(Weights(model="a")) as server:
        project.add("first", server)
        project.run(update=True)
        with sqlite3.connect(project.root / "s.db") as store:
            store.execute("DELETE FROM engines")
        path = project.root / "baselines/small.json"
        table = json.loads(path.read_text())
        del table["provenance"]["models"]["first"]["identity"]
        path.write_text(json.dumps(table))
        server.reply = Weights(model="b")
        result = project.run()
        assert result.from_store == {"first": 20}
        assert result.verdicts["first"].decision is Decision.PASS
        assert not any("changed" in text for text in result.verdicts["first"].reasons)
        assert result.provenance.models["first"].identity == {"model": "b"}
