"""Comparing: every pane is what its label says, token for token what PEFT's own `generate` gives for that adapter."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from playground import settings
from playground.adapt import adapters
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach, attached
from playground.adapt.tasks import Example, Task, prompt_ids
from playground.adapt.variant import BASE, Variant
from playground.compare.comparison import compare, first_difference
from playground.compare.decoding import Row, kl
from playground.compare.job import CompareJob, Decoding, Pane
from playground.compare.routing import RowRouter, mixed
from playground.compare.shared import SharedProduct
from playground.errors import PlaygroundError
from playground.model import bases
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE, FORMS
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.conftest import load_tiny, variants, walk

GetBase = Callable[[str], Base]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
TASK = Task("pirate", *(tuple(Example(f"say {w}", f"{w}!") for w in words) for words in (WORDS[:8], WORDS[8:])))
PROMPT = "¿qué dices?"
LENGTH = 32

# Every way of adapting, trained for a few steps at rates that change the answers.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"learning_rate": 0.1}),
    "lora_all_linear": ("lora", {"learning_rate": 0.1, "targets": "all_linear", "rank": 3, "dropout": 0.3}),
    "rslora": ("lora", {"learning_rate": 0.05, "rslora": True, "rank": 16}),
    "dora": ("lora", {"learning_rate": 0.1, "dora": True}),
    "qlora": ("qlora", {"learning_rate": 0.1}),
    "ia3": ("ia3", {"learning_rate": 1.0}),
    "prompt_random": ("prompt_tuning", {"learning_rate": 1.0, "virtual_tokens": 5, "initialization": "random"}),
    "prompt_vocabulary": ("prompt_tuning", {"learning_rate": 1.0, "virtual_tokens": 9}),
    "prompt_text": (
        "prompt_tuning",
        {"learning_rate": 1.0, "virtual_tokens": 5, "initialization": "text", "initialization_text": "Ahoy, answer!"},
    ),
    "few_shot": ("few_shot", {"examples": 8}),
    "full": ("full_fine_tuning", {"learning_rate": 1e-2}),
}
# Comparisons of up to six panes, in which every variant stands beside others; None is the base.
GROUPS: list[tuple[str | None, ...]] = [
    (None, "lora", "dora", "ia3", "prompt_random", "few_shot"),
    ("qlora", None, "full", "lora_all_linear", "rslora", "prompt_vocabulary"),
    ("prompt_text", "qlora", "few_shot", "full", "ia3", "lora"),
    ("lora", "lora_all_linear", "rslora", "dora", "qlora", "lora"),
]
SAMPLED = Decoding(LENGTH, temperature=0.8, top_p=0.9, repetition_penalty=1.2, seed=7)
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def trained(
    base_id: str, method: str, values: dict[str, Any], get_base: GetBase, steps: int = 6, task: Task = TASK
) -> Adapter:
    return list(train(TrainingJob(base_id, method, task, values, steps), get_base))[-1].adapter


@cache
def trained_once(variant: str, get_base: GetBase) -> Adapter:
    return trained("tiny", *VARIANTS[variant], get_base)


AnyModel = PreTrainedModel | PeftModel


@pytest.fixture(scope="module")
def adapter(tiny_forms: GetBase) -> Callable[[str | None], Adapter | None]:
    """The adapter of a variant, trained once; None gives None."""
    return lambda variant: trained_once(variant, tiny_forms) if variant else None


def peft_model(base: PreTrainedModel, adapter: Adapter, folder: Path) -> AnyModel:
    """The adapter around a freshly loaded base, by way of its files: nothing of the playground's own is in between."""
    if adapter.record.method == "full_fine_tuning":
        base.load_state_dict(dict(adapter.tensors), strict=False)
        return base
    if adapter.config is None:
        return base
    adapters.save(adapter, folder)
    return PeftModel.from_pretrained(base, folder).eval()


@pytest.fixture(scope="module")
def reference(tiny: Base, adapter: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None], AnyModel]:
    """PEFT's own model of a variant, built once; None is an untouched base."""

    def build(variant: str | None) -> AnyModel:
        if variant == "qlora":
            base = load_tiny(tiny, "tiny:nf4_double").model
        else:
            base = LlamaForCausalLM.from_pretrained(tiny.folder).eval()
        return peft_model(base, adapter(variant), tmp_path_factory.mktemp("adapter")) if variant else base

    return cache(build)


