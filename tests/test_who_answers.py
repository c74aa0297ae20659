"""A server is not a file: who answers is found out before stored answers are used."""

from __future__ import annotations

import itertools
import time

import pytest
from openai_server import Response, error, serving, stream
from served_project import ServedProject, Weights, notes_of

from pytest_raq.records import Decision


@pytest.fixture
def project(tmp_path):
    return ServedProject(tmp_path)


def decisions(result):
    return {name: verdict.decision for name, verdict in result.verdicts.items()}


def test_stored_answers_of_the_same_server_are_used_after_three_canaries(project):
    weights = Weights(system_fingerprint="fp_1")
    with serving(weights) as server:
        project.add("first", server)
        project.run(update=True)
        assert len(weights.asked) == 20 + 5
        weights.asked.clear()
        result = project.run()
    assert sorted(weights.asked) == [0, 6, 13]
    assert result.from_store == {"first": 20}
    assert decisions(result) == {"first": Decision.PASS}
    assert not list(notes_of(result, "first: "))
    assert result.provenance.models["first"].identity == {"system_fingerprint": "fp_1"}
    assert result.baseline.provenance.models["first"].identity == {"system_fingerprint": "fp_1"}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"system_fingerprint": "fp_1"}, {"system_fingerprint": "fp_2"},
         "model changed: system_fingerprint fp_1 → fp_2"),
        ({"model": "a.gguf"}, {"model": "b.gguf"}, "model changed: model a.gguf → b.gguf"),
    ],
)  # fmt: skip
def test_other_weights_that_reply_under_another_name_are_asked_everything(
    project, before, now, told
):
    weights = Weights(**before)
    with serving(weights) as server:
        project.add("first", server)
        project.run(update=True)
        server.reply = other = Weights(**now)
        result = project.run()
    assert len(other.asked) >= 20
    assert result.from_store == {"first": 0}
    note = f"first: {told} since the answers were stored: 20 stored answers are not used"
    assert f"{note}, and asked again" in result.notes
    assert f"{told} since it was accepted" in result.verdicts["first"].reasons
    assert f"differs from the baseline: first: {told}" in result.notes


def listed(**row):
    return {"data": [{"id": "m", **row}]}


def modelfile(digit):
    return {"modelfile": f"# made\nFROM /blobs/sha256-{digit * 64}\nTEMPLATE x\n"}


ROUTES = [
    ("/props", {"model_path": "/m/a.gguf"}, {"model_path": "/m/b.gguf"},
     "model changed: props.model_path /m/a.gguf → /m/b.gguf"),
    ("/props", {"build_info": "b1"}, {"build_info": "b2"},
     "server changed: props.build_info b1 → b2"),
    ("/version", {"version": "0.11"}, {"version": "0.12"}, "server changed: version 0.11 → 0.12"),
    ("/api/show", modelfile("a"), modelfile("b"),
     f"model changed: show.digest {'a' * 64} → {'b' * 64}"),
    ("/api/show", {"digest": "sha256:a1"}, {"digest": "sha256:b2"},
     "model changed: show.digest a1 → b2"),
    ("/v1/models", listed(root="org/a"), listed(root="org/b"),
     "model changed: models.root org/a → org/b"),
    ("/v1/models", listed(meta={"n_params": 5, "size": 9}), listed(meta={"n_params": 6, "size": 9}),
     "model changed: models.n_params 5 → 6"),
]  # fmt: skip


@pytest.mark.parametrize(("route", "before", "now", "told"), ROUTES)
def test_each_route_that_names_weights_or_software_is_believed(project, route, before, now, told):
    weights = Weights()
    with serving(weights) as server:
        project.add("first", server)
        server.routes[route] = before
        project.run()
        server.routes[route] = now
        weights.asked.clear()
        result = project.run()
        assert len(weights.asked) == 25
        assert list(notes_of(result, f"first: {told} since the answers were stored: 20 stored"))
        weights.asked.clear()
        again = project.run()
    assert len(weights.asked) == 3  # the new answers are stored, and used
    assert again.from_store == {"first": 20}


