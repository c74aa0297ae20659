"""`raq models pull` against a hub on loopback: served, cut off, lied to."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from types import SimpleNamespace

import pytest
from hub_server import COMMIT, serve_hub

from pytest_raq.cli import main
from pytest_raq.hub import download, remote

CONTENT = b"GGUF" + bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = "team/reader/reader-q4.gguf"

DEFINITION = """\
# Ours.
file = "reader.gguf"
max_tokens = 8

[source]
repo = "team/reader"
filename = "reader-q4.gguf"
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    import huggingface_hub.constants

    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(download, "_PAUSE", 0)
    monkeypatch.setattr(remote, "_PAUSES", (0, 0))


@pytest.fixture
def hub(monkeypatch):
    with serve_hub(files={FILE: CONTENT}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "reader.toml").write_text(DEFINITION)
    return folder


def pull(models, *options, names=("reader",)):
    return main(["models", "pull", *names, "--folder", str(models), *options])


def fails(capsys, models, *options, names=("reader",)):
    assert pull(models, *options, names=names) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error.removeprefix("raq: ").strip()


def parts(models):
    return sorted(path.name for path in models.glob(".*"))


def test_a_file_is_pulled_checked_and_named(hub, models, capsys):
    assert pull(models) == 0
    target = models / "reader.gguf"
    assert target.read_bytes() == CONTENT
    assert capsys.readouterr().out == (
        f"reader: pulled: {target}, 1.0 MB\n"
        f'  pin it in {models}/reader.toml: sha256 = "{SHA256}"'
        f' and, in [source], revision = "{COMMIT}"\n'
    )
    assert parts(models) == []
    assert hub.gets == [""]


def test_a_second_pull_fetches_nothing(hub, models, capsys):
    assert pull(models) == 0
    stamp = (models / "reader.gguf").stat().st_mtime_ns
    assert pull(models) == 0
    assert "reader: is complete: " in capsys.readouterr().out
    assert (models / "reader.gguf").stat().st_mtime_ns == stamp
    assert len(hub.gets) == 1


def test_pinning_writes_hash_and_commit_and_needs_no_hub_afterwards(hub, models, capsys):
    assert pull(models, "--pin") == 0
    assert (models / "reader.toml").read_text() == DEFINITION.replace(
        'file = "reader.gguf"\n', f'file = "reader.gguf"\nsha256 = "{SHA256}"\n'
    ).replace('reader-q4.gguf"\n', f'reader-q4.gguf"\nrevision = "{COMMIT}"\n')
    asked = len(hub.requests)
    assert pull(models, "--pin") == 0
    assert len(hub.requests) == asked
    assert f"pinned in {models}/reader.toml" in capsys.readouterr().out
    assert main(["models", "verify", "--folder", str(models)]) == 0
    assert capsys.readouterr().out == "reader: fine\n"


@pytest.mark.usefixtures("hub")
def test_a_definition_that_cannot_be_pinned_says_what_to_type(models, capsys):
    text = 'file = "reader.gguf"\nsource = {repo = "team/reader", filename = "reader-q4.gguf"}\n'
    (models / "reader.toml").write_text(text)
    assert fails(capsys, models, "--pin") == (
        f"{models}/reader.toml: cannot be pinned (it has no separate lines for [source]): write"
        f' sha256 = "{SHA256}" and, in [source], revision = "{COMMIT}" yourself'
    )
    assert (models / "reader.toml").read_text() == text


def test_a_cut_transfer_goes_on_where_it_ended(hub, models):
    hub.cut_after = 400_000
    assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert hub.gets == ["", "bytes=400000-", "bytes=800000-"]


def test_a_transfer_that_brings_nothing_is_given_up_and_later_resumed(hub, models, capsys):
    hub.cut_after = 0
    (models / f".reader.gguf.{SHA256[:12]}.part").write_bytes(CONTENT[:300_000])
    assert fails(capsys, models) == (
        "reader-q4.gguf of team/reader (main): 300,000 of 1,048,580 bytes arrived, then the"
        " transfer was cut off repeatedly (RemoteProtocolError): run the command again,"
        " it continues from there"
    )
    assert not (models / "reader.gguf").exists()
    hub.cut_after = None
    hub.requests.clear()
    assert pull(models) == 0
    assert hub.gets == ["bytes=300000-"]
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert parts(models) == []


def test_a_hub_without_ranges_begins_anew(hub, models):
    hub.ranges = False
    (models / f".reader.gguf.{SHA256[:12]}.part").write_bytes(CONTENT[:300_000])
    assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT


