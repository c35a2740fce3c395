"""
What the tests share: a tiny random model for fast ones, the real embedded base for the others.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("PLAYGROUND_KERNELS", "onednn")  # whatever would be measured to be faster while tests run
os.environ.setdefault("PLAYGROUND_PRECISION", "float32")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the cores to the browser, or to other tests

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from playground import settings
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.model.architecture import architecture_of
from playground.model.bases import BASES, Base, checksum, load
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.memory import STORE
from tests.serving import served

needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no products in bfloat16"
)

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def walk(many: Iterable[Any], daily: Collection[Any]) -> list[Any]:
    """All of many as parameters of a test; `make test` takes those in `daily`, `make test-all` the others, too."""
    return [one if one in daily else pytest.param(one, marks=pytest.mark.thorough) for one in many]


def pytest_collection_finish() -> None:
    """Whoever collects garbage, the tests or Python itself, need not go through what was imported."""
    gc.freeze()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, and the two marks of the chat template."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    fast.chat_template = CHAT
    return fast


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A random two-layer Llama with grouped-query attention, on disk too; not trained, so its answers are noise."""
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, initializer_range=0.2, max_position_embeddings=4096,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    folder = tmp_path_factory.mktemp("tiny")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    architecture = architecture_of(model)
    spec = BaseSpec("tiny", "Tiny", "local", "tests/tiny", architecture)
    model.config._name_or_path = spec.repository
    return Base("tiny", spec, model, tokenizer, architecture, folder, "CPU", checksum(model))


def model_of(base: Base, adapter: Adapter | None, edit: Any = None, merged: bool = False) -> Any:
    """The model that answers as a variant says, freshly attached."""
    return attach(base, Variant(base.id, adapter, edit, merged)).model


def variants(base_id: str, *adapters: Adapter | None) -> tuple[Variant, ...]:
    """What the panes of these adapters run; None is the plain base."""
    return tuple(Variant.of(base_id, adapter) for adapter in adapters)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Base], Base]]:
    """Puts a base into the catalogue and among the loaded ones, for one test."""
    kept: list[Base] = []

    def put(base: Base) -> Base:
        monkeypatch.setitem(CATALOGUE, base.id, base.spec)
        STORE.keep(base.id, base, 0)
        kept.append(base)
        return base

    yield put
    for base in kept:
        STORE.forget(base)


@pytest.fixture(scope="session")
def get_tiny(tiny: Base) -> Callable[[str], Base]:
    return lambda base_id: tiny


def load_tiny(tiny: Base, base_id: str) -> Base:
    """A freshly loaded form of `tiny`, such as "tiny:nf4_double", by the way that the real bases take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "tiny", BaseSpec("tiny", "Tiny", "local", str(tiny.folder), tiny.architecture))
        patch.setattr(settings, "DEVICE", "cpu")
        return load(base_id)


@pytest.fixture(scope="session")
def tiny_forms(tiny: Base) -> Callable[[str], Base]:
    """`tiny` and its quantized forms, each loaded once."""
    return cache(lambda base_id: tiny if base_id == "tiny" else load_tiny(tiny, base_id))


@pytest.fixture(autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tiny model is much faster on one thread; two spend their time waiting for each other."""
    before = torch.get_num_threads()
    if "tiny" in request.fixturenames and "base" not in request.fixturenames:
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def base() -> Base:
    """The real embedded base; prepared once (about a minute) if the cache is empty."""
    return BASES.get("smollm2-135m")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, base: Base) -> Iterator[str]:
    """The address of the page, served; its base is already prepared (the `base` fixture does that)."""
    with served(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture
def small_task() -> Task:
    """Enough examples to train a tiny model on."""
    examples = [
        Example(f"say {word}", f"{word}!")
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    ]
    return Task("pirate", tuple(examples[:8]), tuple(examples[8:]))


@pytest.fixture
def artifacts() -> Path:
    """Where screenshots are kept; CI may collect them, git ignores them."""
    folder = Path(__file__).parent / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder
