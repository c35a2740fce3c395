"""The tokens that end an answer and pad a row, and how many tokens fit: as the tokenizer, the template, the configs say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, LlamaConfig, MptConfig, PreTrainedTokenizerBase

from playground import settings
from playground.adapt import tasks
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding
from playground.errors import PlaygroundError
from playground.model.bases import Base, load
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.neutral import text_windows
from playground.model.tokens import context_of, turn_end
from playground.quantize import activations
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.conftest import tiny_tokenizer
from tests.families import one_thread  # noqa: F401
from tests.kinds import KINDS, folder_of_kind

GEMMA = (
    "{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
ONLY_ANSWERS_END = (
    "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'assistant' %} <end_of_turn>{% endif %}\n{% endfor %}"
)
NO_MARKS = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
TURN = "<end_of_turn>"


def tokenizer_with(template: str | None, **marks: Any) -> PreTrainedTokenizerBase:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<start_of_turn>", TURN]})
    tokenizer.chat_template = template
    for name, mark in marks.items():
        setattr(tokenizer, name, mark)
    return tokenizer


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Base]:
    """Loads a tiny base with this tokenizer, what its config and generation config say, and this many positions."""
    monkeypatch.setitem(CATALOGUE, "local", BaseSpec("local", "Local one", "local", str(tmp_path), None))
    monkeypatch.setattr(settings, "DEVICE", "cpu")
    monkeypatch.setattr("playground.train.evaluation.SAMPLE_TOKENS", 1)

    def made(tokenizer: PreTrainedTokenizerBase, kind: str = "llama", told: Any = None, **config: Any) -> Base:
        monkeypatch.setitem(KINDS, "one", (KINDS[kind][0], KINDS[kind][1] | config))
        folder_of_kind("one", tmp_path, tokenizer)
        if told is not None:
            written = json.loads((tmp_path / "config.json").read_text())
            for name in ("eos_token_id", "pad_token_id"):
                written.pop(name, None)
            (tmp_path / "config.json").write_text(json.dumps(written | told.get("config", {})))
            (tmp_path / "generation_config.json").write_text(json.dumps(told.get("generation", {})))
        return load("local")

    return made


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, "<|im_end|>"),
        (tiny_tokenizer().chat_template, "<|im_end|>"),
        (GEMMA, TURN),
        (ONLY_ANSWERS_END, TURN),
        (NO_MARKS, "<|im_end|>"),
    ],
    ids=["no template", "chatml", "gemma", "only answers end", "no marks"],
)
def test_an_answer_ends_as_the_chat_template_ends_a_turn(template: str | None, expected: str) -> None:
    tokenizer = tokenizer_with(template)
    end = turn_end(tokenizer)
    assert tokenizer.convert_ids_to_tokens(end) == expected
    ids, labels = tasks.encode(tokenizer, Example("Hi", "Ahoy"))
    assert ids[-1] == labels[-1] == end


def test_an_answer_stops_at_the_end_of_its_turn_and_at_the_end_of_text(make: Callable[..., Base]) -> None:
    base = make(tokenizer_with(GEMMA))
    both = {base.tokenizer.eos_token_id, turn_end(base.tokenizer)}
    assert set(base.model.generation_config.eos_token_id) == both
    assert len(both) == 2
    for end in both:
        row = Row(base.view(), base.tokenizer, [0], Decoding(8))
        row.choose(torch.nn.functional.one_hot(torch.tensor(end), 260).float())
        assert (row.tokens, row.finish_reason) == ([], "stop")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"generation": {"eos_token_id": 65}, "config": {"eos_token_id": 66}}, 65),
        ({"generation": {"eos_token_id": [67, 65]}}, 67),
        ({"config": {"eos_token_id": 66}}, 66),
        ({"config": {"eos_token_id": None}}, None),
    ],
    ids=["generation config", "several", "config", "nowhere"],
)
def test_a_tokenizer_without_an_end_takes_the_model_s(make: Callable[..., Base], told: Any, expected: int | None) -> None:
    base = make(tokenizer_with(None, eos_token=None, pad_token=None), told=told)
    assert base.tokenizer.eos_token_id == expected == turn_end(base.tokenizer)
    assert base.tokenizer.pad_token_id == (0 if expected is None else expected)
    ids, _ = tasks.encode(base.tokenizer, Example("Hi", "Ahoy"))
    assert (ids[-1] == expected) == (expected is not None)
    task = Task("own", (Example("a", "b"), Example("c", "d e")), (Example("f", "g"),))
    *_, ended = train(TrainingJob("local", "lora", task, {"batch_size": 2}, 1), lambda base_id: base)
    *_, last = compare(CompareJob("local", "Hi", (Variant("local"), Variant("local", ended.adapter)), Decoding(4)), load)
    assert all(pane.finished for pane in last.panes)


def test_a_chat_template_that_cannot_be_filled_in_is_a_sentence(make: Callable[..., Base]) -> None:
    with pytest.raises(PlaygroundError) as refused:
        make(tokenizer_with("{{ raise_exception('only with tools') }}"))
    assert refused.value.key == "base_template"
    assert "only with tools" in refused.value.message("es")


# How many tokens fit


@pytest.mark.parametrize(
    ("config", "context"),
    [
        (LlamaConfig(max_position_embeddings=77), 77),
        (GPT2Config(n_positions=77), 77),
        (MptConfig(max_seq_len=77), 77),
    ],
    ids=lambda one: getattr(one, "model_type", ""),
)
def test_the_context_is_found_under_every_name(config: Any, context: int) -> None:
    class Model:
        def __init__(self) -> None:
            self.config = config

    model: Any = Model()
    assert context_of(model) == context


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "mpt"])
def test_a_question_beyond_the_context_is_refused_by_tokens(make: Callable[..., Base], kind: str) -> None:
    names = {"llama": "max_position_embeddings", "gpt2": "n_positions", "opt": "max_position_embeddings"}
    base = make(tokenizer_with(None), kind, **{names.get(kind, "max_seq_len"): 24})
    assert base.context == 24

    def last(letters: int) -> Any:
        *_, frame = compare(CompareJob("local", "x" * letters, (Variant("local"),), Decoding(8)), lambda base_id: base)
        return frame.panes[0]

    assert last(4).tokens == 8  # with the line's end 5
    full = last(20)  # 21, and the four that still fit are fed back but for the last
    assert (full.tokens, full.finish_reason) == (4, "length")
    with pytest.raises(PlaygroundError) as refused:
        last(24)
    assert (refused.value.key, refused.value.values["found"]) == ("beyond_context", 25)
    assert all(part in refused.value.message("es") for part in ("25", "24", "Local one"))


def test_examples_and_virtual_tokens_count_too(make: Callable[..., Base]) -> None:
    base = make(tokenizer_with(None), "gpt2", n_positions=24)
    task = Task("own", (Example("abc", "def"), Example("ghi", "jkl")), (Example("mno", "p"),))

    def trained(method_id: str, **values: Any) -> Any:
        *_, ended = train(TrainingJob("local", method_id, task, values, 1), lambda base_id: base)
        return ended.adapter

    soft = trained("prompt_tuning", virtual_tokens=16, batch_size=2)
    with pytest.raises(PlaygroundError) as refused:
        list(compare(CompareJob("local", "x" * 10, (Variant("local", soft),), Decoding(2)), lambda base_id: base))
    assert (refused.value.key, refused.value.values["found"]) == ("beyond_context", 27)
    with pytest.raises(PlaygroundError) as refused:
        trained("prompt_tuning", virtual_tokens=17, batch_size=2)
    assert (refused.value.key, refused.value.values["found"]) == ("example_too_long", 25)
    long = Task("own", (Example("abcdefgh", "ijkl"),) * 2, task.held_out)
    with pytest.raises(PlaygroundError) as refused:
        list(train(TrainingJob("local", "few_shot", long, {"examples": 2}), lambda base_id: base))
    assert refused.value.key == "beyond_context"
    assert base.untouched()


def test_the_labs_read_no_more_than_fits(make: Callable[..., Base]) -> None:
    base = make(tokenizer_with(None), "gpt2", n_positions=24)
    assert max(map(len, text_windows(base))) == 24
    with pytest.raises(PlaygroundError) as refused:
        activations.network(base, ["x" * 40])
    assert refused.value.key == "beyond_context"
