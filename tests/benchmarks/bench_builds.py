"""Prefill and decode of one model under several builds of llama-cpp-python, in turns.

    make bench BENCH=builds
    .venv/bin/python tests/benchmarks/bench_builds.py portable=VENV native=VENV --model FILE

Each side is an environment with a llama-cpp-python of its own; without any, this one alone is
measured. Every round starts a fresh process of each side, one after the other; figures are
medians over rounds, and ratios those of the rounds' own pairs. Without ``--model`` a model of
180 million random weights is made.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.instruction_sets import describe_features, library_build

ROUNDS = 5
SEQUENCES = (1, 8, 16)
MEASURES = ("prefill 512", *(f"decode {count}" for count in SEQUENCES))

SIDE = """
import ctypes, json, os, sys, time
import llama_cpp as llama
file, threads, extra = sys.argv[1], int(sys.argv[2]), sys.argv[3] != "off"
sequences, steps = json.loads(sys.argv[4]), 24
quiet = llama.llama_log_callback(lambda *_: None)
llama.llama_log_set(quiet, ctypes.c_void_p(0))
llama.llama_backend_init()
params = llama.llama_model_default_params()
params.use_extra_bufts = extra
model = llama.llama_model_load_from_file(os.fsencode(file), params)
settings = llama.llama_context_default_params()
settings.n_ctx, settings.n_batch, settings.n_ubatch = 4096, 512, 512
settings.n_seq_max, settings.kv_unified = max(sequences), True
settings.n_threads = settings.n_threads_batch = threads
context = llama.llama_init_from_model(model, settings)
memory = llama.llama_get_memory(context)
batch = llama.llama_batch_init(512, 0, 1)

def decode(tokens):
    batch.n_tokens = len(tokens)
    for i, (token, position, sequence) in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
        batch.seq_id[i][0], batch.logits[i] = sequence, i + 1 == len(tokens)
    assert llama.llama_decode(context, batch) == 0
    llama.llama_synchronize(context)

def prefill():
    llama.llama_memory_clear(memory, True)
    started = time.perf_counter()
    decode([(100 + i % 90, i, 0) for i in range(512)])
    return 512 / (time.perf_counter() - started)

def generate(count):
    llama.llama_memory_clear(memory, True)
    decode([(100 + i, 0, i) for i in range(count)])
    started = time.perf_counter()
    for step in range(1, steps + 1):
        decode([(100 + i, step, i) for i in range(count)])
    return count * steps / (time.perf_counter() - started)

prefill()
found = {"prefill 512": prefill()}
for count in sequences:
    found[f"decode {count}"] = generate(count)
print(json.dumps(found))
"""


def measure(python: Path, model: Path, threads: int, extra: str) -> dict[str, float]:
    """Return tokens a second of one fresh process."""
    command = [str(python), "-c", SIDE, str(model), str(threads), extra, json.dumps(SEQUENCES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def sides(arguments: list[str]) -> dict[str, tuple[Path, str]]:
    """Return by name an interpreter, and whether its extra buffer types are on."""
    named = dict(argument.split("=", 1) for argument in arguments) or {"this": sys.executable}
    found = {}
    for name, path in named.items():
        place, _, extra = path.partition(":")
        found[name] = (find_environment(Path(place)).python, extra or "on")
    return found


def main(arguments: list[str]) -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", nargs="*", help="NAME=ENVIRONMENT, or NAME=ENVIRONMENT:off")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    model = options.model or _random_model()
    named = sides(options.side)
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(options.rounds):
        order = list(named) if number % 2 == 0 else list(reversed(named))
        found = {
            name: measure(named[name][0], model, options.threads, named[name][1]) for name in order
        }
        rounds.append(found)
    first = next(iter(named))
    print(f"{model.name}, {options.threads} threads, medians of {options.rounds} rounds in turns")
    for name, (python, _) in named.items():
        print(f"{name}: {describe_features(library_build(python).features)}")
    print(f"| build | {' | '.join(MEASURES)} |")
    print(f"|---|{'---|' * len(MEASURES)}")
    for name in named:
        cells = []
        for measure_name in MEASURES:
            figure = median(item[name][measure_name] for item in rounds)
            ratio = median(item[name][measure_name] / item[first][measure_name] for item in rounds)
            cells.append(f"{figure:.0f}" + (f" (×{ratio:.2f})" if name != first else ""))
        print(f"| {name} | {' | '.join(cells)} |")


def _random_model() -> Path:
    from bench_generation import KEPT
    from random_model import write_random_model

    path = KEPT / "builds-q4_k_m.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_random_model(path)
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
