"""`raq models pull` writes nowhere but where a model may be."""

from __future__ import annotations

import os

import pytest
from hub_server import serve_hub
from test_hub_pull import CONTENT, DEFINITION, FILE, SHA256, fails, fill_cache, parts, pull

from pytest_raq.errors import HubError
from pytest_raq.hub import download, remote
from pytest_raq.hub.places import locked, project_folder, require_place


@pytest.fixture
def hub(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "_PAUSE", 0)
    monkeypatch.setattr(remote, "_PAUSES", ())
    with serve_hub(files={FILE: CONTENT}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "project" / "models"
    folder.mkdir(parents=True)
    (folder / "reader.toml").write_text(DEFINITION)
    return folder


def place(models, file):
    (models / "reader.toml").write_text(DEFINITION.replace("reader.gguf", file))


def test_nothing_outside_the_project_is_written(hub, models, tmp_path, capsys):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    for file in (f"{outside}/x.gguf", "../../elsewhere/x.gguf"):
        place(models, file)
        told = fails(capsys, models, "--force")
        assert told == (
            f"{models / file}: is outside the project ({models.parent}), in {outside}: correct file"
            f" in the definition of reader, or allow this folder with --into {outside}"
        )
    assert list(outside.iterdir()) == []
    assert hub.requests == []
    assert pull(models, "--into", str(outside)) == 0
    assert (outside / "x.gguf").read_bytes() == CONTENT


def test_a_folder_that_is_a_link_is_where_it_leads(hub, models, tmp_path, capsys):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (models / "weights").symlink_to(outside)
    place(models, "weights/deep/x.gguf")
    assert f"is outside the project ({models.parent}), in {outside}/deep" in fails(capsys, models)
    assert list(outside.iterdir()) == []
    assert hub.requests == []
    (models / "weights").unlink()
    (models.parent / "data").mkdir()
    (models / "weights").symlink_to("../data")  # inside the project it may lead anywhere
    assert pull(models) == 0
    assert (models.parent / "data/deep/x.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["x.pth", "x.gguf.py", "gguf", ".gguf"])
def test_only_files_of_models_are_written(hub, models, capsys, name):
    place(models, name)
    assert fails(capsys, models) == (
        f"{models / name}: is no place for the file of reader: a file that is pulled must end in"
        " .gguf: correct file or filename in the definition"
    )
    assert hub.requests == []


def test_a_planted_link_is_no_partial_file(hub, models, tmp_path, capsys):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    part = models / f".reader.gguf.{SHA256[:12]}.part"
    part.symlink_to(victim)
    assert fails(capsys, models) == (
        f"{part}: is a link or no regular file, and a download is written to no other file:"
        " remove it"
    )
    part.unlink()
    os.link(victim, part)
    assert "is a link or no regular file" in fails(capsys, models)
    part.unlink()
    part.symlink_to(tmp_path / "nothing")  # a link to nothing would make the file
    assert "is a link or no regular file" in fails(capsys, models)
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()
    assert hub.gets == []
    part.unlink()
    assert pull(models) == 0


def test_a_link_that_appears_late_is_not_followed_either(tmp_path, monkeypatch):
    from pathlib import Path

    (tmp_path / "part").symlink_to(tmp_path / "victim")
    monkeypatch.setattr(Path, "is_symlink", lambda _path: False)
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path / "part"):
        pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.usefixtures("hub")
def test_a_link_at_the_place_itself_is_replaced_and_not_followed(models, tmp_path):
    target = models / "reader.gguf"
    target.symlink_to(tmp_path / "nothing")
    assert pull(models) == 0
    assert not target.is_symlink()
    assert not (tmp_path / "nothing").exists()


@pytest.mark.usefixtures("hub")
def test_a_copy_from_the_cache_has_a_name_that_nobody_can_plant(models, tmp_path, monkeypatch):
    from pathlib import Path

    def on_another_disk(*_arguments):
        raise OSError

    monkeypatch.setattr(Path, "hardlink_to", on_another_disk)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (models / f".reader.gguf.{os.getpid()}.copy").symlink_to(victim)
    fill_cache(tmp_path)
    assert pull(models) == 0
    assert (models / "reader.gguf").read_bytes() == CONTENT
    assert victim.read_text() == "precious"
    assert parts(models) == [f".reader.gguf.{os.getpid()}.copy"]


@pytest.mark.usefixtures("hub")
def test_a_definition_that_is_a_link_is_not_written(models, tmp_path, capsys):
    (models / "reader.toml").rename(tmp_path / "shared.toml")
    (models / "reader.toml").symlink_to(tmp_path / "shared.toml")
    assert f"{models}/reader.toml: cannot be pinned (it is a link)" in fails(
        capsys, models, "--pin"
    )
    assert (tmp_path / "shared.toml").read_text() == DEFINITION


@pytest.mark.usefixtures("hub")
def test_other_partial_files_stay_whatever_the_name_of_this_one(models):
    (models / ".other.gguf.abc.part").write_bytes(b"GG")
    place(models, "*.gguf")
    assert pull(models) == 0
    assert parts(models) == [".other.gguf.abc.part"]


def test_the_folder_of_a_project(tmp_path):
    definitions = tmp_path / "a" / "b" / "models"
    definitions.mkdir(parents=True)
    assert project_folder(definitions) == tmp_path / "a" / "b"
    (tmp_path / "a" / "pyproject.toml").touch()
    assert project_folder(definitions) == tmp_path / "a"
    (tmp_path / "a" / "b" / ".git").mkdir()
    assert project_folder(definitions) == tmp_path / "a" / "b"


def test_the_root_of_a_disk_is_no_project(tmp_path):
    top = type(tmp_path)("/models-that-are-not-there")
    assert project_folder(top) == top
    with pytest.raises(HubError, match="is outside the project"):
        require_place("m", type(tmp_path)("/etc/x.gguf"), [project_folder(top)])
