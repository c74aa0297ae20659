"""This machine computes the bits that every other one with its instruction set computes."""

from __future__ import annotations

import pytest
from known_bits import FILES, hash_logits, read_known, version

from pytest_raq.engines.llamacpp.instruction_sets import arithmetic_of


@pytest.mark.parametrize("file", FILES)
def test_bits_are_those_of_other_machines_with_this_instruction_set(file):
    known = read_known().get(version(), {}).get(arithmetic_of())
    if known is None:
        pytest.skip(
            f"no bits are known of llama-cpp-python {version()} with {arithmetic_of()}: run"
            " python tests/known_bits.py and commit tests/data/logits.json"
        )
    assert hash_logits(file) == known[file], f"known from {known['processor']}"


def test_wider_vectors_give_other_bits():
    for sets in read_known().values():
        hashes = {name: tuple(known[file] for file in FILES) for name, known in sets.items()}
        wide = {found for name, found in hashes.items() if "AVX512" in name}
        assert wide
        assert hashes["AVX2 F16C FMA"] not in wide
        assert len(wide) == 1  # what BF16 adds concerns weights in BF16, which no reader has