def test_weights_that_say_nothing_of_themselves_are_found_out_by_their_answers(project):
    with serving(Weights()) as server:
        project.add("first", server)
        project.run(update=True)
        server.reply = other = Weights("wrong {}")
        result = project.run()
        assert len(other.asked) >= 20 + 3
        assert result.from_store == {"first": 0}
        assert decisions(result) == {"first": Decision.REGRESSION}
        (note,) = notes_of(result, "first: ")
        assert note == (
            "first: model changed: 3 of 3 canary questions have another answer than the stored one"
            " (q0: 'right 0' → 'wrong 0'): 20 stored answers are not used, and asked again"
        )
        server.reply = back = Weights()
        project.run()
    assert len(back.asked) >= 20  # nor are answers of two models ever mixed


def test_what_changes_with_each_start_of_the_same_weights_asks_nothing_again(project):
    started = itertools.count(1_700_000_000)
    weights = Weights()
    with serving(weights) as server:
        project.add("first", server)
        row = {"id": "m", "root": "org/a", "owned_by": "vllm"}
        server.routes["/v1/models"] = lambda: {"data": [{**row, "created": next(started)}]}
        server.routes["/api/show"] = lambda: {"digest": "d", "modified_at": str(next(started))}
        project.run()
        weights.asked.clear()
        result = project.run()
    assert len(weights.asked) == 3
    assert not list(notes_of(result, "first: "))
    assert result.provenance.models["first"].identity == {
        "models.id": "m", "models.root": "org/a", "models.owned_by": "vllm", "show.digest": "d"
    }  # fmt: skip


def test_replicas_have_several_fingerprints(project):
    turns = itertools.cycle(["fp_1", "fp_2"])

    def reply(request):
        return Weights(system_fingerprint=next(turns))(request)

    with serving(reply) as server:
        project.add("first", server)
        assert project.run().provenance.models["first"].identity == {
            "system_fingerprint": "fp_1 | fp_2"
        }
        result = project.run()
    assert result.from_store == {"first": 20}
    assert not list(notes_of(result, "first: "))


def test_a_fingerprint_of_each_start_costs_all_answers_once_and_never_again(project):
    with serving(Weights(system_fingerprint="fp_1")) as server:
        project.add("first", server)
        project.run()
        server.reply = second = Weights(system_fingerprint="fp_2")
        result = project.run()
        assert len(second.asked) >= 20
        assert (
            "first: system_fingerprint changed, but 20 of 20 answers are those of before: it does"
            " not count any more for this server" in result.notes
        )
        server.reply = third = Weights(system_fingerprint="fp_3")
        result = project.run()
    assert len(third.asked) == 3
    assert result.from_store == {"first": 20}
    assert result.provenance.models["first"].identity == {}


def test_a_fingerprint_of_each_reply_says_nothing(project):
    number = itertools.count()

    def reply(request):
        return Weights(system_fingerprint=f"fp_{next(number)}")(request)

    with serving(reply) as server:
        project.add("first", server)
        project.run()
        assert project.run().from_store == {"first": 20}
        assert project.run().from_store == {"first": 20}


def test_a_noisy_server_is_not_another_one(project):
    number = itertools.count()
    weights = Weights(lambda about: f"right {about}" + " indeed" * (next(number) % 2))
    with serving(weights) as server:
        project.add("first", server, parallel=1)
        project.run()
        result = project.run()
    assert result.from_store == {"first": 20}


def test_noise_is_measured_against_what_the_server_changes_by_itself(project):
    number = itertools.count()
    with serving(Weights(lambda _: f"text {next(number)}")) as server:
        project.add("first", server)
        project.run()
        result = project.run()
    assert result.from_store == {"first": 20}
    (note,) = notes_of(result, "first: ")
    assert note == (
        "first: 12 of 12 canary questions have another answer than the stored one, but the server"
        " changes 5 of 5 answers by itself when asked again: stored answers are used"
    )


