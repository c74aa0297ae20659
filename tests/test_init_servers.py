"""What ``raq init`` finds out about a server: whether it takes two requests at once."""

from __future__ import annotations

import tomllib

import pytest
from openai_server import Response, error, rank_by, serving, stream


def slowly(*parts, seconds=0.05):
    def reply(_):
        response = stream(list(parts))
        response.after = seconds
        return response

    return reply


def definition(folder, name):
    return tomllib.loads((folder / f"models/{name}.toml").read_text(encoding="utf-8"))


def test_a_server_that_drops_replies_gets_one_request_at_a_time(folder, init, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving(slowly("one", " two"), drops=True) as server:
        code, lines, told = init("--model", f"{server.url}#m", "--judge", f"big={server.url}#j")
    assert code == 0
    assert "raq: asking m twice at once, to see whether its server takes that" in told
    assert definition(folder, "m")["parallel"] == 1
    assert "judge" not in definition(folder, "m")
    note = (
        "note: the server of m drops a reply when the next request comes: models/m.toml has"
        " parallel = 1"
    )
    assert note in lines
    text = (folder / "models/m.toml").read_text(encoding="utf-8")
    assert "parallel = 1  # the server drops a reply when the next request comes\n" in text


def test_a_judge_on_such_a_server_gets_one_request_at_a_time_too(folder, init, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving(slowly("one", " two"), drops=True) as server, serving(slowly("one")) as other:
        code, lines, _ = init("--model", f"{other.url}#m", "--judge", f"big={server.url}#j")
    assert code == 0
    assert definition(folder, "big")["judge"] == {"concurrency": 1}
    assert "parallel" not in definition(folder, "big")
    assert "parallel" not in definition(folder, "m")
    assert any("models/big.toml has concurrency = 1" in line for line in lines)


@pytest.mark.parametrize(
    "reply", [lambda _: stream(["one"]), lambda _: error(500, "oops"), lambda _: Response(b"{}")]
)
def test_of_any_other_server_nothing_is_written(folder, init, monkeypatch, reply):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving(reply) as server:
        assert init("--model", f"{server.url}#m")[0] == 0
        assert len(server.requests) == 2
    assert "parallel" not in definition(folder, "m")


@pytest.mark.usefixtures("folder")
def test_a_server_whose_key_is_not_here_is_not_asked(init, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(rank_by(len)) as server:
        assert init("--model", f"{server.url}#m")[0] == 0
        assert server.requests == []


def test_a_server_of_one_slot_is_noted(folder, init, monkeypatch):
    from pytest_raq.engines.openai_compat.slots import Slots

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setattr(Slots, "seems_single", True)
    with serving(slowly("one", " two")) as server:
        code, lines, _ = init("--model", f"{server.url}#m")
    assert code == 0
    assert "parallel" not in definition(folder, "m")
    assert any("the server of m seems to answer one request at a time" in line for line in lines)