def ids_of(tokenizer: PreTrainedTokenizerBase, adapter: Adapter | None, prompt: str) -> list[int]:
    return prompt_ids(tokenizer, prompt, [Example(*shot) for shot in adapter.record.shots] if adapter else ())


def generated(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, ids: list[int], decoding: Decoding
) -> tuple[list[int], str]:
    """What `generate` writes after `ids`, without the end token, and why it ended."""
    options: dict[str, Any] = {"do_sample": False}
    if decoding.temperature:
        options = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
    torch.manual_seed(decoding.seed)
    written = model.generate(
        input_ids=torch.tensor([ids], device=model.device),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=model.device),
        max_new_tokens=decoding.max_new_tokens,
        repetition_penalty=decoding.repetition_penalty,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )
    tokens = written[0, len(ids) :].tolist()
    ended = tokens[-1] == tokenizer.eos_token_id
    return (tokens[:-1], "stop") if ended else (tokens, "length")


def shown(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    """Tokens as text, without a last character that lacks bytes."""
    return tokenizer.decode(tokens, skip_special_tokens=True).rstrip("\N{REPLACEMENT CHARACTER}")


def compared(job: CompareJob, get_base: GetBase, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Row], list[Pane]]:
    """A comparison's rows and its last panes, both in the order of the job's adapters."""
    rows: list[Row] = []
    of = Row.of

    def noted(*arguments: Any) -> Row:
        rows.append(of(*arguments))
        return rows[-1]

    with monkeypatch.context() as patch:
        patch.setattr(Row, "of", noted)
        *_, last = compare(job, get_base)
    base_row, *others = rows
    in_order, panes = iter(others), {pane.adapter: pane for pane in last.panes}
    plain = Variant(job.base)
    found = [base_row if variant == plain else next(in_order) for variant in job.variants]
    return found, [panes[variant.id] for variant in job.variants]


def job_of(adapter: Callable, group: Sequence[str | None], decoding: Decoding, prompt: str = PROMPT) -> CompareJob:
    return CompareJob("tiny", prompt, variants("tiny", *map(adapter, group)), decoding)


# A pane is what its label says


@pytest.mark.parametrize("prompt", walk([PROMPT, "say nine"], [PROMPT]))
@pytest.mark.parametrize(
    "decoding", [Decoding(LENGTH), Decoding(LENGTH, repetition_penalty=1.5), SAMPLED], ids=["greedy", "penalty", "sampled"]
)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: "+".join(name or "base" for name in group))
def test_every_pane_writes_what_peft_generates(
    tiny: Base,
    tiny_forms: GetBase,
    adapter: Callable,
    reference: Callable,
    monkeypatch: pytest.MonkeyPatch,
    group: tuple[str | None, ...],
    decoding: Decoding,
    prompt: str,
) -> None:
    rows, panes = compared(job_of(adapter, group, decoding, prompt), tiny_forms, monkeypatch)
    for name, row, pane in zip(group, rows, panes, strict=True):
        ids = ids_of(tiny.tokenizer, adapter(name), prompt)
        tokens, reason = generated(reference(name), tiny.tokenizer, ids, decoding)
        assert (name, row.tokens, row.finish_reason) == (name, tokens, reason)
        expected = (name, shown(tiny.tokenizer, tokens), len(tokens), reason)
        assert (name, pane.text, pane.tokens, pane.finish_reason) == expected
    assert tiny.untouched()