def test_a_server_that_is_off_gives_no_verdict_however_much_is_stored(project):
    with serving(Weights(system_fingerprint="fp_1")) as server:
        project.add("first", server)
        project.run(update=True)
    result = project.run()
    assert decisions(result) == {"first": Decision.NOT_MEASURED}
    assert result.from_store == {"first": 0}
    (note,) = notes_of(result, "first: ")
    where = f"{server.url} cannot be reached (it refuses the connection)"
    assert note.startswith(
        "first: 20 stored answers are not used, because nobody can ask whether the server would"
        f" still give them: {where}: start the server, or correct base_url in "
    )
    assert result.verdicts["first"].reasons[0] == "none of 20 questions has an answer"
    assert f"the first failure: {where}" in result.verdicts["first"].reasons[-1]
    with serving(again := Weights(system_fingerprint="fp_1"), server.server_address[1]):
        result = project.run()
    assert decisions(result) == {"first": Decision.PASS}
    assert len(again.asked) == 3  # what was stored was not lost


def test_without_canaries_a_server_must_say_who_it_is(project):
    weights = Weights()
    with serving(weights) as server:
        project.add("first", server, canaries=0)
        project.run()
        weights.asked.clear()
        result = project.run()
        assert len(weights.asked) >= 20
        (note,) = notes_of(result, "first: ")
        assert note == (
            "first: nothing can be found out about who answers: the server says nothing of itself"
            " that could be compared, and canaries = 0: 20 stored answers are not used, and asked"
            " again"
        )
        server.routes["/props"] = {"model_path": "a.gguf"}
        project.run()
        weights.asked.clear()
        result = project.run()
    assert weights.asked == []
    assert result.from_store == {"first": 20}
    assert {"/props", "/version", "/api/show", "/v1/models"} <= set(server.looked_at)


def test_a_server_that_repeats_the_name_and_nothing_else_is_known_by_its_answers_alone(project):
    with serving(Weights(model="m")) as server:
        project.add("first", server)
        project.run()
        result = project.run()
    (note,) = notes_of(result, "first: ")
    assert note == (
        "first: the server says nothing of itself that tells who answers: 3 of 3 canary questions"
        " have the stored answer"
    )


def test_canaries_that_all_fail_confirm_nothing(project):
    with serving(Weights()) as server:
        project.add("first", server)
        project.run(update=True)
        server.reply = lambda _: error(500, "out of memory")
        result = project.run()
    assert decisions(result) == {"first": Decision.NOT_MEASURED}
    (note,) = notes_of(result, "first: ")
    assert "and no canary question has an answer (http" in note
    assert "out of memory" in note


def test_sampled_answers_have_greedy_canaries_of_their_own(project):
    number = itertools.count()

    def reply(request):
        if request["temperature"] > 0:
            return stream([f"text {next(number)}"])
        return weights(request)

    weights = Weights()
    with serving(reply) as server:
        project.add("first", server, temperature=0.7)
        project.run()
        assert sorted(weights.asked) == [0, 6, 13]
        result = project.run()
        assert sorted(weights.asked) == [0, 0, 6, 6, 13, 13]
        assert result.from_store == {"first": 20}
        weights = Weights("wrong {}")
        result = project.run()
    assert result.from_store == {"first": 0}
    assert "first: model changed: 3 of 3 canary questions" in "".join(result.notes)


def test_routes_that_hang_cost_a_short_time(project, monkeypatch):
    monkeypatch.setattr("pytest_raq.engines.openai_compat.identity.ROUTE_SECONDS", 0.05)
    with serving(Weights()) as server:
        project.add("first", server)
        slow = Response({"model_path": "a"}, after=0.4)
        server.routes |= {"/props": slow, "/version": slow, "/api/show": slow}
        started = time.monotonic()
        result = project.run()
    assert time.monotonic() - started < 5
    assert result.provenance.models["first"].identity == {}


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", [], "x", {"data": "x"}, {"data": [{"id": 3}]}, b"[" * 100_000]
)
def test_routes_that_send_something_else_say_nothing(project, body):
    with serving(Weights()) as server:
        project.add("first", server)
        for route in ("/v1/models", "/props", "/version", "/api/show"):
            server.routes[route] = body
        session = project.session()
        answers = session.run("small").answers.of("first")
        answers.get("q0")
        assert answers.provenance.identity in ({}, {"models.id": "3"})
        session.close()
