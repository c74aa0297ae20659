"""`raq doctor`: hubs, servers, judges, and what must not be shown of them."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from doctor_project import SECRET, doctor, write_server
from openai_server import Response, chat, error, serving, stream

from pytest_raq.cli import main
from pytest_raq.doctor import hub, services
from pytest_raq.doctor.secrets import hide_secrets, known_secrets

pytestmark = pytest.mark.usefixtures("without_engine")


def everything(text, found):
    """Return all that was shown, to people and to programs."""
    return text + json.dumps(list(found.values()))


def test_a_server_is_asked_once_and_its_key_is_not_shown(home, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: stream(["yes"])) as server:
        write_server(home, server.url)
        code, text, found = doctor(capsys)
        assert len(server.requests) == 1
    assert code == 0
    assert found["servers", "served"]["text"].startswith(f"m of {server.url} answered after ")
    assert SECRET not in everything(text, found)


def test_a_server_that_repeats_the_key_does_not_show_it(home, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: error(401, f"Incorrect API key provided: {SECRET}")) as server:
        write_server(home, server.url)
        code, text, found = doctor(capsys)
    assert code == 3
    assert found["servers", "served"]["health"] == "failure"
    assert found["servers", "served"]["next_step"] == (
        "correct it, or api_key_env in models/served.toml"
    )
    assert SECRET not in everything(text, found)


def test_servers_that_hang_are_waited_for_together(home, monkeypatch, capsys):
    monkeypatch.setattr(services, "SERVER_SECONDS", 0.5)
    monkeypatch.setenv("MY_WORD", SECRET)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        write_server(home, address)
        write_server(home, address, name="after")
        write_server(home, f"http://127.0.0.1:{other.getsockname()[1]}/v1", name="other")
        started = time.monotonic()
        code, _, found = doctor(capsys)
        assert time.monotonic() - started < 10
    assert code == 3
    assert found["servers", "after"]["text"] == f"{address} gave no answer within 0.5 s"
    assert found["servers", "after"]["next_step"] == (
        "check that the server runs and is not busy; a run waits 600 s"
    )
    assert found["servers", "served"]["text"] == (
        "not asked, because its server did not answer an earlier request"
    )
    assert "gave no answer within 0.5 s" in found["servers", "other"]["text"]
    assert ("extras", "hub") in found


def test_a_server_that_never_ends_its_answer_is_not_waited_for(home, monkeypatch, capsys):
    monkeypatch.setattr(services, "SERVER_SECONDS", 1.0)
    monkeypatch.setenv("MY_WORD", SECRET)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        trickle = threading.Thread(target=_trickle, args=(server, ended), daemon=True)
        trickle.start()
        write_server(home, f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        code, _, found = doctor(capsys)
        ended.set()
        trickle.join(10)
    assert code == 3
    assert "gave no answer within 1 s" in found["servers", "served"]["text"]


def _trickle(server, ended):
    """Accept a request, and send a byte of an answer now and then."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not ended.wait(0.1):
            connection.sendall(b": still here\n\n")


