"""What prompts share is found on their tokens, and pieces add up to the prompts again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.engines.llamacpp.worker.prefix import MOST_LENDERS, Piece, share_prefixes

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=12)


def whole(piece: Piece) -> list[int]:
    """Return the tokens from the first to the end of a piece."""
    before = whole(piece.parent) if piece.parent else []
    assert piece.start == len(before)
    return before + piece.tokens


@given(st.lists(tokens, max_size=12), st.integers(1, 4))
def test_pieces_make_the_prompts_again(prompts, least):
    pieces = share_prefixes(prompts, least)
    finished = {p.prompt: whole(p) for p in pieces if p.prompt is not None}
    assert finished == dict(enumerate(prompts))


@given(st.lists(tokens, max_size=12), st.integers(1, 4))
def test_parents_come_first_and_every_shared_piece_is_long_enough_and_shared(prompts, least):
    pieces = share_prefixes(prompts, least)
    for index, piece in enumerate(pieces):
        assert piece.parent is None or piece.parent in pieces[:index]
        assert piece.tokens, "a question without a token of its own has no logits"
        if piece.prompt is None:
            assert len(piece.tokens) >= least
            children = [p for p in pieces if p.parent is piece]
            assert len(children) == piece.children >= 2
            # What goes on from a piece starts before anything unrelated does.
            assert piece.depth <= MOST_LENDERS


@given(st.lists(tokens, min_size=2, max_size=12))
def test_nothing_that_could_be_shared_is_evaluated_twice(prompts):
    pieces = share_prefixes(prompts, 1)
    if all(piece.depth < MOST_LENDERS for piece in pieces):
        shared = {tuple(p[:n]) for p in prompts for n in range(1, len(p))}
        own = sum(1 for _ in prompts)
        assert sum(len(piece.tokens) for piece in pieces) == len(shared) + own


def test_a_passage_is_one_piece_and_its_questions_are_the_others():
    passage, other = list(range(100, 130)), list(range(200, 220))
    prompts = [[*passage, 1, 2], [*other, 4], [*passage, 1, 3], [*passage, 5]]
    pieces = share_prefixes(prompts)
    assert [(piece.prompt, len(piece.tokens)) for piece in pieces] == [
        (None, 30), (0, 2), (2, 2), (3, 1), (1, 21)
    ]  # fmt: skip
    assert pieces[0].children == 3