def test_a_damaged_part_of_an_earlier_attempt_is_fetched_again(hub, models):
    (models / f".reader.gguf.{SHA256[:12]}.part").write_bytes(b"x" * 300_000)
    assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert hub.gets == ["bytes=300000-", ""]


def test_a_hub_that_sends_something_else_leaves_nothing(hub, models, capsys):
    hub.sent = b"GGUF" + bytes(len(CONTENT) - 4)
    digest = hashlib.sha256(hub.sent).hexdigest()
    assert fails(capsys, models) == (
        f"reader-q4.gguf of team/reader (main): the SHA-256 of the download starts with"
        f" {digest[:12]}, the hub says {SHA256[:12]}: the download is deleted; pull again"
    )
    assert not (models / "reader.gguf").exists()
    assert parts(models) == []


def test_a_hub_that_sends_more_than_it_says(hub, models, capsys):
    hub.sent = CONTENT + b"more"
    assert "the hub sent more than the 1,048,580 bytes that it announced" in fails(capsys, models)
    assert not (models / "reader.gguf").exists()


def test_a_hub_that_sends_less_than_it_says(hub, models, capsys):
    hub.sent = CONTENT[:1000]
    assert "1,000 of 1,048,580 bytes arrived" in fails(capsys, models)
    assert not (models / "reader.gguf").exists()


def test_a_hub_whose_hash_is_not_the_one_of_the_definition(hub, models, capsys):
    other = "f" * 64
    (models / "reader.toml").write_text(f'sha256 = "{other}"\n{DEFINITION}')
    assert fails(capsys, models) == (
        f"reader-q4.gguf of team/reader (main): its SHA-256 starts with {SHA256[:12]} on the hub,"
        f" with {other[:12]} in the definition of reader: name the commit as revision, or correct"
        " sha256"
    )
    assert hub.gets == []


def test_a_file_that_is_no_model(hub, models, capsys):
    hub.files[FILE] = b"a text"
    assert "is not a GGUF file: correct filename in [source]" in fails(capsys, models)
    assert not (models / "reader.gguf").exists()


def test_a_small_file_that_the_hub_keeps_in_git_is_checked_too(hub, models, capsys):
    hub.sha256 = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()  # noqa: S324
    assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT
    (models / "reader.gguf").unlink()
    hub.sent = b"GGUF" + bytes(len(CONTENT) - 4)
    assert "the hub says another: the download is deleted" in fails(capsys, models)


def test_a_hub_that_says_no_hash_is_not_trusted(hub, models, capsys):
    hub.sha256 = "W/weak"
    assert "the hub does not report its SHA-256: set sha256" in fails(capsys, models)
    (models / "reader.toml").write_text(f'sha256 = "{SHA256}"\n{DEFINITION}')
    assert pull(models) == 0


@pytest.mark.usefixtures("hub")
def test_another_file_at_the_place_is_replaced_only_by_force(models, capsys):
    target = models / "reader.gguf"
    target.write_bytes(b"GGUF of mine")
    assert fails(capsys, models) == (
        f"{target}: exists, but is not reader-q4.gguf of team/reader (main): move it"
        " away, or replace it with --force"
    )
    assert target.read_bytes() == b"GGUF of mine"
    assert pull(models, "--force") == 0
    assert target.read_bytes() == CONTENT


def test_a_full_disk_is_told_before_anything_is_fetched(hub, models, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=900_000))
    assert fails(capsys, models) == (
        f"{models}: has 0.9 MB free, but 1.0 MB are needed: make space, or pull fewer models"
    )
    assert hub.gets == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("team/reader", "team/nobody"), "has no such repository: correct repo, or set HF_TOKEN"),
        (("reader-q4.gguf", "q5.gguf"), "the repository has no such file: correct filename"),
        (("filename", 'revision = "v9"\nfilename'), "has no such revision: correct revision"),
        (("team/reader", "team/re ader"), ": correct [source]"),
    ],
)
def test_what_the_hub_does_not_have(hub, models, capsys, change, told):
    (models / "reader.toml").write_text(DEFINITION.replace(*change))
    assert told in fails(capsys, models)
    assert hub.gets == []


def test_a_busy_hub_is_asked_again_and_then_given_up(hub, models, capsys):
    hub.status = 503
    assert fails(capsys, models) == (
        f"reader-q4.gguf of team/reader (main): {hub.url} answered with status 503, it is"
        f" not in the cache, and there is no file yet at {models}/reader.gguf"
    )
    assert len(hub.requests) == 3


def test_the_token_opens_and_is_never_shown(hub, models, capsys, monkeypatch):
    hub.token = "hf_secret"  # noqa: S105
    assert fails(capsys, models) == (
        "reader-q4.gguf of team/reader (main): its authors require consent: give it at"
        f" {hub.url}/team/reader and set HF_TOKEN to your token"
    )
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "hf_" not in fails(capsys, models)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert pull(models) == 0
    said = capsys.readouterr()
    assert "hf_" not in said.out + said.err