def test_a_server_that_is_not_there(home, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    write_server(home, "http://127.0.0.1:9/v1")
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["servers", "served"]["text"] == (
        "http://127.0.0.1:9/v1 cannot be reached (it refuses the connection)"
    )
    assert found["servers", "served"]["next_step"] == (
        "start the server, or correct base_url in models/served.toml"
    )


def test_a_key_that_is_not_set(home, monkeypatch, capsys):
    monkeypatch.delenv("MY_WORD", raising=False)
    write_server(home, "https://user:pass-of-mine@models.invalid/v1?token=query-of-mine")
    code, text, found = doctor(capsys)
    assert code == 3
    assert "MY_WORD is not set" in found["servers", "served"]["text"]
    assert "pass-of-mine" not in everything(text, found)
    assert "query-of-mine" not in everything(text, found)


def test_a_key_in_place_of_the_name_of_its_variable_is_not_shown(home, capsys):
    write_server(home, "http://127.0.0.1:9/v1")
    path = home / "models/served.toml"
    path.write_text(path.read_text().replace("MY_WORD", SECRET))
    code, text, found = doctor(capsys)
    assert code == 3
    assert found["project", "model served"]["text"] == (
        "models/served.toml: openai.api_key_env: is not the name of an environment variable"
    )
    assert found["project", "model served"]["next_step"] == "write that, not the key"
    assert SECRET not in everything(text, found)
    path.write_text(path.read_text().replace(SECRET, "hf_abcdefghijABCDEFGHIJklmn"))
    code, text, found = doctor(capsys)
    assert "the environment variable [hidden] is not set" in found["servers", "served"]["text"]
    assert "hf_abc" not in everything(text, found)


def test_an_address_that_is_none(home, capsys):
    write_server(home, "http://user:pass-of-mine@[::1")
    code, text, found = doctor(capsys)
    assert code == 3
    assert found["project", "model served"]["text"].startswith(
        "models/served.toml: openai.base_url: is not an address like http://127.0.0.1:8000/v1 (got "
    )
    assert "pass-of-mine" not in everything(text, found)


def test_a_password_in_a_definition_that_cannot_be_read_is_not_shown(home, capsys):
    write_server(home, "user:pass-of-mine@127.0.0.1/v1")
    code, text, found = doctor(capsys)
    assert code == 3
    assert "is not an address like" in found["project", "model served"]["text"]
    assert "pass-of-mine" not in everything(text, found)


def test_a_judge_is_asked_to_rank(home, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: chat('{"ranking": [[2], [1]]}')) as server:
        write_server(home, server.url, judge=True)
        code, _, found = doctor(capsys)
        assert server.requests
    assert code == 0
    assert found["judges", "served"]["text"].startswith("ranked two answers after ")
    assert ("servers", "served") not in found  # a judge is asked as a judge alone
    code, _, found = doctor(capsys)  # the server has gone
    assert code == 3
    assert found["judges", "served"]["health"] == "failure"
    _, _, found = doctor(capsys, "--offline")
    assert found["judges", "served"]["text"] == "not asked (--offline)"


def test_a_judge_that_hangs_is_not_waited_for(home, monkeypatch, capsys):
    monkeypatch.setattr(services, "SERVER_SECONDS", 0.5)
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: Response({}, after=5)) as server:
        write_server(home, server.url, judge=True)
        code, _, found = doctor(capsys)
    assert code == 3
    assert found["judges", "served"]["text"] == f"{server.url} gave no answer within 0.5 s"


def test_a_local_judge_is_loaded_once(home, monkeypatch, capsys):
    suite = home / "suites/small.toml"
    suite.write_text(suite.read_text().replace("default = true", 'default = true\njudge = "local"'))
    (home / "models/local.toml").write_text((home / "models/reader.toml").read_text())
    code, _, found = doctor(capsys, "--offline")
    # The reader is no judge; what counts is that it was loaded, asked and told.
    told = found["judges", "local"]
    assert told["text"].startswith(("ranked two answers after ", "judge 'local': "))
    assert (code == 3) == (told["health"] == "failure")
    monkeypatch.setattr(services, "LOCAL_SECONDS", 0.0)
    _, _, found = doctor(capsys, "--offline")
    assert found["judges", "local"]["text"] == "no answer within 0 s"
    assert found["judges", "local"]["next_step"].startswith("check the free memory; a run waits ")


def test_a_check_that_breaks_costs_no_other(home, monkeypatch, capsys):
    def broken(_):
        raise RuntimeError(f"no luck with {SECRET}")

    monkeypatch.setenv("MY_WORD", SECRET)
    monkeypatch.setattr(services, "open_engine", broken)
    write_server(home, "http://127.0.0.1:9/v1")
    write_server(home, "http://127.0.0.1:9/v1", name="zweite")
    code, _, found = doctor(capsys)
    assert code == 3
    for name in ("served", "zweite"):
        assert found["servers", name]["text"] == (
            "could not be checked: RuntimeError: no luck with [hidden]"
        )


def hub_project(home):
    with (home / "models/reader.toml").open("a") as file:
        file.write('[source]\nrepo = "o/r"\nfilename = "f.gguf"\n')


