"""What `--raq-swap` takes: files, definitions, and files of a hub."""

from __future__ import annotations

import pytest
from hub_server import COMMIT, serve_hub

from pytest_raq.config import load_suite
from pytest_raq.errors import ConfigError, HubError, UsageError
from pytest_raq.files import hash_file
from pytest_raq.hub import parse_target, remote
from pytest_raq.running import SessionOptions
from pytest_raq.running.model_selection import ModelSelection, refuse_missing

CONTENT = b"GGUF" + bytes(1000)
FILE = "team/reader/small/reader-q4.gguf"
SUITE = """
models = ["ours"]
[dataset]
source = "x.json"
[generation]
max_tokens = 7
seed = 5
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    import huggingface_hub.constants

    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(remote, "_PAUSES", ())
    for name, text in (
        ("models/ours.toml", 'file = "ours.gguf"\nmax_tokens = 100\ntemperature = 0.5\n'),
        ("models/other-1.5.toml", 'file = "other.gguf"\ncontext_length = 99\n'),
        ("models/ours.gguf", "GGUF ours"),
        ("suites/s.toml", SUITE),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def contestants(project, **options):
    fields = {
        "suites_folder": project / "suites",
        "models_folder": project / "models",
        "baselines_folder": project / "baselines",
        "store_path": project / ".raq" / "store.db",
        "start": project,
    }
    return ModelSelection(SessionOptions(**fields, **options), hash_file)


def run(project, target=None, **options):
    suite = load_suite(project / "suites", "s")
    swaps = {"ours": target} if target else {}
    return contestants(project, swaps=swaps, **options).models(suite)["ours"]


def test_the_settings_of_a_suite_hold_for_all_its_models(project):
    model = run(project)
    assert (model.max_tokens, model.seed, model.temperature) == (7, 5, 0.5)
    assert run(project, "other-1.5").max_tokens == 7


def test_a_file_is_looked_for_from_where_the_command_was_typed(project):
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "new.gguf").write_text("GGUF new")
    model = run(project, "elsewhere/new.gguf")
    assert model.file_path == project / "elsewhere" / "new.gguf"
    assert (model.name, model.sha256, model.temperature) == ("ours", None, 0.5)


def test_another_definition_keeps_the_name(project):
    model = run(project, "other-1.5")
    assert (model.name, model.file, model.context_length) == ("ours", "other.gguf", 99)


def test_what_is_neither(project):
    with pytest.raises(ConfigError) as caught:
        run(project, "no.gguf")
    assert str(caught.value) == (
        f"--raq-swap ours=no.gguf: {project}/no.gguf is not a file,"
        f" and {project}/models has no definition 'no.gguf'"
    )


@pytest.mark.parametrize(
    "target",
    ["hf:", "hf:team", "hf:team/reader", "hf:team//x", "hf:team/reader/", "hf:team/reader/x@",
     "hf:team/reader/../x", "hf:/reader/x", "hf:team/reader/x@.."],
)  # fmt: skip
def test_what_begins_like_a_hub_id_and_is_none(target):
    with pytest.raises(ConfigError, match=r"is not a file of a hub: write hf:ORG/REPO/FILE or hf:"):
        parse_target(target)


def test_a_hub_id_in_all_its_forms():
    assert parse_target("models/x.gguf") is None
    plain = parse_target("hf:team/reader/small/q4.gguf")
    assert (plain.repo, plain.filename, plain.revision) == (
        "team/reader", "small/q4.gguf", "main",
    )  # fmt: skip
    assert parse_target("hf://team/reader/q4.gguf@refs/pr/1").revision == "refs/pr/1"


def test_a_hub_id_is_pulled_beside_the_store_once(project, monkeypatch):
    with serve_hub(files={FILE: CONTENT}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        model = run(project, f"hf:{FILE}")
        place = project / ".raq" / "hub" / "team--reader" / "main" / "small" / "reader-q4.gguf"
        assert model.file_path == place
        assert place.read_bytes() == CONTENT
        assert model.sha256 == hash_file(place)
        assert run(project, f"hf:{FILE}") == model
        assert len(hub.gets) == 1
        pinned = run(project, f"hf:{FILE}@{COMMIT}")
        assert COMMIT in pinned.file_path.parts
        hub.files[FILE] = CONTENT + b"more"
        assert run(project, f"hf:{FILE}").sha256 != model.sha256
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    # Out of reach of the hub: what was pulled before, unless it was damaged since.
    found = contestants(project, swaps={"ours": f"hf:{FILE}"})
    assert found.models(load_suite(project / "suites", "s"))["ours"].file_path == place
    assert found.notices[0].startswith(
        f"{place} is used as pulled before: {FILE.removeprefix('team/reader/')} of"
        " team/reader (main): http://127.0.0.1:9 cannot be reached ("
    )
    assert "the cache" not in found.notices[0]
    place.write_bytes(CONTENT)
    with pytest.raises(HubError, match="cannot be reached"):
        run(project, f"hf:{FILE}")


def test_a_hub_id_that_cannot_be_had_is_a_mistake_of_the_user(project, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubError, match="HF_HUB_OFFLINE forbids asking the hub") as caught:
        run(project, f"hf:{FILE}")
    assert isinstance(caught.value, UsageError)


def test_missing_files_of_a_hub_name_the_command(project):
    suite = load_suite(project / "suites", "s")
    refuse_missing(suite, {"ours": run(project)})
    (project / "models" / "ours.gguf").unlink()
    # Nobody can pull it: the model is not measured, and the others of its suite are.
    refuse_missing(suite, {"ours": run(project)})
    with (project / "models" / "ours.toml").open("a") as file:
        file.write('[source]\nrepo = "team/reader"\nfilename = "x.gguf"\n')
    with pytest.raises(ConfigError) as caught:
        refuse_missing(suite, {"ours": run(project)})
    assert str(caught.value) == (
        "suite s: the model has no file yet (ours): run raq models pull --suite s"
    )
    with pytest.raises(ConfigError, match="ours has no file yet: run raq models pull ours"):
        contestants(project).single(suite, "ours")


def test_a_server_has_no_file_to_quantize(project):
    (project / "models" / "ours.toml").write_text(
        'engine = "openai"\n[openai]\nbase_url = "https://x"\nmodel = "m"\n'
    )
    suite = load_suite(project / "suites", "s")
    with pytest.raises(ConfigError, match='engine = "openai" has no file to quantize'):
        contestants(project).single(suite, "ours")
