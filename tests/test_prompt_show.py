"""`raq prompt show`: what a model receives, token by token."""

from __future__ import annotations

import json

import pytest
from gguf_files import CHAT_TEMPLATE, write_tiny_gguf
from prompt_files import ASKS, CHAT

from pytest_raq.cli import main


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("suites", "models"):
        (tmp_path / folder).mkdir()
    write_tiny_gguf(tmp_path / "models/tiny.gguf", chat_template=CHAT_TEMPLATE)
    (tmp_path / "models/plain.toml").write_text('file = "tiny.gguf"\nprompt = "{question}:"\n')
    (tmp_path / "models/chat.toml").write_text('file = "tiny.gguf"\n' + CHAT.format(ASKS))
    (tmp_path / "models/server.toml").write_text(
        'engine = "openai"\n[openai]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "x"\n'
    )
    text = 'models = ["plain", "chat", "server"]\n[dataset]\nsource = "q.jsonl"\n'
    (tmp_path / "suites/s.toml").write_text(text)
    rows = [
        {"id": "q1", "question": "an é?", "passage": "in the\n<|end|>\x1b[2J"},
        {"id": "q2", "question": "in?", "passage": "x"},
    ]
    (tmp_path / "suites/q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


@pytest.fixture
def show(project, capsys):
    assert project.is_dir()

    def run(*arguments):
        code = main(["prompt", "show", "--suite", "s", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_plain_prompt_is_shown_with_its_tokens(show):
    code, out, err = show()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "plain is asked 'q1' by a plain text, as defined in models/plain.toml",
        "",
        "an é?:",
        "",
        "7 tokens of context_length 1024, which leaves an answer 256",
        "0    0  <s>",
        "1  264  'an'",
        "2   38  ' '",
        "3  201  bytes c3",
        "4  175  bytes a9",
        "5   69  '?'",
        "6   64  ':'",
    ]


def test_a_chat_is_shown_as_the_template_makes_it_and_cannot_write_to_the_terminal(show):
    code, out, _ = show("--model", "chat")
    assert code == 0
    lines = out.splitlines()
    assert (
        lines[0]
        == "chat is asked 'q1' by the chat template of tiny.gguf, as defined in models/chat.toml"
    )
    assert lines[2:4] == [
        "<s><|system|>Be brief.<|end|><|user|>in the",
        "<|end|>�[2J an é?<|end|><|assistant|>",
    ]
    assert "\x1b" not in out
    tokens = [line.split(maxsplit=2)[2] for line in lines[6:]]
    assert [text for text in tokens if text.startswith("<")] == [
        "<s>", "<|end|>", "<|user|>", "<|end|>", "<|assistant|>",
    ]  # fmt: skip


def test_a_prompt_is_shown_as_json(show):
    code, out, _ = show("--model", "chat", "--question", "q2", "--json", "-")
    found = json.loads(out)
    assert code == 0
    assert (found["model"], found["question"], found["chat"]) == ("chat", "q2", True)
    assert found["messages"][1] == {"role": "user", "content": "x in?"}
    assert found["text"] == "<s><|system|>Be brief.<|end|><|user|>x in?<|end|><|assistant|>"
    assert found["tokens"][0] == {"id": 0, "kind": "special", "text": "<s>"}


def test_the_messages_to_a_server_are_shown_without_asking_it(show):
    code, out, _ = show("--model", "server", "--question", "q2")
    assert code == 0
    assert out.splitlines()[0] == (
        "server is asked 'q2' by messages to http://127.0.0.1:1/v1, as defined in models/server.toml"  # noqa: E501
    )
    assert out.splitlines()[2] == "[user]"
    assert "Passage: x" in out


def test_a_plain_text_to_a_server_is_shown_as_it_is(project, show):
    path = project / "models/server.toml"
    path.write_text('prompt = "{question} {passage}"\n' + path.read_text())
    code, out, _ = show("--model", "server", "--question", "q2")
    assert (code, out.splitlines()[2:]) == (0, ["in? x"])
    found = json.loads(show("--model", "server", "--question", "q2", "--json", "-")[1])
    assert (found["chat"], found["messages"], found["text"]) == (False, [], "in? x")
    assert found["tokens"] is None


def test_a_prompt_that_does_not_fit_is_told(project, show):
    (project / "models/plain.toml").write_text(
        'file = "tiny.gguf"\nprompt = "{question}:"\ncontext_length = 6\n'
    )
    assert "7 tokens: they do not fit context_length 6" in show()[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "plan"), "--model plan: suite s has no such model; did you mean 'plain'?"),
        (("--model", "z"), "--model z: suite s has no such model; it has plain, chat, server"),
        (("--question", "q9"), "--question q9: suite s does not ask it; did you mean 'q1'?"),
    ],
)
def test_what_is_not_there_is_told(show, arguments, message):
    code, out, err = show(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"raq: {message}") or "did you mean" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "tiny.gguf does not exist"),
        (b"text", "tiny.gguf is not a GGUF file"),
        (b"GGUF\3\0\0\0", "tiny.gguf: llama.cpp cannot load the model"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(project, show, content, message):
    path = project / "models/tiny.gguf"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    code, out, err = show()
    assert code in (2, 3) and out == ""
    assert message in err and err.count("\n") == 1
