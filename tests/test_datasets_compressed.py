"""Files of questions that are compressed, or in another encoding than UTF-8."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tracemalloc

import pyarrow as pa
import pytest

from pytest_raq.cli import main
from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import compression, load_questions
from pytest_raq.errors import ConfigError, DatasetError
from pytest_raq.files import COMPRESSED

CSV = "question,answer\nWo liegt Zürich?,Schweiz\n"
ROWS = [{"question": "Wo liegt Zürich?", "answer": "Schweiz"}]
TEXTS = {
    "q.csv": CSV,
    "q.tsv": CSV.replace(",", "\t"),
    "q.json": json.dumps(ROWS),
    "q.jsonl": json.dumps(ROWS[0], ensure_ascii=False) + "\n",
}


def zstandard(raw):
    return pa.compress(raw, codec="zstd", asbytes=True)


PACK = dict(zip(COMPRESSED, (gzip.compress, zstandard, bz2.compress, lzma.compress), strict=True))


def load(path, **settings):
    return load_questions(DatasetSettings(source=path.name, **settings), path.parent)


def message_of(path, **settings):
    with pytest.raises(DatasetError) as caught:
        load(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{path.parent}/", "")


@pytest.mark.parametrize("suffix", COMPRESSED)
@pytest.mark.parametrize("name", TEXTS)
def test_a_compressed_file_holds_the_same_questions(tmp_path, name, suffix):
    plain, packed = tmp_path / name, tmp_path / f"{name}{suffix.upper()}"
    plain.write_bytes(TEXTS[name].encode())
    half = len(TEXTS[name]) // 2
    parts = TEXTS[name].encode()[:half], TEXTS[name].encode()[half:]
    packed.write_bytes(b"".join(PACK[suffix](part) for part in parts))  # as written by appending
    assert load(packed).fingerprint == load(plain).fingerprint
    assert load(packed).questions[0].references == ("Schweiz",)


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_damaged_file_is_told(tmp_path, suffix):
    path = tmp_path / f"q.csv{suffix}"
    whole = PACK[suffix](CSV.encode() * 50)
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert message_of(path).startswith(f"q.csv{suffix}: is damaged: ")
    assert message_of(path).endswith("; get the file again")
    path.write_text(CSV)
    assert message_of(path).endswith(f"; rename it without {suffix}")


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(compression, "_HARMLESS", 2 << 20)
    monkeypatch.setattr(compression, "_MOST_TIMES", 50)
    path = tmp_path / f"q.json{suffix}"
    path.write_bytes(PACK[suffix](b" " * (24 << 20)))
    tracemalloc.start()
    told = message_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert " bytes unpack to more than 2 MiB, which could fill the memory; unpack it" in told
    assert peak < 16 << 20


def test_a_large_file_may_unpack_to_many_times_its_size_but_not_to_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_HARMLESS", 1 << 16)
    path = tmp_path / "q.jsonl.gz"
    rows = "".join(
        json.dumps({"question": f"{n} {n * n}? In the long year {n}"}) + "\n" for n in range(20_000)
    )
    path.write_bytes(gzip.compress(rows.encode(), compresslevel=1))
    assert len(load(path)) == 20_000
    monkeypatch.setattr(compression, "MOST_UNPACKED", 1 << 19)
    assert "unpack to more than 0.5 MiB" in message_of(path)


def test_zstandard_without_its_library_is_told(tmp_path, monkeypatch):
    path = tmp_path / "q.csv.zst"
    path.write_bytes(zstandard(CSV.encode()))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert message_of(path) == (
        "q.csv.zst: Zstandard files need the datasets extra: pip install 'pytest-raq[datasets]',"
        " or unpack it: zstd -dk q.csv.zst"
    )


def test_other_compressed_files_are_told(tmp_path):
    (tmp_path / "q.parquet.gz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "q.xlsx.gz").write_bytes(gzip.compress(b"x"))
    assert message_of(tmp_path / "q.parquet.gz") == (
        "q.parquet.gz: Parquet files are compressed inside already; unpack this one"
    )
    assert "q.xlsx.gz: .gz cannot be read" in message_of(tmp_path / "q.xlsx.gz")
    assert "text files also with .gz, .zst, " in message_of(tmp_path / "q.xlsx.gz")
    assert "does not exist; a source is a file" in message_of(tmp_path / "absent.csv.gz")


LANGUAGES = [
    ("cp1252", "Wie heißt die größte Stadt?", "heißt"),
    ("cp1252", "Where is the café?", "café"),
    ("cp1252", "¿Dónde nació Cervantes?", "Dónde"),
    ("cp1252", "Who’s “there” – for £5?", ""),
    ("mac-roman", "Où est né Molière ?", "Où"),
    ("cp850", "Wie heißt die größte Stadt?", "heißt"),
    ("cp1250", "Jak nazywa się stolica Śląska?", "się"),
    ("cp1250", "Který hrad je největší?", "Který"),
    ("cp1254", "Türkiye'nin başkenti neresi?", "Türkiye"),
    ("cp1251", "Как называется столица России?", "Как"),
    ("koi8-r", "Как называется столица России?", "Как"),
    ("cp866", "Как называется столица России?", "Как"),
    ("cp1253", "Ποια είναι η πρωτεύουσα;", "Ποια"),
    ("cp1255", "מהי בירת ישראל?", "מהי"),
    ("cp1256", "ما هي عاصمة مصر؟", "ما"),
    ("cp932", "日本の首都はどこですか。", "日本の首都はどこですか"),
    ("euc-jp", "日本の首都はどこですか。", "日本の首都はどこですか"),
    ("gb18030", "中国的首都是哪里？", "中国的首都是哪里"),
    ("big5", "臺灣的首都在哪裡？", "臺灣的首都在哪裡"),
    ("cp949", "한국의 수도는 어디입니까?", "한국의"),
]


@pytest.mark.parametrize(("encoding", "question", "word"), LANGUAGES)
def test_the_encoding_is_named_and_the_key_reads_the_file(tmp_path, encoding, question, word):
    path = tmp_path / "q.csv"
    english = "".join(f"Which number is {n}?,{n}\n" for n in range(2_000))
    shown = f" ({word!r})" if word else ""
    for before in ("", english):
        path.write_bytes(f"question,answer\n{before}{question},x\n".encode(encoding))
        assert message_of(path) == (
            f"q.csv: is not UTF-8 in line {before.count(chr(10)) + 2}; it looks like"
            f' {encoding}{shown}: set dataset.encoding = "{encoding}", or save it as UTF-8'
        )
        assert load(path, encoding=encoding).questions[-1].question == question


def test_utf_16_is_named_with_and_without_its_mark(tmp_path):
    path = tmp_path / "q.csv"
    path.write_bytes(CSV.encode("utf-16"))
    assert message_of(path) == (
        'q.csv: is UTF-16; set dataset.encoding = "utf-16", or save it as UTF-8'
    )
    assert load(path, encoding="utf-16").questions[0].question == "Wo liegt Zürich?"
    path.write_bytes(CSV.encode("utf-16-le"))
    assert "it looks like utf-16-le ('Zürich'): set dataset.encoding" in message_of(path)
    assert load(path, encoding="utf-16-le").questions[0].question == "Wo liegt Zürich?"


def test_bytes_that_are_no_text_get_no_guess(tmp_path):
    path = tmp_path / "q.csv"
    path.write_bytes(b"question\n" + bytes(range(128, 256)) * 3)
    assert message_of(path) == "q.csv: is not UTF-8 in line 2; save it as UTF-8"


@pytest.mark.parametrize("name", TEXTS)
def test_the_key_holds_for_each_text_file_and_compressed_ones(tmp_path, name):
    text = TEXTS[name].replace("\\u00fc", "ü")
    plain, other = tmp_path / name, tmp_path / f"x{name}.gz"
    plain.write_bytes(text.encode())
    other.write_bytes(gzip.compress(text.encode("cp1252")))
    assert load(other, encoding="cp1252").fingerprint == load(plain).fingerprint
    wrong = message_of(other)
    assert "is not UTF-8" in wrong
    assert "looks like cp1252 ('Zürich'): set dataset.encoding = \"cp1252\"" in wrong


def test_a_key_that_is_not_true_is_told(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text(CSV, encoding="utf-8")
    assert message_of(path, encoding="cp1252") == (
        "q.csv: is UTF-8, not cp1252; remove dataset.encoding"
    )
    for same in ("utf-8", "UTF8"):
        assert load(path, encoding=same).questions[0].question == "Wo liegt Zürich?"
    path.write_bytes(CSV.encode("cp1252"))
    assert message_of(path, encoding="ascii") == (
        "q.csv: is not ascii in line 2; it looks like cp1252 ('Zürich'):"
        ' set dataset.encoding = "cp1252", or save it as UTF-8'
    )
    assert "is not utf-8 in line 2; it looks like cp1252" in message_of(path, encoding="utf-8")


@pytest.mark.parametrize("name", ["cp12525", "", "hex", "a\0b"])
def test_an_encoding_that_does_not_exist_is_told(name, tmp_path):
    from pytest_raq.config import load_suite

    (tmp_path / "s.toml").write_text(
        f'models = ["m"]\n[dataset]\nsource = "q.csv"\nencoding = {json.dumps(name)}\n'
    )
    with pytest.raises(ConfigError, match=r"dataset\.encoding: should be a text encoding"):
        load_suite(tmp_path, "s")


def test_answers_of_other_tools_may_be_compressed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    row = {"id": "1", "model": "a", "answer": "Zürich", "references": ["Zürich"], "passage": "p"}
    line = json.dumps(row, ensure_ascii=False) + "\n"
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    (tmp_path / "q.csv.gz").write_bytes(gzip.compress(b"id,question,answer\n1,Where?,Basel\n"))
    assert main(["rank", "a.jsonl.gz", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["suites"]["answers"]["models"]["a"]["f1"] == 1
    assert main(["rank", "a.jsonl.gz", "--dataset", "q.csv.gz", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["suites"]["answers"]["models"]["a"]["f1"] == 0
    (tmp_path / "b.jsonl").write_bytes(line.encode("cp1252"))
    assert main(["rank", "b.jsonl"]) == 2
    assert capsys.readouterr().err == (
        "raq: b.jsonl:1: is not UTF-8 (byte 39 of the line); it looks like cp1252 ('Zürich'):"
        " save it as UTF-8\n"
    )
