"""Two definitions that reach one model of one server."""

from __future__ import annotations

import re

import pytest
from openai_server import serving, stream
from served_project import ServedProject

from pytest_raq.errors import ConfigError, MeasurementError
from pytest_raq.records import Decision


def replying(**who):
    def reply(request):
        text = request["messages"][0]["content"]
        said = {"model": request["model"], **who}
        return stream([f"right {re.search(r'about ([0-9]+)', text)[1]}"], **said)

    return reply


def decisions(result):
    return {verdict.decision for verdict in result.verdicts.values()}


def test_one_name_at_one_address_is_refused_before_anything_is_asked(tmp_path):
    project = ServedProject(tmp_path)
    with serving(replying()) as server:
        project.add("first", server)
        project.add("second", server.url.replace("127.0.0.1", "localhost") + "/")
        with pytest.raises(ConfigError) as raised:
            project.run()
    assert server.requests == []
    assert str(raised.value) == (
        f"suite small: first and second are one model: {server.url} serves 'm' to both: remove one"
        f" of them, or write same_model = true in {tmp_path}/suites/small.toml if that is"
        " intended, e.g. to compare prompts"
    )


@pytest.mark.parametrize(
    ("who", "routes"),
    [
        ({"model": "served-x.gguf"}, {}),
        ({}, {"/v1/models": {"data": [{"id": "served-x.gguf", "owned_by": "me"}]}}),
    ],
)
def test_a_server_that_takes_any_name_serves_one_model(tmp_path, who, routes):
    project = ServedProject(tmp_path)
    with serving(replying(**who)) as server:
        server.routes |= routes
        project.add("first", server, served="a")
        project.add("second", server, served="b")
        result = project.run()
        assert decisions(result) == {Decision.NOT_MEASURED}
        told = f"first and second are one model: {server.url} serves 'served-x.gguf' to both:"
        assert result.verdicts["second"].reasons[0].startswith(told)
        with pytest.raises(MeasurementError, match="is not updated: first and second are one"):
            project.run(update=True)
        project.suite = "same_model = true"
        project.run(update=True)
        assert decisions(project.run()) == {Decision.PASS}


def entry(name, root):
    return {"id": name, "root": root}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([entry("a", "org/x"), entry("b", "org/x")], Decision.NOT_MEASURED),
        ([entry("a", "org/x"), entry("b", "adapters/b")], Decision.NO_BASELINE),
        ([{"id": "a"}, {"id": "b"}], Decision.NO_BASELINE),
    ],
)
def test_names_of_one_server_are_one_model_if_their_weights_are(tmp_path, rows, expected):
    project = ServedProject(tmp_path)
    with serving(replying()) as server:
        server.routes["/v1/models"] = {"data": rows}
        project.add("first", server, served="a")
        project.add("second", server, served="b")
        assert decisions(project.run()) == {expected}


def test_two_servers_may_serve_models_of_one_name(tmp_path):
    project = ServedProject(tmp_path)
    with serving(replying()) as server, serving(replying()) as other:
        project.add("first", server)
        project.add("second", other)
        assert decisions(project.run()) == {Decision.NO_BASELINE}
