from __future__ import annotations

import hashlib

import gguf
import numpy as np
import pytest
from gguf_files import CHAT_TEMPLATE, define, write_tiny_gguf

from pytest_raq.engines import Engine, open_engine
from pytest_raq.records import Answer, Failure, FinishReason, Prompt

PROMPTS = [Prompt(f"q{i}", f"passage {i % 3}: in the {'x' * i} an:") for i in range(8)]


def ask(engine: Engine, *texts: str, chat: bool = False) -> list[Answer | Failure]:
    prompts = [Prompt(f"q{i}", text, chat=chat) for i, text in enumerate(texts)]
    outcomes = {outcome.question_id: outcome for outcome in engine.answers(prompts)}
    return [outcomes[prompt.question_id] for prompt in prompts]


def say(tiny_gguf, recites: str, prompt: str, **options) -> Answer:
    with open_engine(define(tiny_gguf(recites=recites), **options)) as engine:
        (answer,) = ask(engine, prompt)
    assert isinstance(answer, Answer), answer
    return answer


@pytest.fixture(scope="module")
def engine(tiny_gguf):
    with open_engine(define(tiny_gguf(), max_tokens=12)) as engine:
        yield engine


def texts(outcomes) -> dict[str, str]:
    return {outcome.question_id: outcome.text for outcome in outcomes}


def test_the_model_is_described(engine, tiny_gguf):
    info = engine.info
    assert info.engine == "llama-cpp"
    assert info.build[0].isdigit()
    assert info.quantization == "F32"
    assert info.file_sha256 == hashlib.sha256(tiny_gguf().read_bytes()).hexdigest()
    assert info.template_sha256 == hashlib.sha256(b"{question}").hexdigest()
    assert info.parameters == 95_808


def test_the_hash_of_the_chat_template_is_that_of_the_file(tiny_gguf):
    definition = define(tiny_gguf(chat_template=CHAT_TEMPLATE), prompt="chat")
    with open_engine(definition) as engine:
        expected = hashlib.sha256(CHAT_TEMPLATE.encode()).hexdigest()
        assert engine.info.template_sha256 == expected


def test_greedy_answers_do_not_depend_on_order_or_run(engine, tiny_gguf):
    first = texts(engine.answers(PROMPTS))
    assert len(set(first.values())) > 1
    assert texts(engine.answers(PROMPTS[::-1])) == first
    assert texts(engine.answers(PROMPTS[3:4])) == {"q3": first["q3"]}
    with open_engine(define(tiny_gguf(), max_tokens=12)) as another:
        assert texts(another.answers(PROMPTS)) == first


@pytest.mark.parametrize("arch", ["llama", "gemma"])
@pytest.mark.parametrize("tokenizer", ["gpt2", "llama"])
def test_both_architectures_and_tokenizers_run(tiny_gguf, arch, tokenizer):
    path = tiny_gguf(arch=arch, tokenizer=tokenizer, seed=3)
    with open_engine(define(path, max_tokens=4)) as engine:
        (answer,) = ask(engine, "what is in the box?")
    assert isinstance(answer, Answer)
    assert 1 <= answer.timing.generated_tokens <= 4


def test_sampled_answers_depend_on_seed_and_prompt_alone(tiny_gguf):
    def sample(prompts: list[Prompt], seed: int) -> dict[str, str]:
        definition = define(tiny_gguf(), max_tokens=12, temperature=1.5, seed=seed)
        with open_engine(definition) as engine:
            return texts(engine.answers(prompts))

    first = sample(PROMPTS, 1)
    assert sample(PROMPTS[::-1], 1) == first
    assert sample(PROMPTS, 2) != first


def test_the_end_token_stops(tiny_gguf):
    answer = say(tiny_gguf, ": yes.", "is it:")
    assert answer.text == "yes."
    assert answer.finish_reason is FinishReason.STOP
    assert answer.timing.generated_tokens == len(" yes.") + 1


def test_the_token_limit_stops(tiny_gguf):
    answer = say(tiny_gguf, ": yes.", "is it:", max_tokens=3)
    assert answer.text == "ye"
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.timing.generated_tokens == 3


def test_a_stop_string_is_cut_off(tiny_gguf):
    answer = say(tiny_gguf, ": yes.\nQ", "is it:", stop=["nothing", ".\nQ", "Q"])
    assert answer.text == "yes"
    assert answer.finish_reason is FinishReason.STOP


def test_a_character_of_several_tokens_is_whole(tiny_gguf):
    assert say(tiny_gguf, ": aé…!", "x:").text == "aé…!"


def test_half_a_character_at_the_limit_is_left_out(tiny_gguf):
    assert say(tiny_gguf, ": a…!", "x:", max_tokens=4).text == "a"


def test_a_stop_string_may_be_of_several_bytes(tiny_gguf):
    assert say(tiny_gguf, ": aé…!", "x:", stop=["…"]).text == "aé"


