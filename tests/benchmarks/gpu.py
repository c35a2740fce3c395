"""
On a GPU: eight panes against the base alone and against `generate`, a token of each, and sixteen LoRA runs against one, a
step of each; with a model of SmolLM2-135M's shape and random weights, as no weights can be fetched everywhere.
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model
from torch import nn
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM

from playground.adapt.methods import method
from playground.adapt.tasks import IGNORE
from playground.compare.decoding import Row
from playground.compare.job import Decoding
from playground.compare.pool import Pool
from playground.model.architecture import architecture_of
from playground.model.bases import Base, load
from playground.model.catalogue import BITSANDBYTES, CATALOGUE, BaseSpec
from playground.model.needed import expected_bytes
from playground.model.weights import tensors_of
from playground.train.together import Company, Request
from playground.train.trainable import wrap
from playground.train.training import CLIP
from tests.benchmarks.table import write
from tests.conftest import tiny_tokenizer

TOKENS, ROUNDS = 48, 5
RUNS, STEPS = 16, 12
ATTENTION = ["q_proj", "v_proj"]
CONFIGS: list[Any] = [
    *(LoraConfig(r=rank, target_modules=ATTENTION, init_lora_weights=False) for rank in (4, 8, 8, 16)),
    LoraConfig(r=8, target_modules=ATTENTION, use_dora=True, init_lora_weights=False),
    IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], init_ia3_weights=False),
    PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20, token_dim=576),
]


def study() -> None:
    if not torch.cuda.is_available():
        print("no GPU here: nothing is measured")
        return
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        models = models_of(dtype)
        for name, some in (("base alone", models[:1]), ("8 panes", models)):
            print(f"{str(dtype)[6:]}, {name}: {_profiled(some)}", flush=True)
        spent = {"base alone": models[:1], "8 panes": models, "generate": models[0]}
        found: dict[str, list[float]] = {name: [] for name in spent}
        for _ in range(ROUNDS + 1):
            for name, one in spent.items():
                found[name].append(_generate(one) if name == "generate" else _together(one))
        times = {name: statistics.median(seconds[1:]) for name, seconds in found.items()}
        for name, seconds in times.items():
            rows.append([str(dtype)[6:], name, f"{1000 * seconds:.2f} ms", f"{seconds / times['base alone']:.2f}×"])
    write("gpu", "A token on a GPU", ["in", "", "a token of each row", "against the base alone"], rows)


def trainings() -> None:
    """A step of `RUNS` LoRA runs, forward, backward and optimizer, each with the defaults and a batch of its own."""
    if not torch.cuda.is_available():
        print("no GPU here: nothing is measured")
        return
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        base = base_of(dtype)
        runs = [_run(base, seed) for seed in range(RUNS)]
        company = Company()
        ways = {"one run": (runs[:1], False), f"{RUNS} in turn": (runs, False), f"{RUNS} together": (runs, True)}
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(STEPS):
            for name, (some, together) in ways.items():
                found[name].append(_step(some, company if together else None))
        assert all(company._members[run.model] for run, _ in runs), "somebody was not joined"
        times = {name: statistics.median(seconds[2:]) for name, seconds in found.items()}
        for name, seconds in times.items():
            rows.append([str(dtype)[6:], name, f"{1000 * seconds:.1f} ms", f"{seconds / times['one run']:.2f}×"])
    write("gpu_training", "A step of LoRA runs on a GPU", ["in", "", "a step of each run", "against one run"], rows)


def loading() -> None:
    """What each form of the base holds on a GPU, as predicted before anything is loaded and as the allocator has it."""
    if not torch.cuda.is_available():
        print("no GPU here: nothing is measured")
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = models_of(torch.float32, [])[0]
        model.save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
        spec = BaseSpec("random", "Random", "local", folder, architecture_of(model))
        del model
        CATALOGUE[spec.id] = spec
        for form in (None, *BITSANDBYTES):
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before, begin = torch.cuda.memory_allocated(), time.perf_counter()
            base = load(f"{spec.id}:{form}" if form else spec.id)
            torch.cuda.synchronize()
            seconds, held = time.perf_counter() - begin, torch.cuda.memory_allocated() - before
            peak, predicted = torch.cuda.max_memory_allocated() - before, expected_bytes(spec, form)
            sizes = [f"{size / 1e6:.1f} MB" for size in (predicted, held, peak)]
            rows.append([form or base.dtype, *sizes, f"{held / predicted:.3f}", f"{seconds:.1f} s"])
            del base
    head = ["form", "predicted", "held", "at most while loading", "held / predicted", "seconds"]
    write("gpu_loading", "A base of SmolLM2-135M's shape on a GPU", head, rows, "The first row includes CUDA's own start.")


def _run(base: Base, seed: int) -> tuple[Request, torch.optim.Optimizer]:
    """A LoRA run: four examples of about as many tokens as the pirate's, one opening in common."""
    chosen = method("lora")
    torch.manual_seed(seed)
    model, _ = wrap(base, chosen, chosen.complete({}))
    draw = random.Random(seed)
    batch = []
    for _ in range(4):
        asked, told = ([draw.randrange(1000) for _ in range(draw.randint(15, 21))] for _ in range(2))
        batch.append(([*range(30), *asked, *told], [IGNORE] * (30 + len(asked)) + told))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    request = Request(base, model, parameters, batch, 1.0, seed)
    return request, torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)


def _step(runs: Sequence[tuple[Request, torch.optim.Optimizer]], company: Company | None) -> float:
    """Seconds until all have taken a step."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    asked = [dataclasses.replace(request, loss=None) for request, _ in runs]
    for request in asked:
        if company:
            company.ask(request)
        else:
            request.alone()
    if company:
        company.step()
    for request, optimizer in zip(asked, (one for _, one in runs), strict=True):
        request.result()
        nn.utils.clip_grad_norm_(request.parameters, CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def base_of(dtype: torch.dtype) -> Base:
    """The model as a base that a run may be on."""
    model = models_of(dtype, [])[0]
    spec = BaseSpec("random", "Random", "local", "tests/random", None)
    model.config._name_or_path = spec.repository
    return Base("random", spec, model, tiny_tokenizer(), architecture_of(model), Path("nowhere"), "GPU", "")


def models_of(dtype: torch.dtype, configs: Sequence[Any] = CONFIGS) -> list[Any]:
    """The base and its adapters (four LoRA, a DoRA, an IA3 and a soft prompt), over one set of weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True, max_position_embeddings=8192,
    )  # fmt: skip
    base: Any = LlamaForCausalLM(config).to("cuda", dtype).eval().requires_grad_(False)
    shared = {id(tensor): tensor for tensor in tensors_of(base)}
    views = [copy.deepcopy(base, dict(shared)) for _ in configs]
    adapted: list[Any] = [get_peft_model(view, one) for view, one in zip(views, configs, strict=True)]
    return [base, *(model.to("cuda", dtype).eval().requires_grad_(False) for model in adapted)]


def _writing(models: list[Any]) -> Pool:
    """A pool in which each of the models has written a few tokens."""
    rows = [Row(model, tiny_tokenizer(), list(range(40)), Decoding(TOKENS + 8)) for model in models]
    for row in rows:
        row._ends = set()
        row.prefill()
    pool = Pool()
    pool.join(rows)
    for _ in range(4):
        pool.step()
    return pool


def _together(models: list[Any]) -> float:
    """Seconds of a step of the pool."""
    pool = _writing(models)
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(TOKENS):
        pool.step()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / TOKENS


def _profiled(models: list[Any]) -> str:
    """What a step of the pool does on the GPU: how many kernels and copies, for how long, and which are the most."""
    pool, steps = _writing(models), 4
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        for _ in range(steps):
            pool.step()
        torch.cuda.synchronize()
    done = [event for event in seen.events() if event.device_type.name == "CUDA"]
    counts = Counter(event.name[:90] for event in done).most_common(24)
    busy = sum(event.time_range.elapsed_us() for event in done) / steps / 1000
    names = "".join(f"\n{count / steps:8.1f}  {name}" for name, count in counts)
    return f"{len(done) / steps:.0f} kernels and copies a token, {busy:.2f} ms of them{names}"


def _generate(model: Any) -> float:
    """Seconds of a token of transformers' own."""
    ids = torch.arange(40, device="cuda")[None]
    options: dict[str, Any] = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    seconds = []
    for count in (4, 4 + TOKENS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, **options
        )
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return (seconds[1] - seconds[0]) / TOKENS
