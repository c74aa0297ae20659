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


def test_no_two_instruction_sets_compute_the_same_bits_of_all_files():
    for sets in read_known().values():
        hashes = [tuple(known[file] for file in FILES) for known in sets.values()]
        assert len(set(hashes)) == len(hashes)
