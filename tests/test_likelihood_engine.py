"""How likely texts are after a prompt: the same as one at a time, wherever they are computed."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from gguf_files import CHAT_TEMPLATE, define
from openai_server import Response, error, serving
from test_openai_engine import definition

from pytest_raq.config import load_model
from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp.worker.log_softmax import log_softmax
from pytest_raq.engines.llamacpp.worker.model import Model
from pytest_raq.engines.llamacpp.worker.scoring import ScoreBlock, StreamScoreBlock
from pytest_raq.engines.llamacpp.worker.vocabulary import Vocabulary
from pytest_raq.records import Failure, Prompt, ScorePrompt, Scores

ROOT = Path(__file__).parent.parent
PASSAGES = ("the river runs through ten lands " * 4, "in the end an answer is an answer " * 3)
TEXTS = ("the", "an answer in the end", "Ж", "x" * 40, "", "y" * 900)
ASKED = [
    ScorePrompt(Prompt(f"q{n}", f"{PASSAGES[n % 2]}who is {n}?"), TEXTS[n % 3 :]) for n in range(10)
] + [ScorePrompt(Prompt("twin", "an equal question"), TEXTS[:2])] * 1


def score(path, asked, **options):
    with open_engine(define(path, context_length=512, **options)) as engine:
        return {found.question_id: found for found in engine.scores(asked)}


def figures(found):
    return {
        (name, text): (each.log_p, each.tokens, each.bytes, each.greedy)
        for name, scores in found.items()
        for text, each in scores.texts.items()
    }


def evaluate(llama, prompt, tokens):
    """Return log p of tokens after those of a prompt, by llama-cpp-python alone."""
    llama.reset()
    llama.eval([*prompt, *tokens])
    rows = np.array(llama.scores[: len(prompt) + len(tokens)], dtype=np.float64)
    rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
    places = range(len(prompt) - 1, len(prompt) + len(tokens) - 1)
    return sum(rows[place, token] for place, token in zip(places, tokens, strict=True))


@pytest.fixture(scope="module")
def together(tiny_gguf):
    return score(tiny_gguf(), ASKED)


def test_scores_are_those_of_an_evaluation_one_at_a_time(tiny_gguf, together):
    llama = llama_cpp.Llama(
        str(tiny_gguf()), n_ctx=512, logits_all=True, verbose=False, n_threads=1, n_threads_batch=1
    )
    for asked in ASKED[::3]:
        prompt = llama.tokenize(asked.prompt.text.encode(), special=False)
        for text, found in together[asked.question_id].texts.items():
            tokens = llama.tokenize(f" {text}".encode(), add_bos=False, special=False)
            if asked.prompt.text.endswith(" "):
                tokens = llama.tokenize(text.encode(), add_bos=False, special=False)
            assert (found.tokens, found.bytes) == (len(tokens), len(text.encode()))
            expected = evaluate(llama, prompt, tokens)
            assert abs(found.log_p - expected) < 1e-3 * len(tokens)
            assert found.bits_per_byte == pytest.approx(-found.log_p / np.log(2) / found.bytes)


def test_greedy_says_what_the_model_itself_would_have_said(tiny_gguf):
    asked = [ScorePrompt(Prompt("q", "say a"), ("bcd", "bxd"))]
    (found,) = score(tiny_gguf(recites="a bcdef"), asked).values()
    # After "a" it says a space, which stands before the text.
    assert found.texts["bcd"].greedy == "1111"
    assert found.texts["bxd"].greedy[:3] == "110"
    assert found.texts["bxd"].flips >= 1


def test_what_cannot_be_scored_says_why_and_costs_the_others_nothing(together):
    assert together["q0"].problems == {"": "empty", "y" * 900: "too long"}
    assert set(together["q0"].texts) == {"the", "an answer in the end", "Ж", "x" * 40}
    assert together["q0"].texts["Ж"].bytes == 2


def test_a_prompt_without_room_fails_alone(tiny_gguf):
    asked = [ScorePrompt(Prompt("long", "z" * 600), ("a",)), ASKED[0]]
    found = score(tiny_gguf(), asked)
    assert isinstance(found["long"], Failure)
    assert found["long"].reason.startswith("the prompt has 601 tokens")
    assert isinstance(found["q0"], Scores)


@pytest.mark.parametrize("parallel", [1, 2])
def test_many_references_are_scored_in_few_sequences(tiny_gguf, parallel):
    texts = tuple(f"answer number {n}" for n in range(500 if parallel == 2 else 50))
    asked = [ScorePrompt(Prompt("many", PASSAGES[0]), texts), ASKED[0]]
    found = score(tiny_gguf(), asked, parallel=parallel)
    assert len(found["many"].texts) == len(texts)
    assert found["many"].texts["answer number 7"].log_p < 0


def load(path, *, reproducible=False, parallel=16):
    order = {
        "file": str(path), "context_length": 512, "threads": 1, "parallel": parallel,
        "chat": False, "reproducible": reproducible, "extra_buffers": False,
    }  # fmt: skip
    return Model(llama_cpp, order, lambda: None)


def run(model, asked):
    """Score prompts as one block; return the replies and how many tokens were evaluated."""
    orders = [
        {"request": n, "text": each.prompt.text, "chat": False, "continuations": each.continuations}
        for n, each in enumerate(asked)
    ]
    kind = StreamScoreBlock if model.reproducible else ScoreBlock
    block, replies, tokens = kind(model, [model.scored_question(o) for o in orders], 16), {}, 0
    while not block.is_done:
        replies |= dict(block.step())
        tokens += model.batch.size
    assert len(block._free) == model.sequences
    return [replies[n]["scores"] for n in range(len(asked))], tokens


def test_what_is_shared_is_evaluated_once_and_no_last_token_is(tiny_gguf):
    model = load(tiny_gguf())
    prompt = model.vocabulary.prompt_tokens(PASSAGES[0], chat=False)
    asked = [ScorePrompt(Prompt(f"q{n}", f"{PASSAGES[0]}{n}?"), ("abc", "x")) for n in range(9)]
    replies, tokens = run(model, asked)
    # Nine times: the number, the mark, and of " abc" all tokens but the last; " x" needs a space.
    assert tokens == len(prompt) + 9 * (2 + 3 + 1)
    assert all(reply["tokens"] - 1 in {1, 3} for scores in replies for reply in scores)


@pytest.mark.parametrize("reproducible", [True, False])
def test_cells_and_sequences_are_given_back(tiny_gguf, reproducible):
    model = load(tiny_gguf(), reproducible=reproducible, parallel=3)
    first, _ = run(model, ASKED)
    again, _ = run(model, ASKED)
    assert first == again


def test_a_reproducible_model_scores_the_same_bits_in_any_company(tiny_gguf):
    def scored(asked, **options):
        return figures(score(tiny_gguf(), asked, reproducible=True, **options))

    expected = scored(ASKED)
    assert scored(ASKED[::-1], parallel=3, threads=2) == expected
    alone = [ScorePrompt(each.prompt, (text,)) for each in ASKED[:2] for text in each.continuations]
    model = load(tiny_gguf(), reproducible=True)
    for asked in alone:
        ((reply,),), _ = run(model, [asked])
        (text,) = asked.continuations
        if "log_p" in reply:
            found = expected[asked.question_id, text]
            assert (reply["log_p"], reply["tokens"], reply["bytes"], reply["greedy"]) == found


def test_a_long_continuation_is_read_in_pieces_that_leave_no_single_token(tiny_gguf, monkeypatch):
    model = load(tiny_gguf(), reproducible=True)
    asked = [ScorePrompt(Prompt("q", "what?"), ("abcdefghijk" * 20,))]
    (((whole,),), _), sizes = run(model, asked), []
    evaluate = model.evaluate
    monkeypatch.setattr(model, "evaluate", lambda: (sizes.append(model.batch.size), evaluate()))
    monkeypatch.setattr(
        "pytest_raq.engines.llamacpp.worker.beside._BYTES_OF_LOGITS",
        4 * 16 * model.vocabulary.size,
    )
    ((pieces,),), _ = run(model, asked)
    assert pieces == whole
    assert min(sizes) >= model.least and max(sizes) <= 16


def test_log_softmax_needs_no_numpy(monkeypatch):
    import ctypes
    import sys

    row = (ctypes.c_float * 5)(0.5, 3.0, 3.0, -40.0, 1.0)
    expected = log_softmax(row, 5, [0, 1, 3])
    assert expected[1] == 1
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert log_softmax(row, 5, [0, 1, 3]) == expected


@pytest.fixture(scope="module")
def vocabulary(tiny_gguf):
    def make(**options):
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        path = tiny_gguf(**options)
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        return Vocabulary(llama_cpp, model, chat=False)

    return make


def spelled(vocabulary, tokens):
    return b"".join(map(vocabulary.to_bytes, tokens))


def test_a_text_goes_on_after_a_space_unless_the_prompt_ends_with_one(vocabulary):
    for tokenizer in ("gpt2", "llama"):
        words = vocabulary(tokenizer=tokenizer)
        for prompt, expected in (("Answer:", b" the end"), ("Answer:\n", b"the end")):
            last = words.prompt_tokens(prompt, chat=False)[-1]
            lead = words.lead(prompt, last, chat=False)
            tokens = words.continuation_tokens("the end", lead, last)
            assert spelled(words, tokens) == expected


def test_a_tokenizer_that_merges_the_space_has_one_token_for_both(vocabulary):
    words = vocabulary(tokenizer="llama")
    (token,) = words.continuation_tokens("the", " ", words.prompt_tokens("a:", chat=False)[-1])
    assert words.to_bytes(token) == b" the"


@pytest.mark.parametrize(
    ("template", "lead"),
    [
        (CHAT_TEMPLATE, ""),
        (CHAT_TEMPLATE.replace("{{ message", " {{ message", 2).replace("| {{", "|{{"), " "),
        (CHAT_TEMPLATE.replace("|>{{", "|>\n\n{{").replace("<|assistant|>{%", "<|assistant|>\n{%"),
         "\n"),
        # It shows no reply where it asks for one: as after a prompt without a template.
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}\nAnswer:", " "),
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}\n", ""),
    ],
)  # fmt: skip
def test_in_a_chat_the_template_says_what_stands_before_the_reply(vocabulary, template, lead):
    words = vocabulary(chat_template=template)
    last = words.prompt_tokens("hello", chat=True)[-1]
    assert words.lead("hello", last, chat=True) == lead


def test_answers_of_the_bundled_readers_have_the_tokens_that_are_scored():
    # A reader that answers in a chat, and begins with a space as the others do.
    definition = load_model(ROOT / "models", "reader-mistral")
    text = definition.render("Vanba is a town. It has 39 towers.", "How many towers has Vanba?")
    prompt = Prompt("q", text, chat=definition.uses_chat)
    with open_engine(definition) as engine:
        (answer,) = engine.answers([prompt])
        (found,) = engine.scores([ScorePrompt(prompt, (answer.text,))])
    assert set(found.texts[answer.text].greedy) == {"1"}


def vllm(request):
    """Reply as vLLM does: for each letter of the prompt a token."""
    letters = request["prompt"]
    found = [
        {str(n): {"logprob": -0.5, "rank": 1 + n % 2, "decoded_token": letter}}
        for n, letter in enumerate(letters)
    ]
    return Response({"choices": [{"text": "x", "prompt_logprobs": [None, *found[1:]]}]})


def echo(request):
    """Reply as OpenAI's first completions do."""
    if not request.get("echo"):
        return Response({"choices": [{"text": "x"}]})
    letters = [*request["prompt"], "x"]
    table = {
        "tokens": letters,
        "token_logprobs": [None, *[-0.25] * (len(letters) - 1)],
        "top_logprobs": [None, *({letter: -0.25, "?": -0.2} for letter in letters[1:])],
    }
    return Response({"choices": [{"logprobs": table}], "usage": {"completion_tokens": 1}})