def test_timings_are_those_of_the_call(engine):
    (answer,) = ask(engine, "a passage and a question:" * 4)
    timing = answer.timing
    assert timing.prefilled_tokens == timing.prompt_tokens
    assert timing.prompt_tokens > 50
    assert 0 < timing.prefill_seconds <= timing.time_to_first_token
    assert timing.time_to_first_token + timing.decode_seconds <= timing.total_seconds + 1e-9
    assert timing.decode_tokens_per_second > 0


def test_a_prompt_beyond_the_context_fails_alone_and_names_both_numbers(tiny_gguf):
    path = tiny_gguf()
    with open_engine(define(path, context_length=64, max_tokens=8)) as engine:
        long, short = ask(engine, "x" * 99, "x")
    assert long == Failure(
        "q0",
        "tiny",
        "the prompt has 100 tokens, which with an answer (max_tokens 8) do not fit "
        f"context_length 64: raise context_length in {path.with_name('tiny.toml')}",
        is_infrastructure=False,
    )
    assert isinstance(short, Answer)


def test_a_prompt_needs_room_for_one_token(tiny_gguf):
    path = tiny_gguf(recites=":ab:")
    with open_engine(define(path, context_length=64, max_tokens=32)) as engine:
        fits, full = ask(engine, "x" * 61 + ":", "x" * 62 + ":")
    assert fits.timing.prompt_tokens == 63
    assert fits.finish_reason is FinishReason.LENGTH
    assert fits.text == "a"
    assert isinstance(full, Failure)


def test_a_prompt_longer_than_one_batch(tiny_gguf):
    path = tiny_gguf(recites=": ok")
    with open_engine(define(path, context_length=2048)) as engine:
        (answer,) = ask(engine, "x" * 1500 + ":")
    assert answer.text == "ok"
    assert answer.timing.prefilled_tokens == 1502


@pytest.mark.parametrize("add_bos", [True, False])
def test_an_empty_prompt(tiny_gguf, add_bos):
    with open_engine(define(tiny_gguf(add_bos=add_bos), max_tokens=2)) as engine:
        (outcome,) = ask(engine, "")
    if add_bos:
        assert outcome.timing.prompt_tokens == 1
    else:
        assert outcome == Failure("q0", "tiny", "the prompt is empty", is_infrastructure=False)


@pytest.mark.parametrize(
    "hostile",
    ["\0\x01\x7f", "\ud800 half", "<s></s><|end|>", "🙂" * 9, '{"type":"load"}\n\r\u2028'],
)
@pytest.mark.parametrize("chat", [False, True])
def test_hostile_texts_get_an_answer(tiny_gguf, hostile, chat):
    definition = define(tiny_gguf(chat_template=CHAT_TEMPLATE), max_tokens=2)
    with open_engine(definition) as engine:
        before, attacked, after = ask(engine, "plain", hostile, "plain", chat=chat)
    assert isinstance(attacked, Answer)
    assert before.text == after.text


def test_special_tokens_spelt_in_a_plain_prompt_are_text(engine):
    (answer,) = ask(engine, "</s>")
    assert answer.timing.prompt_tokens == 1 + len("</s>")


def test_a_model_that_computes_nan_fails_and_never_answers(tmp_path):
    path = write_tiny_gguf(tmp_path / "nan.gguf")
    reader = gguf.GGUFReader(path, "r+")
    norm = next(tensor for tensor in reader.tensors if tensor.name == "output_norm.weight")
    norm.data[:] = np.nan
    reader.data.flush()
    with open_engine(define(path)) as engine:
        (outcome,) = ask(engine, "x")
    reason = "the model computes values that are not numbers: check its file"
    assert outcome == Failure("q0", "tiny", reason, is_infrastructure=False)


def test_chat_on_a_model_without_a_template_fails_the_question(engine):
    assert ask(engine, "x", chat=True) == [
        Failure("q0", "tiny", "the model has no chat template", is_infrastructure=False)
    ]


def test_a_template_that_refuses_one_message_fails_that_question(tiny_gguf):
    template = (
        "{% if 'bomb' in messages[0]['content'] %}{{ raise_exception('not that') }}{% endif %}"
        "{{ messages[0]['content'] }}"
    )
    path = tiny_gguf(chat_template=template)
    with open_engine(define(path, prompt="chat", max_tokens=2)) as engine:
        refused, answered = ask(engine, "a bomb", "a bun", chat=True)
    assert refused.reason == "the chat template cannot be rendered: not that"
    assert isinstance(answered, Answer)


def test_answers_are_lazy_and_may_be_left(engine):
    outcomes = engine.answers(PROMPTS)
    first = next(outcomes)
    (other,) = engine.answers(PROMPTS[5:6])
    assert other.question_id == "q5"
    # It goes on where it was left, and says nothing twice.
    rest = [outcome.question_id for outcome in outcomes]
    assert sorted([first.question_id, *rest]) == sorted(prompt.question_id for prompt in PROMPTS)


def test_a_closed_engine_fails_and_closes_twice(tiny_gguf):
    engine = open_engine(define(tiny_gguf()))
    engine.close()
    engine.close()
    assert ask(engine, "x") == [Failure("q0", "tiny", "not asked, because the engine is closed")]