@pytest.mark.parametrize("variant", [None, *VARIANTS])
def test_first_token_logits_are_the_models_own_whoever_asked_before(
    tiny: Base,
    tiny_forms: GetBase,
    adapter: Callable,
    reference: Callable,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variant: str | None,
) -> None:
    """The opening is read apart, so the sums agree as float32 does; the very same call gives the very same numbers."""
    job = job_of(adapter, (*GROUPS[1][:3], variant), Decoding(2))
    rows, _ = compared(job, tiny_forms, monkeypatch)
    again, _ = compared(job, tiny_forms, monkeypatch)
    assert torch.equal(again[-1].logits, rows[-1].logits)
    form = tiny_forms("tiny:nf4_double" if variant == "qlora" else "tiny")
    tree = copy.deepcopy(form.model) if variant == "full" else form.view()  # full fine-tuning is written into the weights
    same = peft_model(tree, adapter(variant), tmp_path) if variant else tree
    ids = torch.tensor([ids_of(tiny.tokenizer, adapter(variant), PROMPT)])
    with torch.no_grad():
        own = same(input_ids=ids, logits_to_keep=1).logits[0, -1]
        masked = reference(variant)(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=1).logits[0, -1]
    torch.testing.assert_close(rows[-1].logits, own, rtol=0, atol=1e-4)
    torch.testing.assert_close(rows[-1].logits, masked, rtol=0, atol=1e-4)


@every_variant
def test_no_tuned_pane_is_the_base(tiny: Base, tiny_forms: GetBase, adapter: Callable, variant: str) -> None:
    *_, last = compare(job_of(adapter, (None, variant), Decoding(LENGTH)), tiny_forms)
    base, tuned = last.panes
    assert tuned.kl_from_base > 0.01
    assert tuned.first_divergence is not None
    assert tuned.text != base.text


@pytest.mark.parametrize("variant", ["lora", "lora_all_linear", "rslora", "dora", "ia3"])
def test_an_adapter_that_has_learned_nothing_answers_as_the_base(tiny: Base, get_tiny: GetBase, variant: str) -> None:
    name, values = VARIANTS[variant]
    *_, ended = train(TrainingJob("tiny", name, TASK, values), get_tiny, stop=lambda: True)
    *_, last = compare(CompareJob("tiny", PROMPT, variants("tiny", None, ended.adapter), Decoding(LENGTH)), get_tiny)
    base, untrained = last.panes
    assert (untrained.text, untrained.kl_from_base, untrained.first_divergence) == (base.text, 0.0, None)
    assert untrained.top_tokens == base.top_tokens