def test_the_token_does_not_leave_the_hub(hub, models, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.token = "hf_secret"  # noqa: S105
    with serve_hub(files=hub.files, cut_after=400_000) as elsewhere:
        hub.redirect = elsewhere.url
        assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert elsewhere.gets == ["", "bytes=400000-", "bytes=800000-"]
    assert set(elsewhere.tokens) == {""}
    assert set(hub.tokens) == {"Bearer hf_secret"}


def fill_cache(tmp_path, content=CONTENT, name=SHA256):
    repo = tmp_path / "cache" / "models--team--reader"
    for folder in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (repo / folder).mkdir(parents=True)
    (repo / "blobs" / name).write_bytes(content)
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "snapshots" / COMMIT / "reader-q4.gguf").symlink_to(f"../../blobs/{name}")


def test_offline_the_cache_serves(hub, models, tmp_path, monkeypatch, capsys):
    fill_cache(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert pull(models) == 0
    assert "reader: pulled from the cache: " in capsys.readouterr().out
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert pull(models) == 0
    assert "reader: is complete: " in capsys.readouterr().out
    assert hub.requests == []


def test_offline_without_a_cache(models, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fails(capsys, models) == (
        "reader-q4.gguf of team/reader (main): HF_HUB_OFFLINE forbids asking the hub, it is"
        f" not in the cache, and there is no file yet at {models}/reader.gguf"
    )


def test_a_damaged_cache_is_not_trusted(models, tmp_path, monkeypatch, capsys):
    fill_cache(tmp_path, content=b"GGUF but damaged")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "in the cache its SHA-256 starts with" in fails(capsys, models)
    assert not (models / "reader.gguf").exists()
    assert parts(models) == []


def test_a_hub_out_of_reach_is_told(models, monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached (" in fails(capsys, models)


def test_the_cache_spares_the_transfer(hub, models, tmp_path):
    fill_cache(tmp_path)
    assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert hub.gets == []


@pytest.mark.usefixtures("hub")
def test_one_of_several_that_fails_does_not_stop_the_others(models, capsys):
    text = DEFINITION.replace("reader.gguf", "other.gguf").replace("reader-q4", "no")
    (models / "other.toml").write_text(text)
    assert pull(models, names=("other", "reader")) == 2
    assert capsys.readouterr().err == (
        "no.gguf of team/reader (main): the repository has no such file: correct filename\n"
        "raq: 1 of 2 models could not be pulled\n"
    )
    assert (models / "reader.gguf").exists()


@pytest.mark.usefixtures("hub")
def test_the_models_of_a_suite(models, tmp_path, capsys):
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.toml").write_text(
        'models = ["reader", "local"]\njudge = ["reference", "judge"]\n'
        '[dataset]\nsource = "x.json"\n'
    )
    (models / "judge.toml").write_text(DEFINITION.replace("reader.gguf", "judge.gguf"))
    (models / "local.toml").write_text('file = "local.gguf"\n')
    folders = ("--suites-folder", str(tmp_path / "suites"))
    assert pull(models, "--suite", "s", *folders, names=()) == 0
    assert (models / "reader.gguf").exists()
    assert (models / "judge.gguf").exists()
    assert fails(capsys, models, names=()) == (
        "raq models pull: name models, or --suite NAME, or --all"
    )
    assert fails(capsys, models, names=("local",)) == (
        f"{models}/local.toml: has no [source] to pull it from: write repo and filename there"
    )


@pytest.mark.usefixtures("hub")
def test_list_tells_what_is_there(models, capsys):
    command = ["models", "list", "--folder", str(models)]
    assert main(command) == 0
    assert capsys.readouterr().out == (
        f"reader: llama-cpp, {models}/reader.gguf, not pulled (raq models pull reader)\n"
    )
    assert main(["models", "verify", "--folder", str(models)]) == 0
    assert main(["models", "verify", "reader", "--folder", str(models)]) == 3
    assert capsys.readouterr().out == "reader: not pulled (raq models pull reader)\n" * 2
    assert pull(models, "--pin") == 0
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("/reader.gguf, 1.0 MB, present\n")
    (models / "reader.gguf").write_bytes(b"GGUF")
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("4 B, does not match sha256\n")


def _pull_in_a_process(models):
    os._exit(pull(models))


def test_two_pulls_at_once_fetch_a_file_once(hub, models):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_pull_in_a_process, args=(models,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert len(hub.gets) == 1
    assert parts(models) == []
