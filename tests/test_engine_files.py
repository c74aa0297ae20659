from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from gguf_files import define, write_tiny_gguf

from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.errors import ConfigError, EngineStartError


def refuse(definition, error=EngineStartError) -> str:
    with pytest.raises(error) as caught:
        open_engine(definition)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_sha256_of_a_fitting_file_is_returned(tiny_gguf):
    path = tiny_gguf()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert verify_model_file(define(path)) == digest
    assert verify_model_file(define(path, sha256=digest)) == digest


def test_another_sha256_names_both(tiny_gguf):
    path = tiny_gguf()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert refuse(define(path, sha256="0123456789abcdef" * 4)) == (
        f"{path} is not the file of {path.with_name('tiny.toml')}: its SHA-256 starts with "
        f"{digest[:12]}, sha256 there with 0123456789ab: "
        "download it again, or correct sha256 if the file was changed on purpose"
    )


def test_a_missing_file(tmp_path):
    assert refuse(define(tmp_path / "no.gguf"), ConfigError) == (
        f"{tmp_path}/no.gguf does not exist: put the GGUF file there, "
        f"or correct file = 'no.gguf' in {tmp_path}/tiny.toml"
    )


def test_a_missing_file_with_a_source(tmp_path):
    source = {"repo": "team/reader", "filename": "reader-q4.gguf"}
    message = refuse(define(tmp_path / "no.gguf", source=source), ConfigError)
    assert f"{tmp_path}/no.gguf does not exist: run raq models pull tiny, or" in message


def test_a_folder(tmp_path):
    (tmp_path / "x.gguf").mkdir()
    assert refuse(define(tmp_path / "x.gguf"), ConfigError) == (
        f"{tmp_path}/x.gguf is a folder: file in {tmp_path}/tiny.toml must name a GGUF file"
    )


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.gguf")
    message = refuse(define(tmp_path / "x.gguf"), ConfigError)
    assert message.startswith(f"{tmp_path}/x.gguf is not a regular file:")


def test_a_name_that_no_file_can_have(tmp_path):
    refuse(define(tmp_path / "x.gguf", file="a\0b"), ConfigError)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty: download or make it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "is a Git LFS pointer, not the model: run git lfs pull",
        ),
        (
            b"Hello\n",
            r"is not a GGUF file: it starts with 'Hello\n', not with 'GGUF': download it again",
        ),
        (b"\x80\x02\xffabc", r"is not a GGUF file: it starts with '\x80\x02\xffabc', not with"),
        (b"GGU", "is not a GGUF file: it starts with 'GGU', not with 'GGUF'"),
    ],
)
def test_what_is_not_gguf(tmp_path, content, told):
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert f"{path} {told}" in refuse(define(path))


def test_an_unreadable_file(tmp_path, monkeypatch):
    path = write_tiny_gguf(tmp_path / "x.gguf")

    def deny(*_args, **_options):
        # Permissions of a file do not stop root, who runs the tests in containers.
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert refuse(define(path)) == (
        f"{path}: cannot be read: Permission denied: check its permissions and its disk"
    )


def test_a_truncated_file_quotes_llama_cpp(tiny_gguf, tmp_path):
    path = tmp_path / "short.gguf"
    path.write_bytes(tiny_gguf().read_bytes()[:200_000])
    message = refuse(define(path))
    assert message.startswith(f"{path}: llama.cpp cannot load the model (")
    assert "data is not within the file bounds" in message
    assert message.endswith("): it is damaged, or newer than this llama-cpp-python")


def test_a_file_of_another_architecture(tiny_gguf, tmp_path):
    path = tmp_path / "other.gguf"
    path.write_bytes(tiny_gguf().read_bytes().replace(b"llama", b"lhama", 1))
    assert "unknown model architecture: 'lhama'" in refuse(define(path))


def test_chat_without_a_template(tiny_gguf):
    path = tiny_gguf()
    assert refuse(define(path, prompt="chat")) == (
        f"{path}: the model has no chat template: set a prompt without it in"
        f" {path.with_name('tiny.toml')}, for example"
        ' prompt = "{passage}\\n\\n{question}\\n"'
    )


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% if %}", "the chat template cannot be parsed: Expected an expression"),
        ("{{ x.y.z }}", "the chat template cannot be rendered: 'x' is undefined"),
        ("{{ raise_exception('no users') }}", "the chat template cannot be rendered: no users"),
        ("hello", "the chat template leaves out the user's message"),
        (
            "{{ 'x' * (2*10**9) }}",
            "the chat template cannot be rendered: needs more than 150 MB of memory",
        ),
    ],
)
def test_chat_with_a_broken_template(tiny_gguf, template, told):
    message = refuse(define(tiny_gguf(chat_template=template), prompt="chat"))
    assert told in message
    assert message.endswith('tiny.toml, for example prompt = "{passage}\\n\\n{question}\\n"')


def test_a_context_that_no_machine_has(tiny_gguf):
    path = tiny_gguf()
    assert refuse(define(path, context_length=2**36)) == (
        f"{path}: llama.cpp cannot make room for context_length 68719476736: "
        f"lower it in {path.with_name('tiny.toml')}"
    )
