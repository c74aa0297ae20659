"""Train one reader: `python models/train.py reader-llama`.

Four phases, each a number of steps: copy random token strings (so that
induction heads form), read passages about one entity, read passages about one
and two, read passages about two entities that are mostly of one domain, where
an answer is found by both its entity and its fact. Muon trains the matrices,
AdamW the embeddings and norms; the learning rate warms up, stays, and falls
linearly to zero. A run that was stopped goes on from its last checkpoint in
``models/work``.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from generate import Generator
from network import Reader
from readers import READERS, Recipe
from tokenizer import BOS, load_tokenizer
from torch import Tensor

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORK = Path(__file__).parent / "work"
CHECKPOINT_EVERY = 200
EVALUATE_EVERY = 400
OTHER_WEIGHT = 0.1


def encode(
    tokenizer: Tokenizer, generator: Generator, entities: int, facts: int
) -> tuple[list[int], list[float]]:
    """One training row: a passage and its questions; answer tokens weigh ten times the rest."""
    passage, items = generator.passage(entities, facts)
    ids = [BOS, *tokenizer.encode(passage).ids]
    weights = [OTHER_WEIGHT] * len(ids)
    for item in items:
        asked = tokenizer.encode(f"\nQuestion: {item.question}\nAnswer:").ids
        answer = tokenizer.encode(f" {item.references[0]}\n").ids
        # The next question follows the newline of the answer before it.
        asked = asked if weights[-1] != 1.0 else asked[1:]
        ids += asked + answer
        weights += [OTHER_WEIGHT] * len(asked) + [1.0] * len(answer)
    return ids, weights


def reading_batch(
    tokenizer: Tokenizer, generator: Generator, rows: int, entity_counts: list[int]
) -> tuple[Tensor, Tensor]:
    """Token ids and loss weights (rows, tokens) of passages about so many entities.

    All rows of a batch have as many facts, so that little of it is padding.
    """
    # One possible count is no draw: the first phases' batches must stay as they are.
    counts = entity_counts
    entities = counts[0] if len(counts) == 1 else generator.random.choice(counts)
    facts = generator.random.randint(4, 6) if entities == 1 else generator.random.randint(3, 5)
    drawn = [
        encode(tokenizer, generator, entities, facts) for _ in range(rows * 3 // (1 + entities))
    ]
    longest = max(len(ids) for ids, _ in drawn)
    batch = torch.zeros(len(drawn), longest, dtype=torch.long)
    weights = torch.zeros(len(drawn), longest)
    for row, (ids, row_weights) in enumerate(drawn):
        batch[row, : len(ids)] = torch.tensor(ids)
        weights[row, : len(ids)] = torch.tensor(row_weights)
    return batch, weights


def copying_batch(rng: random.Random, vocabulary: int, rows: int) -> tuple[Tensor, Tensor]:
    """Random token strings, each twice: only the second time can be foreseen."""
    length = rng.randint(8, 40)
    string = torch.tensor(
        [[rng.randrange(3, vocabulary) for _ in range(length)] for _ in range(rows)]
    )
    batch = torch.cat([torch.full((rows, 1), BOS), string, string], 1)
    weights = torch.zeros(batch.shape)
    weights[:, length + 2 :] = 1.0
    return batch, weights


@dataclass
class Loss:
    """Weighted loss of a batch and the mean over answer tokens alone."""

    total: Tensor
    answers: float


def loss_of(reader: torch.nn.Module, batch: Tensor, weights: Tensor) -> Loss:
    """Cross-entropy of each next token."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = reader(batch[:, :-1])
    losses = F.cross_entropy(
        logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="none"
    ).view(batch.shape[0], -1)
    weights = weights[:, 1:]
    answers = weights >= 1
    total = (losses * weights).sum() / weights.sum()
    return Loss(total, losses[answers].mean().item())


@torch.no_grad()
def exact_match(reader: Reader, tokenizer: Tokenizer, entities: int, passages: int = 40) -> float:
    """Share of held-out questions whose answer tokens are all foreseen (teacher forcing)."""
    generator = Generator(99, held_out=True)
    right = asked = 0
    for _ in range(passages):
        passage, items = generator.passage(entities, 5 if entities == 1 else 3)
        for item in items[:2]:
            prompt = [BOS, *tokenizer.encode(f"{passage}\nQuestion: {item.question}\nAnswer:").ids]
            answer = tokenizer.encode(f" {item.references[0]}\n").ids
            logits = reader(torch.tensor([prompt + answer]))[0, len(prompt) - 1 : -1]
            right += logits.argmax(-1).tolist() == answer
            asked += 1
    return right / asked


