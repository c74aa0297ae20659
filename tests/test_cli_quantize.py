"""`raq quantize`: real files through llama.cpp's own quantizer."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_raq.cli import main
from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.engines.llamacpp.quantizer import Quantizer, plain_name
from pytest_raq.errors import ConfigError, EngineError

READER = Path(__file__).parent.parent / "models" / "reader-mistral-q8_0.gguf"


@pytest.fixture
def source(tiny_gguf, tmp_path):
    """A small model at F32 whose name says so."""
    path = tmp_path / "tiny-f32.gguf"
    shutil.copyfile(tiny_gguf(), path)
    return path


def fails(capsys, *arguments, code=2):
    assert main(["quantize", *map(str, arguments)]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error.removeprefix("raq: ").strip()


def test_a_file_is_made_named_and_told(source, capsys):
    assert main(["quantize", str(source), "--to", "q8_0"]) == 0
    made = source.with_name("tiny-Q8_0.gguf")
    assert made.read_bytes().startswith(b"GGUF")
    assert capsys.readouterr().out == f"{made}: 389.1 kB (F32) → 108.7 kB (Q8_0), 28 %\n"
    with Quantizer(made) as quantizer:
        assert quantizer.source.quantization == "Q8_0"
    assert sorted(path.name for path in source.parent.iterdir()) == [made.name, source.name]
    assert fails(capsys, source, "--to", "Q8_0") == (
        f"{made}: exists; replace it with --force, or name another with --out"
    )
    assert main(["quantize", str(source), "--to", "Q8_0", "--force"]) == 0


def test_rows_that_do_not_fit_and_a_source_that_lost_already_are_told(source, capsys, tmp_path):
    first, second = tmp_path / "a.gguf", tmp_path / "b.gguf"
    assert main(["quantize", str(source), "--to", "Q4_K_M", "--out", str(first)]) == 0
    assert capsys.readouterr().out.endswith(
        "note: the rows of some tensors do not fit the type; they got another one:"
        " 13 q4_K → q5_0, 2 q6_K → q8_0\n"
    )
    command = ["quantize", str(first), "--to", "Q8_0", "--out", str(second), "--json", "-"]
    assert main(command) == 0
    table = json.loads(capsys.readouterr().out)
    assert table == {
        "file": str(second),
        "type": "Q8_0",
        "bytes": second.stat().st_size,
        "source_bytes": first.stat().st_size,
        "notes": ["made from Q4_K_M: a file made from F16 or F32 is better"],
    }


def test_types_that_there_are_not(source, capsys):
    assert fails(capsys, source, "--to", "Q4KM") == (
        "'Q4KM' is not a type that this llama.cpp can write; did you mean 'Q4_K_M'?"
    )
    out = source.with_name("out.gguf")
    assert fails(capsys, READER, "--to", "IQ2_XXS", "--out", out, code=3) == (
        f"{READER} cannot be made IQ2_XXS: llama.cpp writes this type only with an importance"
        " matrix"
    )
    assert [path.name for path in source.parent.iterdir()] == ["tiny-f32.gguf"]


def test_places_and_files_that_will_not_do(source, capsys, tmp_path, monkeypatch):
    def told(*arguments, code=2):
        return fails(capsys, *arguments, "--to", "Q8_0", code=code)

    assert told(tmp_path / "no.gguf") == f"{tmp_path}/no.gguf does not exist: name a GGUF file"
    assert told(tmp_path) == f"{tmp_path} is a folder: name a GGUF file"
    assert told(source, "--out", tmp_path) == f"--out {tmp_path}: is a folder; name the file"
    assert told(source, "--out", source) == (
        f"--out {source}: is the file to be quantized; name another"
    )
    text = tmp_path / "text.gguf"
    text.write_text("a text")
    assert "is not a GGUF file" in told(text, code=3)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(source.read_bytes()[:200_000])
    assert told(cut, code=3).endswith("is corrupted or incomplete): it may be damaged")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=50_000))
    out = tmp_path / "new" / "x.gguf"
    assert told(source, "--out", out) == (f"{out}: needs 0.1 MB, and {out.parent} has 0.1 MB free")
    assert not list(tmp_path.glob("**/*.part"))


def test_a_quantizer_that_dies_leaves_nothing(source, tmp_path):
    target = tmp_path / "x.gguf"
    with Quantizer(source) as quantizer:
        os.kill(quantizer._process.pid, signal.SIGKILL)
        with pytest.raises(EngineError) as caught:
            quantizer.quantize("Q8_0", target)
    assert str(caught.value) == (
        f"{source}: llama.cpp's quantizer was killed by SIGKILL (was memory short?) on the way to"
        " Q8_0"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-f32.gguf"]


def test_without_llama_cpp_it_says_how_to_get_it(source, tmp_path):
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\nread line\necho \'{"type": "failed", "kind": "not installed",'
        ' "reason": "No module named llama_cpp"}\'\n'
    )
    python.chmod(0o755)
    with pytest.raises(EngineError) as caught:
        Quantizer(source, python)
    assert str(caught.value) == (
        "llama.cpp cannot be imported (No module named llama_cpp): "
        + pip_install("'pytest-raq[llama]'")
    )


def test_an_unknown_type_lists_what_there_is(source):
    with Quantizer(source) as quantizer, pytest.raises(ConfigError, match=r"it has F32, F16, Q4_0"):
        quantizer.kind("#")


@pytest.mark.parametrize(
    ("name", "kind", "plain"),
    [
        ("reader-llama-f16.gguf", "F16", "reader-llama"),
        ("Mistral.Q4_K_M.gguf", "Q4_K_M", "Mistral"),
        ("model.gguf", "F16", "model"),
        ("f16.gguf", "F16", "f16"),
        ("model-f16.gguf", "", "model-f16"),
    ],
)
def test_the_name_without_the_type(tmp_path, name, kind, plain):
    assert plain_name(tmp_path / name, kind) == plain


def test_a_source_is_not_replaced_through_a_folder_that_is_not_there_yet(source, capsys):
    before = source.read_bytes()
    out = source.parent / "new" / ".." / source.name
    assert fails(capsys, source, "--to", "Q8_0", "--out", out, "--force") == (
        f"--out {out}: is the file to be quantized; name another"
    )
    with Quantizer(source) as quantizer, pytest.raises(ConfigError, match="is the file to be"):
        quantizer.quantize("Q8_0", source.parent / "other" / ".." / source.name)
    assert source.read_bytes() == before