@pytest.mark.parametrize(("reply", "log_p", "greedy"), [(vllm, -2.5, 5), (echo, -1.25, 0)])
def test_a_server_is_asked_in_the_way_that_it_knows(reply, log_p, greedy):
    asked = [ScorePrompt(Prompt(f"q{n}", "say it:"), ("four", "", "f")) for n in range(3)]
    with serving(reply) as server, open_engine(definition(server)) as engine:
        found = list(engine.scores(asked))
    four = found[0].texts["four"]
    assert (four.log_p, four.tokens, four.bytes) == (log_p, 5, 4)
    assert found[0].problems == {"": "empty"}
    assert (four.greedy.count("1") > 0) == (greedy > 0)
    assert len(server.requests) == 6 + (1 if reply is vllm else 2)
    assert all(request["max_tokens"] == 1 for request in server.requests)


@pytest.mark.parametrize(
    "reply",
    [
        lambda _: Response({"choices": [{"text": "x"}]}),
        lambda _: error(400, "prompt_logprobs is not known"),
    ],
)
def test_a_server_without_probabilities_says_so_and_is_asked_no_more(reply):
    asked = [ScorePrompt(Prompt(f"q{n}", "say it:"), ("four",)) for n in range(3)]
    with serving(reply) as server, open_engine(definition(server)) as engine:
        found = list(engine.scores(asked))
    assert {each.reason for each in found} == {"not available here"}
    assert len(server.requests) == 2


def test_a_chat_is_scored_by_its_last_message():
    def reply(request):
        assert request["messages"][-1] == {"role": "assistant", "content": "four"}
        assert request["continue_final_message"]
        tokens = [None, *({"7": {"logprob": -1.0, "rank": 1, "decoded_token": c}} for c in ">four")]
        return Response({"choices": [{"message": {"content": ""}}], "prompt_logprobs": tokens})

    asked = [ScorePrompt(Prompt("q", "say it", chat=True), ("four",))]
    with serving(reply) as server, open_engine(definition(server)) as engine:
        (found,) = engine.scores(asked)
    assert (found.texts["four"].log_p, found.texts["four"].greedy) == (-4.0, "1111")
