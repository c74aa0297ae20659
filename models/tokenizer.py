"""The tokenizer of the readers: byte-level BPE, trained on generated passages.

Digits are one token each, so that a number never seen is spelt with tokens
that were seen; the syllables of names become tokens because they are frequent.
"""

from __future__ import annotations

from pathlib import Path

from generate import CODAS, ENDINGS, NUCLEI, ONSETS, Generator
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PATH = Path(__file__).parent / "work" / "tokenizer.json"
VOCABULARY = 1536
UNKNOWN, BOS, EOS = 0, 1, 2
SPECIAL = ["<unk>", "<s>", "</s>"]


def _texts() -> list[str]:
    """Passages and questions, and each part of a name on its own."""
    generator = Generator(0, held_out=False)
    texts = []
    for _ in range(4000):
        passage, items = generator.passage(2, 4)
        texts += [passage, *(f"\nQuestion: {item.question}\nAnswer:" for item in items)]
    heads = [onset + nucleus + coda for onset in ONSETS for nucleus in NUCLEI for coda in CODAS]
    texts += [" " + head for head in heads] * 400
    texts += ENDINGS * 2000
    return texts


def train_tokenizer() -> Tokenizer:
    """Train on a fixed seed; merges never join digits."""
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), byte_level]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    # Without merges of digits the plain GPT-2 rule of llama.cpp splits the same.
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def load_tokenizer() -> Tokenizer:
    """Return the tokenizer, trained the first time."""
    if not PATH.exists():
        PATH.parent.mkdir(exist_ok=True)
        train_tokenizer().save(str(PATH))
    return Tokenizer.from_file(str(PATH))
