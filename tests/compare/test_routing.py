"""Rows of different variants write together, or apart, what each variant's own `generate` writes, in every family."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache
from transformers.modeling_outputs import BaseModelOutput

from playground.compare import pool
from playground.compare.decoding import Row
from playground.compare.job import Decoding
from playground.compare.pool import Pool, write
from playground.compare.routing import RowRouter, mixed
from playground.compare.shared import ApartError
from playground.model.weights import tensors_of
from tests.conftest import tiny_tokenizer
from tests.families import logits, one_thread  # noqa: F401
from tests.kinds import model_of_kind

TOKENIZER = tiny_tokenizer()
PROMPTS = [[72, 101, 108, 108, 111], [33, 7, 40], [72, 101, 108, 108, 111, 33, 7, 200, 12, 91, 14, 3]]
LENGTH = 10
GREEDY = Decoding(LENGTH)

GATED = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip
HEADED = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SLIDING = {"head_dim": 8, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": GATED,
    "qwen2": GATED,
    "qwen3": GATED | {"head_dim": 8},
    "mistral": GATED | {"sliding_window": 6, "head_dim": 8},
    "gemma2": GATED | SLIDING,
    "phi3": GATED | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": HEADED | {"intermediate_size": 48},
    "opt": HEADED | {"ffn_dim": 48, "word_embed_proj_dim": 16, "do_layer_norm_before": False},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "falcon": HEADED,
    "mixtral": GATED | {"num_local_experts": 4, "head_dim": 8},
    "qwen3_moe": GATED
    | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 8, "decoder_sparse_step": 1},
    "gpt_oss": GATED | SLIDING | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "granitemoe": GATED | {"num_local_experts": 4, "num_experts_per_tok": 1},
    "olmo2": GATED,
    "cohere": GATED,
    "mamba2": {
        "hidden_size": 32, "num_hidden_layers": 2, "num_heads": 8, "head_dim": 8, "state_size": 16, "n_groups": 1,
        "chunk_size": 4,
    },
}  # fmt: skip
EXPERTS = {"mixtral": "mlp.experts", "qwen3_moe": "mlp.experts", "gpt_oss": "mlp.experts"}
every_family = pytest.mark.parametrize("family", FAMILIES)


class Noted(Row):
    """A row that remembers the logits from which it chose, and knows no end."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: list[torch.Tensor] = []
        self._ends = set()

    def choose(self, logits: torch.Tensor, overflows: bool = False, likeliest: int | None = None) -> None:
        self.seen.append(logits.cpu())
        super().choose(logits, overflows, likeliest)


def tiny(family: str) -> Any:
    """A random model whose every parameter is far from its initial value."""
    marks = {
        "vocab_size": len(TOKENIZER),
        "eos_token_id": 257,
        "pad_token_id": 257,
        "bos_token_id": 256,
        "tie_word_embeddings": False,
    }
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **(marks | FAMILIES[family]), initializer_range=0.3)
    return moved(AutoModelForCausalLM.from_config(config).eval().requires_grad_(False), 1)


def moved(model: Any, seed: int) -> Any:
    """The model with other numbers in every parameter, written in place."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def view(model: Any) -> Any:
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors_of(model)})


def linears(model: Any) -> list[str]:
    head = model.get_output_embeddings()
    kinds = ("Linear", "Conv1D", "FalconLinear")
    found = {
        name.rpartition(".")[2] for name, one in model.named_modules() if type(one).__name__ in kinds and one is not head
    }
    return sorted(found - {"out_proj"} if model.config.model_type == "mamba2" else found)  # PEFT refuses it there


def adapted(model: Any, config: Any, seed: int = 3) -> Any:
    torch.manual_seed(seed)
    found = get_peft_model(view(model), config).eval()
    for parameter in found.parameters():
        if parameter.requires_grad:
            parameter.data += 0.3 * torch.randn(parameter.shape)
    return found.requires_grad_(False)


def lora(model: Any, **options: Any) -> Any:
    return adapted(model, LoraConfig(r=2, target_modules=linears(model), fan_in_fan_out=False, **options))


def ia3(model: Any) -> Any:
    names = linears(model)
    return adapted(model, IA3Config(target_modules=names, feedforward_modules=names[:1]), 4)


def prompt_tuning(model: Any) -> Any:
    width = model.get_input_embeddings().weight.shape[1]
    return adapted(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, token_dim=width), 5)


def expert_lora(model: Any) -> Any:
    names = [f"{EXPERTS[model.config.model_type]}.{part}" for part in ("gate_up_proj", "down_proj")]
    return adapted(model, LoraConfig(r=2, target_modules=[], target_parameters=names), 6)


def variants_of(model: Any) -> dict[str, Any]:
    """The variants of a model, by what they are."""
    full = moved(copy.deepcopy(model), 2)
    found = {"base": model, "lora": lora(model), "full": full, "ia3": ia3(model), "lora on full": lora(full)}
    if model.config.model_type != "mamba2":  # PEFT gives it no virtual tokens
        found["prompt"] = prompt_tuning(model)
    if model.config.model_type in EXPERTS:
        found["experts"] = expert_lora(model)
    return found


def written(models: list[Any], how: Decoding = GREEDY) -> list[Noted]:
    """What the models write together, the prompts in turn."""
    rows = [Noted(model, TOKENIZER, PROMPTS[place % len(PROMPTS)], how) for place, model in enumerate(models)]
    for row in rows:
        row.prefill()
    for _ in write(rows):
        pass
    return rows


def generated(model: Any, prompt: list[int], length: int = LENGTH) -> tuple[list[int], torch.Tensor]:
    """A model's own tokens and the logits (tokens, vocabulary) that it chose them from."""
    ids = torch.tensor([prompt], device=model.device)
    found = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=length, min_new_tokens=length,
        eos_token_id=None, output_logits=True, return_dict_in_generate=True, pad_token_id=257,
    )  # fmt: skip
    return found.sequences[0, -length:].tolist(), torch.cat(list(found.logits)).cpu()


def assert_own(names: list[str], models: list[Any], rows: list[Noted]) -> None:
    for name, model, row in zip(names, models, rows, strict=True):
        tokens, own = generated(copy.deepcopy(model), row.prompt, len(row.tokens))
        torch.testing.assert_close(torch.stack(row.seen), own, rtol=1e-3, atol=1e-3, msg=name)
        assert (name, row.tokens) == (name, tokens)


@every_family
def test_every_variant_writes_what_its_own_model_generates(family: str) -> None:
    variants = variants_of(tiny(family))
    names, models = list(variants), list(variants.values())
    rows = written(models)
    assert len({tuple(logits(model)[-1].tolist()) for model in models}) == len(models), "or nothing is shown by this"
    assert_own(names, models, rows)


@every_family
def test_a_variant_that_differs_in_one_tensor_alone_is_not_another(family: str) -> None:
    """Each parameter and each buffer of the first layer and around the layers, moved alone, all in one company."""
    model = tiny(family)
    models = [model]
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if ".1." not in name and tensor.is_floating_point():
            one = view(model)
            path, _, leaf = name.rpartition(".")
            other = tensor + 0.3 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(len(models)))
            setattr(one.get_submodule(path), leaf, nn.Parameter(other, False) if isinstance(tensor, nn.Parameter) else other)
            models.append(one)
    rows = written(models, Decoding(4))
    for one, row in zip(models, rows, strict=True):
        own = one(input_ids=torch.tensor([row.prompt + row.tokens])).logits[0, -5:-1]
        torch.testing.assert_close(torch.stack(row.seen), own, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_oss"])
def test_sampled_rows_and_rows_of_one_variant_are_their_own_too(family: str) -> None:
    model = tiny(family)
    full, tuned = moved(copy.deepcopy(model), 2), lora(model)
    models, how = (
        [tuned, full, model, tuned, full, prompt_tuning(model)],
        Decoding(LENGTH, temperature=0.9, top_p=0.9, seed=3),
    )
    together_, alone = written(models, how), []
    for place, one in enumerate(models):
        row = Noted(one, TOKENIZER, PROMPTS[place % len(PROMPTS)], how)
        row.prefill()
        list(write([row]))
        alone.append(row)
    assert [row.tokens for row in together_] == [row.tokens for row in alone]


def test_a_row_alone_goes_on_where_its_prompt_ends() -> None:
    """Bamba's attention counts from 0 again unless it is told where it stands; `generate` tells it."""
    model = model_of_kind("bamba", TOKENIZER)
    assert_own(["alone"], [model], written([model]))


@pytest.mark.parametrize("scaling", ["dynamic", "longrope"])
def test_positions_that_are_scaled_by_the_longest_row_are_each_rows_own(scaling: str) -> None:
    rope = {"rope_type": scaling, "rope_theta": 100.0, "factor": 4.0}
    if scaling == "longrope":
        rope |= {"short_factor": [1.0] * 4, "long_factor": [3.0] * 4, "original_max_position_embeddings": 14}
    torch.manual_seed(0)
    marks = {"vocab_size": 258, "max_position_embeddings": 14, "rope_parameters": rope, "initializer_range": 0.3}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **GATED, **marks)).eval().requires_grad_(False)
    models = [view(model), lora(model), view(model)]
    assert_own(["base", "lora", "base, longer"], models, written(models))


# What shares a tree, and what is apart


def batches(models: list[Any]) -> list[list[int]]:
    """Which of the models write in one batch."""
    rows = [Row(model, TOKENIZER, PROMPTS[0], GREEDY) for model in models]
    for row in rows:
        row.prefill()
    shared = Pool()
    shared.join(rows)
    shared.step()
    return [[rows.index(row) for row in batch.rows] for batch in shared._batches]


def test_what_lies_in_a_module_with_a_state_is_apart() -> None:
    """GPT-OSS's attention keeps a cache of all rows and has sinks of its own."""
    model = tiny("gpt_oss")
    other = view(model)
    other.model.layers[1].self_attn.sinks = nn.Parameter(other.model.layers[1].self_attn.sinks + 1, requires_grad=False)
    assert batches([model, other, lora(model), other]) == [[0, 2], [1, 3]]
    with pytest.raises(ApartError):
        mixed([model, other])


@pytest.mark.parametrize(("family", "part"), [("gpt_oss", "mlp"), ("mixtral", "mlp"), ("granitemoe", "block_sparse_moe")])
def test_experts_are_routed_with_the_block_that_hands_them_their_tokens(family: str, part: str) -> None:
    model = tiny(family)
    other = view(model)
    moved_ = getattr(other.model.layers[0], part)
    for module in moved_.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.dim() > 2:
                setattr(module, name, nn.Parameter(parameter + 1, requires_grad=False))
    routed = [path for path, module in mixed([model, other]).named_modules() if isinstance(module, RowRouter)]
    assert routed == [f"model.layers.0.{part}"]


def test_a_list_of_experts_is_routed_with_its_owner() -> None:
    """Experts in a list get the tokens sorted: a row of theirs is not the row of the batch."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.experts[0](x.flip(0)).flip(0) + self.experts[1](x)
            return found

    one, other = Block(), Block()
    other.experts[1] = one.experts[1]
    x = torch.randn(2, 1, 4)
    torch.testing.assert_close(mixed([one, other])(x), torch.cat([one(x[:1]), other(x[1:])]))


class Reaching(type(tiny("llama").model.layers[0].mlp)):  # type: ignore[misc]
    """An MLP that reads the weight of its layer, as some of transformers' do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = super().forward(x) * self.up_proj.weight.abs().mean().sqrt()
        return found


def test_rows_that_turn_out_to_be_apart_are_read_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    for layer in model.model.layers:
        layer.mlp.__class__ = Reaching
    models = [model, lora(model), moved(copy.deepcopy(model), 2)]
    alone: list[Row] = []
    read = pool._alone

    def noted(row: Row, spent: float) -> Any:
        alone.append(row)
        return read(row, spent)

    monkeypatch.setattr(pool, "_alone", noted)
    rows = written(models)
    assert alone == rows
    assert_own(["base", "lora", "full"], models, rows)