def test_a_qlora_pane_runs_on_the_quantized_base(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    asked = []

    def noted(base_id: str) -> Base:
        asked.append(base_id)
        return tiny_forms(base_id)

    list(compare(job_of(adapter, ("qlora", "lora"), Decoding(2)), noted))
    assert set(asked) == {"tiny", "tiny:nf4_double"}


@pytest.mark.parametrize("form", ["nf4", "int8_vectorwise", "ternary"])
@pytest.mark.parametrize("variant", ["lora_all_linear", "dora", "ia3", "prompt_vocabulary", "full"])
def test_an_adapter_over_fewer_bits_computes_what_peft_computes_there(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, tmp_path: Path, variant: str, form: str
) -> None:
    """A full fine-tuning has no bits but its own: it runs on the plain base, whichever is asked for."""
    shown = Variant.of(f"tiny:{form}", adapter(variant))
    assert shown.base == ("tiny" if variant == "full" else f"tiny:{form}")
    theirs = peft_model(load_tiny(tiny, shown.base).model, adapter(variant), tmp_path).eval()
    ids = torch.tensor([prompt_ids(tiny.tokenizer, PROMPT)])
    if (variant, form) == ("dora", "int8_vectorwise"):
        with pytest.raises(PlaygroundError, match="scales"):
            attach(tiny_forms(shown.base), shown)
        with pytest.raises(AttributeError):  # PEFT's own
            theirs(ids)
        return
    with torch.no_grad():
        found, expected = attach(tiny_forms(shown.base), shown).model(ids).logits, theirs(ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_pane_in_fewer_bits_writes_what_that_base_writes(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", tiny.spec)
    panes = (Variant("tiny"), Variant(f"tiny:{form}"), Variant("tiny", adapter("lora")))
    rows, (plain, rounded, _) = compared(CompareJob("tiny", PROMPT, panes, Decoding(LENGTH)), tiny_forms, monkeypatch)
    ids = prompt_ids(tiny.tokenizer, PROMPT)
    assert rows[1].tokens == generated(tiny_forms(f"tiny:{form}").model, tiny.tokenizer, ids, Decoding(LENGTH))[0]
    assert rows[0].tokens == generated(tiny.model, tiny.tokenizer, ids, Decoding(LENGTH))[0]
    assert (plain.kl_from_base, rounded.kl_from_base > 0) == (None, True)
    assert rounded.adapter == f"base:{form}"
    assert tiny.untouched()


def test_a_checkpoint_answers_as_it_was_then(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = adapter("lora").at(adapter("lora").checkpoints[1].step)
    rows, _ = compared(
        CompareJob("tiny", PROMPT, variants("tiny", early, adapter("lora")), Decoding(LENGTH)), tiny_forms, monkeypatch
    )
    model = peft_model(LlamaForCausalLM.from_pretrained(tiny.folder), early, tmp_path)
    assert rows[0].tokens == generated(model, tiny.tokenizer, rows[0].prompt, Decoding(LENGTH))[0]
    assert rows[0].tokens != rows[1].tokens


def test_prompts_of_very_different_lengths_share_a_batch(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, reference: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = ("few_shot", None, "prompt_vocabulary", "lora")
    rows, _ = compared(job_of(adapter, group, Decoding(LENGTH), "a"), tiny_forms, monkeypatch)
    assert len(rows[0].prompt) > 10 * len(rows[1].prompt)
    for name, row in zip(group, rows, strict=True):
        assert row.tokens == generated(reference(name), tiny.tokenizer, row.prompt, Decoding(LENGTH))[0]


def test_the_order_of_the_panes_changes_no_answer(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    forth, back = (
        {pane.adapter: pane.text for pane in list(compare(job_of(adapter, order, Decoding(LENGTH)), tiny_forms))[-1].panes}
        for order in (GROUPS[0], GROUPS[0][::-1])
    )
    assert forth == back


# Choosing tokens


@pytest.mark.parametrize("variant", [None, "lora", "prompt_random"])
def test_the_seed_decides_a_sampled_text(tiny: Base, tiny_forms: GetBase, adapter: Callable, variant: str | None) -> None:
    def answer(seed: int, temperature: float = 1.0) -> list[str]:
        decoding = Decoding(LENGTH, temperature=temperature, seed=seed)
        *_, last = compare(job_of(adapter, (variant,), decoding), tiny_forms)
        return [pane.text for pane in last.panes]

    assert answer(1) == answer(1)
    assert len({answer(seed)[0] for seed in range(4)}) == 4
    assert answer(1, temperature=0.0) == answer(2, temperature=0.0)


def test_other_random_numbers_do_not_matter_to_a_sampled_text(tiny: Base, get_tiny: GetBase) -> None:
    job = CompareJob("tiny", PROMPT, variants("tiny", None), SAMPLED)
    *_, expected = compare(job, get_tiny)
    frames = []
    for frame in compare(job, get_tiny):
        torch.manual_seed(1)
        frames.append(frame)
    assert frames[-1].panes[0].text == expected.panes[0].text


DECODINGS = [
    Decoding(temperature=temperature, top_p=top_p, repetition_penalty=penalty)
    for temperature in (0.0, 0.7, 2.0)
    for top_p in (1.0, 0.9, 0.3)
    for penalty in (1.0, 1.5)
]


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_scores_are_processed_as_generate_processes_them(tiny: Base, decoding: Decoding) -> None:
    prompt = prompt_ids(tiny.tokenizer, PROMPT)
    row = Row(tiny.model, tiny.tokenizer, prompt, decoding)
    ids, logits = torch.tensor([prompt]), torch.randn(1, len(tiny.tokenizer), generator=torch.Generator().manual_seed(3)) * 3
    sampling = {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0} if decoding.temperature else {}
    config, _ = tiny.model._prepare_generation_config(
        None, do_sample=bool(decoding.temperature), repetition_penalty=decoding.repetition_penalty, **sampling
    )
    theirs = tiny.model._get_logits_processor(config, input_ids_seq_length=len(prompt))
    assert torch.equal(row._choose(ids, logits.clone()), theirs(ids, logits.clone()))


@pytest.mark.parametrize("limit", [1, 2, 17])
def test_no_answer_is_longer_than_asked(tiny: Base, tiny_forms: GetBase, adapter: Callable, limit: int) -> None:
    *_, last = compare(job_of(adapter, GROUPS[0], Decoding(limit)), tiny_forms)
    for pane in last.panes:
        assert pane.finished
        assert (pane.finish_reason == "length") == (pane.tokens == limit)
        assert pane.tokens <= limit
    assert {pane.finish_reason for pane in last.panes} >= {"length"}


def test_an_end_token_ends_an_answer_and_is_not_shown(tiny: Base, get_tiny: GetBase) -> None:
    task = dataclasses.replace(TASK, train=TASK.train + TASK.held_out)
    fluent = trained("tiny", "full_fine_tuning", {"learning_rate": 1e-2}, get_tiny, 60, task)
    *_, last = compare(CompareJob("tiny", "say nine", variants("tiny", fluent, None), Decoding(LENGTH)), get_tiny)
    base, pane = sorted(last.panes, key=lambda one: one.adapter != BASE)
    assert (pane.text, pane.finish_reason, pane.tokens) == ("nine!", "stop", 5)
    assert base.tokens == LENGTH


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("max_new_tokens", 0, "out_of_range"),
        ("max_new_tokens", settings.MAX_NEW_TOKENS + 1, "out_of_range"),
        ("temperature", -0.1, "out_of_range"),
        ("temperature", float("nan"), "out_of_range"),
        ("top_p", 0.0, "out_of_range"),
        ("top_p", 1.1, "out_of_range"),
        ("repetition_penalty", 0.5, "out_of_range"),
        ("seed", -1, "out_of_range"),
        ("seed", "1", "wrong_kind"),
        ("max_new_tokens", 2.5, "wrong_kind"),
    ],
)
def test_decoding_out_of_range_is_refused(field: str, value: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as refusal:
        Decoding(**{field: value})
    assert refusal.value.key == key
    assert field in str(refusal.value)


# Text and measurements

HARD_TEXTS = ["señor ñandú", "🏴‍☠️ ahoy 🦜!", "日本語", "plain words", "é"]


def row_with(base: Base, text: str) -> Row:
    row = Row(base.model, base.tokenizer, [0], Decoding())
    row.tokens = base.tokenizer(text, add_special_tokens=False)["input_ids"]
    return row


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_a_text_grows_without_showing_half_a_character(tiny: Base, text: str) -> None:
    row = row_with(tiny, text)
    steps = [row.text(count) for count in range(len(row.tokens) + 1)]
    assert (steps[0], steps[-1], row.text()) == ("", text, text)
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(steps))
    assert all(text.startswith(step) for step in steps)


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_a_span_slices_the_text_of_its_token(tiny: Base, text: str) -> None:
    row = row_with(tiny, text)
    for index, token in enumerate(row.tokens):
        span = row.span(index)
        assert span is not None
        start, end = span
        alone = tiny.tokenizer.decode([token])
        assert text[start:end] == alone or not alone.isascii()
        assert text[start:end], f"the byte at {index} belongs to a character, and none is marked"
    assert row.span(None) is None
    assert row.span(len(row.tokens)) is None


@pytest.mark.parametrize(
    ("tokens", "others", "finished", "expected"),
    [
        ([], [], True, None),
        ([1, 2, 3], [1, 2, 3], True, None),
        ([1, 2, 3], [1, 2, 3], False, None),
        ([9], [1], False, 0),
        ([1, 2, 9], [1, 2, 3], False, 2),
        ([1, 2, 9], [1, 2, 3, 4], True, 2),
        ([1, 2], [1, 2, 3], False, None),
        ([1, 2], [1, 2, 3], True, 2),
        ([1, 2, 3], [1, 2], True, 2),
        ([], [1], True, 0),
        ([], [1], False, None),
    ],
)
def test_the_first_difference(tokens: list[int], others: list[int], finished: bool, expected: int | None) -> None:
    assert first_difference(tokens, others, finished) == expected


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_kl_is_torchs_and_positive(scale: float) -> None:
    p, q = torch.randn(2, 500, generator=torch.Generator().manual_seed(1)) * scale
    log_p, log_q = p.double().log_softmax(-1), q.double().log_softmax(-1)
    theirs = functional.kl_div(log_q, log_p, reduction="sum", log_target=True)
    assert kl(p, q) == pytest.approx(float(theirs), rel=1e-9)
    assert kl(p, q) > 0
    assert kl(p, q) != kl(q, p)


def test_kl_of_equal_distributions_is_nothing() -> None:
    logits = torch.randn(500, generator=torch.Generator().manual_seed(1))
    assert kl(logits, logits.clone()) == 0.0
    assert kl(logits, logits + 3) == pytest.approx(0.0, abs=1e-9)


def test_panes_tell_the_kl_of_their_first_tokens(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, panes = compared(job_of(adapter, GROUPS[0], Decoding(3)), tiny_forms, monkeypatch)
    expected = [None, *(kl(row.logits, rows[0].logits) for row in rows[1:])]
    assert [pane.kl_from_base for pane in panes] == expected


def test_top_tokens_are_the_most_probable_in_order(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, panes = compared(job_of(adapter, GROUPS[1], Decoding(3)), tiny_forms, monkeypatch)
    for row, pane in zip(rows, panes, strict=True):
        top = [token["probability"] for token in pane.top_tokens]
        assert top == sorted(row.logits.softmax(-1).tolist(), reverse=True)[: settings.TOP_TOKENS]
        assert 0 < sum(top) <= 1
        assert pane.top_tokens[0]["token"] == tiny.tokenizer.decode([int(row.logits.argmax())])


def test_a_divergence_is_where_the_texts_part(
    tiny: Base, tiny_forms: GetBase, adapter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = ("lora", "prompt_text", None, "few_shot", "ia3", "full")
    rows, panes = compared(job_of(adapter, group, Decoding(LENGTH)), tiny_forms, monkeypatch)
    base = rows[2]
    for row, pane in zip(rows, panes, strict=True):
        assert pane.first_divergence == (None if row is base else first_difference(row.tokens, base.tokens, True))
        assert pane.divergence_span == row.span(pane.first_divergence)


def test_divergence_is_measured_from_the_base_even_if_it_is_not_shown(
    tiny: Base, tiny_forms: GetBase, adapter: Callable
) -> None:
    *_, beside = compare(job_of(adapter, (None, "lora"), Decoding(LENGTH)), tiny_forms)
    *_, alone = compare(job_of(adapter, ("lora",), Decoding(LENGTH)), tiny_forms)
    measured = ("text", "first_divergence", "divergence_span", "kl_from_base", "top_tokens")
    assert [getattr(alone.panes[0], name) for name in measured] == [getattr(beside.panes[1], name) for name in measured]
    assert len(alone.panes) == 1


# Frames


def test_answers_grow_by_at_most_a_token_a_frame(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    frames = list(compare(job_of(adapter, GROUPS[0], Decoding(LENGTH)), tiny_forms))
    for before, after in itertools.pairwise(frames):
        for earlier, later in zip(before.panes, after.panes, strict=True):
            assert later.tokens - earlier.tokens in (0, 1)
            assert later.text.startswith(earlier.text)
            assert later.finished >= earlier.finished
            assert later.adapter == earlier.adapter
    assert len(frames) >= LENGTH
    assert [frame.finished for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert all(pane.finished for pane in frames[-1].panes)


def test_panes_write_together(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    for frame in list(compare(job_of(adapter, GROUPS[0], Decoding(LENGTH)), tiny_forms))[len(GROUPS[0]) :]:
        assert len({pane.tokens for pane in frame.panes if not pane.finished}) <= 1


def test_panes_are_named_in_the_order_asked(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    group = ("lora", None, "few_shot")
    for frame in compare(job_of(adapter, group, Decoding(2)), tiny_forms):
        assert [pane.adapter for pane in frame.panes] == [adapter("lora").id, "base", adapter("few_shot").id]


def test_the_last_frame_is_measured_and_json(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    *_, before, last = compare(job_of(adapter, GROUPS[1], Decoding(4)), tiny_forms)
    plain = json.loads(json.dumps(last.as_json(), allow_nan=False))
    assert all(pane["tokens_per_second"] > 0 for pane in plain["panes"])
    assert {pane["method"]: pane["weights_untouched"] for pane in plain["panes"] if pane["weights_untouched"]} == {
        "base": True
    }
    assert all(pane.weights_untouched is None for pane in before.panes)
    assert {pane["method"] for pane in plain["panes"]} == {"base", "qlora", "full_fine_tuning", "lora", "prompt_tuning"}
    assert plain["base_parameters"] == tiny.model.num_parameters()


# Refusals


@pytest.mark.parametrize(
    ("prompt", "panes", "key"),
    [
        ("", 1, "empty_prompt"),
        (" \n\t", 1, "empty_prompt"),
        ("x" * (settings.MAX_PROMPT_CHARACTERS + 1), 1, "prompt_too_long"),
        ("hello", 0, "pane_count"),
        ("hello", settings.MAX_PANES + 1, "pane_count"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_first_frame(
    tiny: Base, get_tiny: GetBase, prompt: str, panes: int, key: str
) -> None:
    with pytest.raises(PlaygroundError) as refusal:
        next(compare(CompareJob("tiny", prompt, variants("tiny", *[None] * panes)), get_tiny))
    assert refusal.value.key == key
    assert str(refusal.value).strip()


def test_the_longest_prompt_and_the_most_panes_are_served(tiny: Base, tiny_forms: GetBase, adapter: Callable) -> None:
    assert len(GROUPS[0]) == settings.MAX_PANES
    shots = [Example(*shot) for shot in adapter("few_shot").record.shots]
    longest = settings.MAX_PROMPT_TOKENS - len(prompt_ids(tiny.tokenizer, "", shots))  # a token a letter
    *_, last = compare(job_of(adapter, GROUPS[0], Decoding(1), longest * "x"), tiny_forms)
    assert [pane.tokens for pane in last.panes] == [1] * settings.MAX_PANES


def test_an_adapter_of_another_base_is_refused(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    foreign = dataclasses.replace(adapter("lora"), record=dataclasses.replace(adapter("lora").record, base="smollm2-360m"))
    with pytest.raises(PlaygroundError) as refusal:
        next(compare(CompareJob("tiny", PROMPT, variants("tiny", None, foreign)), get_tiny))
    assert refusal.value.key == "other_base"


def test_an_adapter_that_does_not_fit_is_refused(tiny: Base, get_tiny: GetBase, adapter: Callable) -> None:
    wider = {name: torch.zeros(*tensor.shape[:-1], tensor.shape[-1] + 1) for name, tensor in adapter("lora").tensors.items()}
    with pytest.raises(PlaygroundError) as refusal:
        next(
            compare(
                CompareJob("tiny", PROMPT, variants("tiny", dataclasses.replace(adapter("lora"), loaded=wider))), get_tiny
            )
        )
    assert refusal.value.key == "does_not_fit"


# One tree for all


def routers(tree: torch.nn.Module) -> list[str]:
    return [path for path, module in tree.named_modules() if isinstance(module, RowRouter | SharedProduct)]


def trees(base: Base, *adapted: Adapter | None) -> list[torch.nn.Module]:
    decoding = Decoding()
    models = [attached(base, Variant(base.id, one)).model for one in adapted]
    return [Row(model, base.tokenizer, [0], decoding).tree for model in models]


@pytest.mark.parametrize(
    ("panes", "parts"),
    [
        ((None, None), 0),
        (("lora", "lora"), 0),
        ((None, "prompt_random"), 0),
        ((None, "prompt_random", "prompt_text"), 0),
        ((None, "lora"), 2),
        ((None, "lora", "rslora", "dora"), 2),
        ((None, "ia3"), 3),
        ((None, "lora", "ia3"), 4),
        ((None, "lora_all_linear"), 7),
    ],
)
def test_only_what_differs_between_panes_is_routed(
    tiny: Base, adapter: Callable, panes: tuple[str | None, ...], parts: int
) -> None:
    tree = mixed(trees(tiny, *map(adapter, panes)))
    assert len(routers(tree)) == parts * tiny.model.config.num_hidden_layers


def test_what_panes_share_is_computed_by_the_very_same_modules(tiny: Base, adapter: Callable) -> None:
    plain, tuned = trees(tiny, None, adapter("lora"))
    tree = mixed([plain, tuned])
    routed = routers(tree)
    assert all(path.endswith(("q_proj", "v_proj")) for path in routed)
    own = {path: module for path, module in plain.named_modules() if not module._modules and path not in routed}
    found = dict(tree.named_modules())
    assert own
    assert all(found[path] is module for path, module in own.items())
    assert {id(p) for p in tree.parameters()} <= {id(p) for p in tiny.model.parameters()}


def test_mixing_changes_none_of_the_trees(tiny: Base, adapter: Callable) -> None:
    models = trees(tiny, None, adapter("lora"), adapter("full"))
    before = [dict(model.named_modules()) for model in models]
    mixed(models)
    assert [dict(model.named_modules()) for model in models] == before


def test_rows_of_one_variant_go_through_it_together() -> None:
    first, second = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    router, x = RowRouter([first, second, first]), torch.randn(3, 5, 4)
    assert [places for places, _ in router.groups] == [(0, 2), (1,)]
    expected = torch.stack([first(x[0]), second(x[1]), first(x[2])])
    torch.testing.assert_close(router(x), expected)


# The base is never changed


CHANGES: dict[str, Callable[[torch.Tensor], Any]] = {
    "one weight": lambda weight: weight[3, 5].add_(1e-3),
    "merged": lambda weight: weight.add_(torch.outer(weight[:, 0], weight[0])),
    "scaled": lambda weight: weight.mul_(1.001),
    "zeroed": lambda weight: weight.zero_(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_weight_is_noticed(tiny: Base, get_tiny: GetBase, change: str) -> None:
    weight = tiny.model.model.layers[1].mlp.up_proj.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            CHANGES[change](weight)
        *_, last = compare(CompareJob("tiny", PROMPT, variants("tiny", None), Decoding(1)), get_tiny)
        assert not tiny.untouched()
        assert last.panes[0].weights_untouched is False
    finally:
        with torch.no_grad():
            weight.copy_(before)
    assert tiny.untouched()


# The real base


def real_adapters(base: Base) -> list[Adapter]:
    """LoRA and IA3 after two short steps; prompt tuning, which needs none to differ; QLoRA with what LoRA learned."""
    task = Task("pirate", (Example("Hi", "Ahoy!"), Example("Bye", "Arrr, farewell!")), (Example("Yes?", "Aye."),))
    quick = {"batch_size": 1, "learning_rate": 5e-3}
    lora = trained(base.id, "lora", quick, bases.BASES.get, 2, task)
    record = dataclasses.replace(lora.record, method="qlora", hyperparameters={"double_quantization": True})
    return [
        lora,
        trained(base.id, "ia3", {**quick, "learning_rate": 0.3}, bases.BASES.get, 2, task),
        trained(base.id, "prompt_tuning", {"batch_size": 1}, bases.BASES.get, 1, task),
        dataclasses.replace(lora, id="qlora", record=record),
    ]


@pytest.mark.thorough
def test_on_the_real_base_every_pane_writes_what_peft_generates(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.train.evaluation.SAMPLE_TOKENS", 1)
    decoding = Decoding(12)
    job = CompareJob(base.id, "¿Qué tal? Tell me a joke.", variants(base.id, None, *real_adapters(base)), decoding)
    rows, panes = compared(job, bases.BASES.get, monkeypatch)
    assert len({tuple(row.tokens) for row in rows}) == len(rows), "they differ, or nothing is shown by this"
    for one, row, pane in zip((one.adapter for one in job.variants), rows, panes, strict=True):
        quantization = ":nf4_double" if one and one.record.method == "qlora" else ""
        model: AnyModel = bases.load(base.id + quantization).model
        model = peft_model(model, one, tmp_path / one.id) if one else model
        tokens, reason = generated(model, base.tokenizer, prompt_ids(base.tokenizer, job.prompt), decoding)
        assert (row.tokens, row.finish_reason) == (tokens, reason)
        assert pane.text == shown(base.tokenizer, tokens)
    assert base.untouched()


@pytest.mark.parametrize("text", [*HARD_TEXTS, "Ahoy , matey ! 'tis 🦜 , ye see .", "  indented\n\n- list"])
def test_on_the_real_tokenizer_a_text_grows_without_showing_half_a_character(base: Base, text: str) -> None:
    row = row_with(base, text)
    steps = [row.text(count) for count in range(len(row.tokens) + 1)]
    assert (steps[0], steps[-1]) == ("", text)
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(steps))
