"""What a definition may do with files, keys and programs of the machine that runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from openai_server import serving, stream
from projects import MODEL, Project

from pytest_raq.config import load_model, load_suite
from pytest_raq.config.permissions import (
    is_loopback,
    project_of,
    refuse_key,
    settings_path,
)
from pytest_raq.engines import open_engine
from pytest_raq.engines.openai_compat import find_server
from pytest_raq.engines.openai_compat.server import sent_keys
from pytest_raq.errors import ConfigError, EngineStartError, JudgeError
from pytest_raq.judging import open_judge
from pytest_raq.records import Prompt

SECRET = "not-to-be-sent-0123456789"  # noqa: S105 - made up
SERVER = (
    'engine = "openai"\n[openai]\nmodel = "m"\nbase_url = "{url}"\napi_key_env = "{variable}"\n'
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the models of a project without a repository; the user allows nothing."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in ("RAQ_KEYS", "RAQ_FILES"):
        monkeypatch.delenv(name, raising=False)
    models = tmp_path / "project" / "models"
    models.mkdir(parents=True)
    (models.parent / "pyproject.toml").write_text("")
    return models


def write(folder: Path, text: str, name: str = "x") -> None:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def user_allows(text: str) -> None:
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_text(text, encoding="utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(folder, "x")
    return str(caught.value)


WAYS = {
    "prompt_file": 'file = "a.gguf"\nprompt_file = "{place}"\n',
    "messages[0].file": 'file = "a.gguf"\n[[messages]]\nrole = "user"\nfile = "{place}"\n',
}


@pytest.mark.parametrize(("key", "text"), WAYS.items())
def test_a_text_outside_the_project_is_not_sent(folder, tmp_path, key, text):
    outside = tmp_path / "secret.txt"
    outside.write_text("{question} and a secret")
    (folder / "link.txt").symlink_to(outside)
    for place in (outside, "../../secret.txt", "link.txt", "/proc/self/environ"):
        write(folder, text.format(place=place))
        told = refusal(folder)
        assert told.startswith(f"{folder / 'x.toml'}: {key}: /")
        assert f" is outside the project ({folder.parent}), and its text would go to" in told
        assert ": copy it into the project, or allow its folder: RAQ_FILES=/" in told
        assert "a secret" not in told


def test_a_hidden_file_of_the_project_is_not_sent(folder):
    for name in (".env", ".git/config"):
        place = folder.parent / name
        place.parent.mkdir(exist_ok=True)
        place.write_text("{question}")
        write(folder, WAYS["prompt_file"].format(place=f"../{name}"))
        assert "is a hidden file, which may hold secrets" in refusal(folder)


def test_files_of_the_project_and_of_folders_that_the_user_allows_are_read(
    folder, tmp_path, monkeypatch
):
    (folder.parent / "prompts").mkdir()
    (folder.parent / "prompts" / "ask.txt").write_text("Ask {question}")
    write(folder, WAYS["prompt_file"].format(place="../prompts/ask.txt"))
    assert load_model(folder, "x").prompt == "Ask {question}"
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "ask.txt").write_text("Shared {question}")
    write(folder, WAYS["prompt_file"].format(place=shared / "ask.txt"))
    refusal(folder)
    monkeypatch.setenv("RAQ_FILES", f"/nowhere:{shared}")
    assert load_model(folder, "x").prompt == "Shared {question}"
    monkeypatch.delenv("RAQ_FILES")
    user_allows(f'files = ["{shared}"]\n')
    assert load_model(folder, "x").prompt == "Shared {question}"


def test_questions_and_prompts_of_a_suite_are_files_of_the_project(folder, tmp_path, monkeypatch):
    outside = tmp_path / "questions.json"
    outside.write_text("[]")
    suite = 'models = ["x"]\n{more}[dataset]\nsource = "{source}"\n'
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (outside, "../../questions.json", "~/questions.json", "/etc/passwd"):
        write(folder, suite.format(source=source, more=""), "s")
        with pytest.raises(
            ConfigError, match=r"s\.toml: dataset\.source: .* is outside the project"
        ):
            load_suite(folder, "s")
    write(folder, suite.format(source="squad", more=f'prompt.file = "{outside}"\n'), "s")
    with pytest.raises(ConfigError, match=r"prompt\.file: .* is outside the project"):
        load_suite(folder, "s")
    write(folder, suite.format(source="rajpurkar/squad", more=""), "s")
    assert load_suite(folder, "s").dataset.source == "rajpurkar/squad"


def test_the_project_is_the_repository_or_the_folder_of_pytest(tmp_path):
    inner = tmp_path / "repo" / "part" / "models"
    inner.mkdir(parents=True)
    assert project_of(inner / "x.toml") == inner.parent
    (inner.parent / "pytest.ini").touch()
    assert project_of(inner / "deep" / "x.toml") == inner.parent
    (tmp_path / "repo" / ".git").touch()  # as in a work tree
    assert project_of(inner / "x.toml") == tmp_path / "repo"


@pytest.mark.parametrize(
    ("allowed", "url", "is_fine"),
    [
        ("", "https://api.openai.com/v1", True),
        ("", "https://API.openai.com:443/v1", True),
        ("", "https://evil.example/v1", False),
        ("", "https://api.openai.com@evil.example/v1", False),
        ("", "https://api.openai.com.evil.example/v1", False),
        ("", "https://127.0.0.1.evil.example/v1", False),
        ("", "http://localhost:8000/v1", True),
        ("", "http://127.9.9.9/v1", True),
        ("", "http://[::1]:1/v1", True),
        ("", "http://0.0.0.0:8000/v1", True),
        ("OPENAI_API_KEY=llm.corp", "https://llm.corp:8443/v1", True),
        ("OPENAI_API_KEY=llm.corp", "https://api.openai.com/v1", False),
        ("A=b, OPENAI_API_KEY=llm.corp:8443", "https://llm.corp:8443/v1", True),
        ("OPENAI_API_KEY=llm.corp:8443", "https://llm.corp/v1", False),
        ("OPENAI_API_KEY=llm.corp:443", "https://llm.corp/v1", True),
        ("OPENAI_API_KEY=*.corp", "https://llm.corp/v1", True),
        ("OPENAI_API_KEY=*.corp", "https://evilcorp/v1", False),
        ("OTHER=llm.corp", "https://llm.corp/v1", False),
    ],
)
def test_a_key_goes_to_the_hosts_that_it_was_allowed_for(
    folder, monkeypatch, allowed, url, is_fine
):
    assert folder.exists()
    monkeypatch.setenv("RAQ_KEYS", allowed)
    assert (refuse_key("OPENAI_API_KEY", url) == "") is is_fine


def test_what_the_user_allows_is_read_from_the_settings_too(folder, monkeypatch):
    assert folder.exists()
    user_allows('[keys]\nCORP = ["llm.corp", "llm2.corp:8443"]\nOWN = "own.example"\n')
    assert refuse_key("CORP", "https://llm2.corp:8443/v1") == ""
    assert refuse_key("OWN", "https://own.example/v1") == ""
    assert refuse_key("OPENAI_API_KEY", "https://api.openai.com/v1") == ""
    told = refuse_key("CORP", "https://own.example/v1")
    assert told == (
        "the value of CORP is not sent to own.example, because nobody allowed that: if it is the"
        " key of that server, set RAQ_KEYS=CORP=own.example in the environment (several with"
        f' commas), or write CORP = "own.example" below [keys] in {settings_path()}'
    )
    monkeypatch.setenv("RAQ_KEYS", "CORP=own.example")
    assert refuse_key("CORP", "https://own.example/v1") == ""


@pytest.mark.parametrize(
    ("variable", "settings", "told"),
    [
        ("OPENAI_API_KEY", "", "RAQ_KEYS: 'OPENAI_API_KEY' should be VARIABLE=HOST, for example"),
        ("A=https://b/v1", "", "'https://b/v1' is not a host for A: write a name like api.example"),
        ("", "[keys]\nA = 1\n", "settings.toml: keys.A: should be a list (got 1)"),
        ("", "[key]\nA = 'b'\n", "unknown key key; did you mean 'keys'?"),
        ("", "keys", "settings.toml: is not TOML: "),
    ],
)
def test_what_the_user_wrote_wrongly_is_reported(folder, monkeypatch, variable, settings, told):
    assert folder.exists()
    monkeypatch.setenv("RAQ_KEYS", variable)
    user_allows(settings)
    with pytest.raises(ConfigError) as caught:
        refuse_key("A", "https://b/v1")
    assert told in str(caught.value)


def test_no_secret_leaves_for_another_host(folder, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    write(folder, SERVER.format(url="https://evil.invalid/v1", variable="AWS_SECRET_ACCESS_KEY"))
    with pytest.raises(EngineStartError) as caught:
        open_engine(load_model(folder, "x"))
    told = str(caught.value)
    assert told.startswith(
        f"{folder / 'x.toml'}: the value of AWS_SECRET_ACCESS_KEY is not sent to"
    )
    assert SECRET not in told
    with pytest.raises(JudgeError, match="AWS_SECRET_ACCESS_KEY is not sent to evil"):
        open_judge("x", folder).prepare()
    monkeypatch.setenv("RAQ_KEYS", "AWS_SECRET_ACCESS_KEY=evil.invalid")
    server = find_server(load_model(folder, "x"))
    assert server.key == SECRET
    # The same for a secret in another header.
    monkeypatch.setenv("RAQ_KEYS", "")
    text = SERVER.format(url="https://evil.invalid/v1", variable="")
    write(folder, f'{text}headers_env = {{ X-Token = "AWS_SECRET_ACCESS_KEY" }}\n')
    with pytest.raises(EngineStartError, match="AWS_SECRET_ACCESS_KEY is not sent to evil"):
        find_server(load_model(folder, "x"))
    assert sent_keys([load_model(folder, "x")]) == {"AWS_SECRET_ACCESS_KEY": "evil.invalid"}


def test_a_server_on_this_machine_gets_its_key_and_the_run_says_so(folder, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    with serving(lambda _: stream(["yes"])) as server:
        write(folder, SERVER.format(url=server.url, variable="MY_KEY"))
        model = load_model(folder, "x")
        with open_engine(model) as engine:
            next(iter(engine.answers([Prompt("q", "What?", chat=True)])))
        host = server.url.removeprefix("http://").removesuffix("/v1")
        assert sent_keys([model, model]) == {"MY_KEY": host}
    monkeypatch.delenv("MY_KEY")
    assert sent_keys([model]) == {}


def test_plain_http_to_another_machine_needs_a_word(folder):
    write(folder, SERVER.format(url="http://llm.corp:8000/v1", variable=""))
    assert refusal(folder) == (
        f"{folder / 'x.toml'}: openai: base_url is plain http to llm.corp:8000, so everyone on the"
        " way can read questions and key: use https, or write insecure = true"
    )
    write(folder, SERVER.format(url="http://llm.corp:8000/v1", variable="") + "insecure = true\n")
    assert load_model(folder, "x").openai.insecure
    for url in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "https://llm.corp/v1"):
        write(folder, SERVER.format(url=url, variable=""))
        load_model(folder, "x")
    assert not is_loopback("http://localhost.evil.example/v1")


@pytest.mark.parametrize(
    "url", ["https://a\\@b/v1", "https://a b/v1", "https://a\tb/v1", "https://"]
)
def test_an_address_with_two_meanings_is_none(folder, url):
    (folder / "x.toml").write_text(
        SERVER.format(url=url.replace("\\", "\\\\").replace("\t", "\\t"), variable="")
    )
    assert "is not an address like http://127.0.0.1:8000/v1" in refusal(folder)


EVIL = "#!/bin/sh\necho ran >> {place}\n"


def test_a_definition_starts_no_program(folder, tmp_path):
    marker, program = tmp_path / "ran", folder / "evil.sh"
    program.write_text(EVIL.format(place=marker))
    program.chmod(0o755)
    (folder / "a.gguf").write_bytes(b"GGUF")
    write(folder, 'file = "a.gguf"\npython = "evil.sh"\nreproducible = true\n')
    model = load_model(folder, "x")
    for start in (lambda: open_engine(model), open_judge("x", folder).prepare):
        with pytest.raises((ConfigError, JudgeError)) as caught:
            start()
        assert (
            "python = 'evil.sh' is a program that would be run: allow it with --raq-allow-python"
            " (pytest) or --allow-python (raq), or name it yourself: --raq-python"
        ) in str(caught.value)
    assert not marker.exists()
    write(folder, 'file = "a.gguf"\npython_allowed = true\npython = "evil.sh"\n')
    assert refusal(folder).endswith(
        "python_allowed is not a key: it is the option --raq-allow-python"
    )


def test_collecting_starts_nothing_even_if_it_is_allowed(pytester, monkeypatch):
    project = Project(pytester)
    project.accept()
    marker, program = project.root / "ran", project.root / "models" / "evil.sh"
    program.write_text(EVIL.format(place=marker))
    program.chmod(0o755)
    more = 'python = "evil.sh"\nreproducible = true\n'
    project.write("models/first.toml", more + MODEL.format(name="first"))
    refused = project.run("--collect-only")
    assert refused.ret == 2
    refused.stdout.fnmatch_lines(["*python = 'evil.sh' is a program that would be run: allow it *"])
    started = []
    real = subprocess.Popen.__init__

    def start(self, command, *rest, **options):
        started.append(Path(command[0]).name)
        real(self, command, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", start)
        assert project.run("--collect-only", "--raq-allow-python").ret == 0
    # pytest-benchmark describes the commit and the machine.
    assert set(started) <= {"git", "hg", "file", "uname"}
    assert not marker.exists()
    allowed = project.run("--raq-allow-python")
    assert allowed.ret == 2  # it is no Python
    assert marker.exists()
