"""What is read from the header of a GGUF file, and what is told of one that is broken."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.engines.gguf_header import read_gguf_header
from pytest_raq.errors import ConfigError

MODELS = Path(__file__).parent.parent / "models"


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def header(*keys, version=3, count=None):
    start = b"GGUF" + struct.pack("<IQQ", version, 1, len(keys) if count is None else count)
    return start + b"".join(keys)


def entry(key, kind, raw):
    return text(key) + struct.pack("<I", kind) + raw


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.gguf")), ids=lambda path: path.stem)
def test_it_says_what_the_reference_reader_says(path):
    reference = gguf.GGUFReader(path).fields
    found = read_gguf_header(path)
    architecture = reference["general.architecture"].contents()
    assert found.architecture == architecture
    assert found.name == reference["general.name"].contents()
    assert found.context_length == reference[f"{architecture}.context_length"].contents()
    assert found.chat_template == reference["tokenizer.chat_template"].contents()
    assert found.quantization == path.stem.rpartition("-")[2].upper()
    assert found.parts == 1


def test_what_a_file_does_not_say_is_empty(tmp_path):
    path = tmp_path / "bare.gguf"
    path.write_bytes(header(entry("general.architecture", 8, text("new"))))
    found = read_gguf_header(path)
    assert (found.architecture, found.context_length, found.chat_template) == ("new", 0, "")
    assert (found.name, found.quantization, found.kind, found.parts) == ("", "", "", 1)


def test_values_of_every_type_are_passed_by(tmp_path):
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    scalars = [entry(f"x.{kind}", kind, bytes(size)) for kind, size in sizes.items()]
    lists = [
        entry(f"y.{kind}", 9, struct.pack("<IQ", kind, 3) + bytes(3 * size))
        for kind, size in sizes.items()
    ]
    words = entry("z", 9, struct.pack("<IQ", 8, 2) + text("one") + text("two"))
    last = entry("tokenizer.chat_template", 8, text("{{ messages }} é"))
    path = tmp_path / "all.gguf"
    path.write_bytes(header(*scalars, *lists, words, last))
    assert read_gguf_header(path).chat_template == "{{ messages }} é"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a GGUF file: it does not start with 'GGUF'"),
        (b"GG", "is not a GGUF file: it does not start with 'GGUF'"),
        (b"PK\x03\x04" + bytes(64), "is not a GGUF file: it does not start with 'GGUF'"),
        (b"GGUF\x03\x00", "it ends within its header"),
        (header(version=1), "its version is 1; 2 and 3 are known"),
        (header(version=3 << 24), "its version is 50331648; 2 and 3 are known"),
        (header(count=2**60), f"it claims {2**60} keys"),
        (header(count=1), "it ends within its header"),
        (header(struct.pack("<Q", 2**63) + b"key"), "it ends within its header"),
        (header(entry("a", 99, b"")), "it has a value of the unknown type 99"),
        (header(entry("a", 9, struct.pack("<IQ", 9, 1))), "it has a list of the type 9"),
        (header(entry("a", 9, struct.pack("<IQ", 8, 2**62))), "it ends within its header"),
        (header(entry("a", 9, struct.pack("<IQ", 4, 2**62))), "it ends within its header"),
    ],
)
def test_a_broken_header_is_one_line(tmp_path, content, message):
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_gguf_header(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_file_that_is_none_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.gguf does not exist$"):
        read_gguf_header(tmp_path / "absent.gguf")
    with pytest.raises(ConfigError, match="is a folder; a model is a GGUF file"):
        read_gguf_header(tmp_path)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 20), end=st.floats(0.0, 1.0))
def test_damage_raises_nothing_but_ours(tmp_path_factory, seed, changes, end):
    source = (MODELS / "reader-mistral-q8_0.gguf").read_bytes()[:60_000]
    draw = random.Random(seed)  # noqa: S311
    raw = bytearray(source[: int(len(source) * end)])
    for _ in range(changes if raw else 0):
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(raw)
    with contextlib.suppress(ConfigError):
        assert len(read_gguf_header(path).chat_template) <= len(raw)