def learning_rate(step: int, recipe: Recipe) -> float:
    """Factor on the peak rate: warm-up, constant, linear decay to zero."""
    decay = recipe.steps * recipe.decay_share
    return min(1.0, (step + 1) / recipe.warm_up, (recipe.steps - step) / decay)


def optimizers(reader: Reader, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for everything else."""
    matrices = [p for p in reader.blk.parameters() if p.dim() == 2]
    others = [p for p in reader.parameters() if not any(p is m for m in matrices)]
    return [
        torch.optim.Muon(
            matrices, lr=recipe.muon_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def batch_of(step: int, recipe: Recipe, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Return the batch of a step: it depends on the step alone, so that a run can be resumed."""
    batch, weights = _batch_of(step, recipe, tokenizer)
    if step >= recipe.answers_only_from:
        # What a passage says cannot be foreseen: late in training that is only noise.
        weights = (weights >= 1).float()
    return batch, weights


def _batch_of(step: int, recipe: Recipe, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    seed = recipe.seed * 10_000_000 + step
    if step < recipe.copy_steps:
        return copying_batch(random.Random(seed), tokenizer.get_vocab_size(), 16)
    reading = step - recipe.copy_steps
    if reading < recipe.one_entity_steps:
        return reading_batch(tokenizer, Generator(seed, held_out=False), recipe.rows, [1])
    if reading < recipe.one_entity_steps + recipe.mixed_steps:
        return reading_batch(tokenizer, Generator(seed, held_out=False), recipe.rows, [1, 2, 2])
    alike = Generator(seed, held_out=False, alike=0.9)
    return reading_batch(tokenizer, alike, recipe.rows, [1, 2, 2, 2, 2, 2, 2])


def train(name: str) -> None:
    """Train a reader to its last step, from its last checkpoint if there is one."""
    recipe = READERS[name]
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    tokenizer = load_tokenizer()
    reader = Reader(recipe.shape, tokenizer.get_vocab_size())
    optimizing = optimizers(reader, recipe)
    rates = [group["lr"] for optimizer in optimizing for group in optimizer.param_groups]
    first = restore(name, reader, optimizing)
    print(f"{name}: {sum(p.numel() for p in reader.parameters()):,} parameters", flush=True)
    started, tokens = time.monotonic(), 0
    for step in range(first, recipe.steps):
        batch, weights = batch_of(step, recipe, tokenizer)
        loss = loss_of(reader, batch, weights)
        loss.total.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        for optimizer, rate in zip(optimizing, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * learning_rate(step, recipe)
            optimizer.step()
            optimizer.zero_grad()
        tokens += batch.numel()
        if (step + 1) % 50 == 0:
            seconds = time.monotonic() - started
            print(
                f"{name} step {step + 1}/{recipe.steps} loss {loss.total.item():.3f} answers"
                f" {loss.answers:.3f} tokens/s {tokens / seconds:.0f} minutes {seconds / 60:.1f}",
                flush=True,
            )
        if (step + 1) % EVALUATE_EVERY == 0 and step >= recipe.copy_steps:
            one, two = exact_match(reader, tokenizer, 1), exact_match(reader, tokenizer, 2)
            print(f"{name} step {step + 1} exact match {one:.2f} / {two:.2f}", flush=True)
        if step + 1 == recipe.early_step:
            torch.save(reader.state_dict(), WORK / f"{name}-early.pt")
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == recipe.steps:
            save(name, step + 1, reader, optimizing)
    torch.save(reader.state_dict(), WORK / f"{name}.pt")


def save(name: str, step: int, reader: Reader, optimizing: list[torch.optim.Optimizer]) -> None:
    """Write a checkpoint in one step."""
    WORK.mkdir(exist_ok=True)
    state = {
        "step": step,
        "reader": reader.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizing],
    }
    torch.save(state, WORK / f"{name}.checkpoint.tmp")
    (WORK / f"{name}.checkpoint.tmp").replace(WORK / f"{name}.checkpoint")


def restore(name: str, reader: Reader, optimizing: list[torch.optim.Optimizer]) -> int:
    """Read the last checkpoint; return the step to go on with."""
    path = WORK / f"{name}.checkpoint"
    if not path.exists():
        return 0
    state = torch.load(path)
    reader.load_state_dict(state["reader"])
    for optimizer, saved in zip(optimizing, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def main() -> None:
    """Train the reader named on the command line."""
    parser = argparse.ArgumentParser(description="Train one reader.")
    parser.add_argument("name", choices=sorted(READERS))
    WORK.mkdir(exist_ok=True)
    train(parser.parse_args().name)


if __name__ == "__main__":
    main()