def test_the_hub_is_asked_only_where_it_is_needed(home, monkeypatch, capsys):
    _, _, found = doctor(capsys)
    assert found["hub", "https://huggingface.co"]["text"] == (
        "not asked: nothing here comes from a hub"
    )
    hub_project(home)
    with serving(lambda _: Response(status=404)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        _, _, found = doctor(capsys)
    assert found["hub", server.url]["text"].startswith("answered after ")
    assert found["hub", server.url]["text"].endswith("needed by reader")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _, _, found = doctor(capsys)
    assert found["hub", "offline"]["text"].startswith("HF_HUB_OFFLINE is set")
    assert found["hub", "offline"]["health"] == "ok"
    definition = home / "models/reader.toml"
    definition.write_text(definition.read_text().replace("f16.gguf", "f17.gguf"))
    _, _, found = doctor(capsys)
    assert found["hub", "offline"]["health"] == "warning"
    assert found["hub", "offline"]["next_step"] == (
        "unset HF_HUB_OFFLINE, then run raq models pull reader"
    )


def test_questions_of_a_hub_need_it_too(home, monkeypatch, capsys):
    suite = home / "suites/small.toml"
    suite.write_text(suite.read_text().replace("small.json", "owner/questions"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, _, found = doctor(capsys)
    assert code == 0
    assert found["hub", "http://127.0.0.1:9"]["text"].endswith(", needed by suite small")
    assert "questions of owner/questions on a hub" in found["project", "suite small"]["text"]


@pytest.mark.parametrize(
    "address",
    [
        "http://user:pass-of-mine@127.0.0.1:9",
        "http://user:pass@of-mine@127.0.0.1:9",
        "http://user:pass-of-mine@127.0.0.1",
        "http://user:pass-of-mine@127.0.0.1:nine",
        "http://pass-of-mine@[::1",
        "ftp://user:pass-of-mine@127.0.0.1",
        "user:pass-of-mine@127.0.0.1",
    ],
)
def test_the_password_of_a_hub_is_not_shown(home, monkeypatch, capsys, address):
    hub_project(home)
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(hub, "HUB_SECONDS", 2.0)
    code, text, found = doctor(capsys)
    assert code == 0  # the file is there
    told = next(each for each in found.values() if each["section"] == "hub")
    assert told["health"] == "warning"
    assert told["text"].startswith("cannot be reached (")
    assert told["next_step"].startswith("check the network, the proxy and HF_ENDPOINT")
    assert "of-mine" not in everything(text, found)


def test_a_hub_that_hangs_is_not_waited_for(home, monkeypatch, capsys):
    hub_project(home)
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.3)
    monkeypatch.setattr(hub, "_problem", lambda _: time.sleep(5))
    _, _, found = doctor(capsys)
    assert found["hub", "https://huggingface.co"]["text"] == (
        "cannot be reached (no answer within 0.3 s), needed by reader"
    )


@pytest.mark.usefixtures("home")
def test_no_value_of_a_secret_variable_is_shown(monkeypatch, capsys):
    planted = {
        "OPENAI_API_KEY": "opens-everything",
        "HF_TOKEN": "hub-word-of-mine",
        "DB_PASSWORD": "of-the-database",
        "HTTPS_PROXY": "http://me:through-the-proxy@127.0.0.1:9",
        "RAQ_HISTORY": "postgresql://me:of-the-history@db/raq",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    main(["doctor"])
    text = capsys.readouterr().out
    for value in ("opens-everything", "hub-word", "of-the-database", "through-the", "of-the-hist"):
        assert value not in text


def test_secrets_are_known_by_the_names_of_their_variables(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_abcdefgh")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "a name that is shown")
    monkeypatch.setenv("PLAIN", "plain-value")
    monkeypatch.setenv("OWN", "own-value")
    monkeypatch.setenv("PROXY", "http://me:p%40ssword@h")
    secrets = known_secrets(["OWN"], ["http://x:of-an-address@h"])
    text = (
        "ghs_abcdefgh plain-value own-value p@ssword of-an-address a name that is shown"
        " http://a:b@h/x?y=z u:pw@host, owner/repo:tag hf-internal-testing"
    )
    assert hide_secrets(text, secrets) == (
        "[hidden] plain-value [hidden] [hidden] [hidden] a name that is shown"
        " http://[hidden]@h/x?[hidden] [hidden]@host, owner/repo:tag hf-internal-testing"
    )


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-0123456789abcdef",
        "hf_abcdefghijABCDEFGHIJklmn",
        "ghp_0123456789abcdefABCDEF",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_what_looks_like_a_key_is_hidden(key):
    assert hide_secrets(f"before {key}, after") == "before [hidden], after"