# A router


@dataclasses.dataclass
class Output(BaseModelOutput):
    extra: Any = None


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


class Scaled(nn.Module):
    """Multiplies with its own number, and has children besides."""

    def __init__(self, factor: float, form: Callable[[torch.Tensor], Any] = lambda x: x) -> None:
        super().__init__()
        self.factor, self.form = nn.Parameter(torch.tensor(factor), requires_grad=False), form
        self.child = nn.Identity()

    def forward(self, x: torch.Tensor, *, scale: Any = None, given: Any = None) -> Any:
        x = self.child(x) * self.factor
        for one in scale or ():
            x = x * one
        return self.form(x)


FORMS: dict[str, Callable[[torch.Tensor], Any]] = {
    "tensor": lambda x: x,
    "tuple": lambda x: (x, None, x[..., :1]),
    "list": lambda x: [x, (x + 1, 3)],
    "named tuple": lambda x: Pair(x, x + 1),
    "dict": lambda x: {"x": x},
    "model output": lambda x: Output(last_hidden_state=x, extra=(x,)),
    "one row for all": lambda x: x[:1] * 0,
}


def as_tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value.expand(3, *value.shape[1:])]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [tensor for part in parts for tensor in as_tensors(part)]


@pytest.mark.parametrize("form", FORMS)
def test_a_router_takes_and_gives_whatever_its_variants_do(form: str) -> None:
    variants = [Scaled(2.0, FORMS[form]), Scaled(3.0, FORMS[form])]
    router = mixed([variants[0], variants[1], variants[0]])
    x, scale = torch.randn(3, 1, 5), (torch.randn(3, 1, 5), torch.randn(1, 1, 5), torch.tensor(2.0))
    for inputs, named in (((x,), {}), ((), {"x": x, "scale": scale, "given": {"mask": None, "causal": True}})):
        found = router(*inputs, **named)
        assert type(found) is type(FORMS[form](x))
        for row, variant in enumerate([variants[0], variants[1], variants[0]]):
            own = [x[row : row + 1], [scale[0][row : row + 1], *scale[1:]] if named else None]
            expected = as_tensors(variant(own[0], scale=own[1]))
            for whole, part in zip(as_tensors(found), expected, strict=True):
                torch.testing.assert_close(whole[row : row + 1], part[:1])


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({"scale": [torch.ones(12, 1, 5)]}, FORMS["tensor"]),  # rows times heads
        ({"given": DynamicCache()}, FORMS["tensor"]),
        ({}, lambda x: x.repeat(4, 1, 1)),
        ({}, lambda x: x.sum()),
        ({}, lambda x: (x, object())),
        ({}, lambda x: [x] * len(x)),  # of different lengths
    ],
)
def test_a_router_does_not_guess(given: dict[str, Any], form: Callable[[torch.Tensor], Any]) -> None:
    variants = [Scaled(2.0, form), Scaled(3.0, form)]
    with pytest.raises(ApartError):
        mixed([variants[0], variants[1], variants[0]])(torch.randn(3, 1, 5), **given)


def test_a_router_that_gets_no_rows_and_one_that_is_read_like_a_variant_are_apart() -> None:
    router = mixed([Scaled(2.0), Scaled(3.0)])
    with pytest.raises(ApartError):
        router(torch.randn(1, 2, 5))
    with pytest.raises(ApartError):
        hasattr(router, "factor")
    assert not hasattr(router, "_hf_hook")


def test_own_buffers_and_modules_that_only_some_have_are_differences() -> None:
    one, other, third = nn.BatchNorm1d(4).eval(), nn.BatchNorm1d(4).eval(), Scaled(2.0)
    other.weight, other.bias = one.weight, one.bias
    other.register_buffer("running_mean", torch.ones(4))
    x = torch.randn(2, 4)
    torch.testing.assert_close(mixed([one, other])(x), torch.stack([one(x[:1])[0], other(x[1:])[0]]))
    without = copy.copy(third)
    without._modules = {"child": None}
    assert isinstance(mixed([third, without]), RowRouter)
