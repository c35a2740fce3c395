"""
From a folder with a transformers model to the model and its tokenizer, or the one sentence that says what is missing.

What config.json tells is asked before any weight is read; afterwards a few tokens show whether the model reads from left to
right and goes on from what it has read, which is what training and comparing rest on. Knows nothing about the catalogue.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.errors import PlaygroundError
from playground.model import libraries
from playground.model.catalogue import BITSANDBYTES
from playground.model.claims import check_claims
from playground.model.modules import linear_layers
from playground.model.tokens import complete, ends_of
from playground.model.weights import is_quantized, view_of

if TYPE_CHECKING:
    import torch

    from playground.model.catalogue import BaseSpec

READ = 5  # tokens that a model is tried with
QUANTIZED_BESIDE = ("quantize_config.json", "quant_config.json")  # of GPTQ and AWQ, before they wrote into config.json


def load_folder(folder: Path, spec: BaseSpec, device: str, form: str | None) -> tuple[Any, Any]:
    """
    The model on its device, frozen, in one of bitsandbytes' forms or in floats, and its tokenizer with an end and a padding
    token. Code that comes with a folder is never run. Raises PlaygroundError for what is no causal language model as this
    page needs it.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    from playground.model import kernels

    dtype, _ = compute_dtype(device, spec)
    options: dict[str, Any] = {"dtype": dtype, "ignore_mismatched_sizes": True, "output_loading_info": True}
    if form in BITSANDBYTES:
        options |= {"quantization_config": _bitsandbytes_config(form, dtype), "device_map": {"": device}}
    own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    options["use_safetensors"] = True  # a pickle can run code when it is opened
    try:
        check_config(folder, spec.name)
        with libraries.IMPORTING:  # transformers imports the modules of a model's family when one is loaded
            loaded: Any = AutoModelForCausalLM.from_pretrained(folder, **options, **own)
            tokenizer = _tokenizer_class(folder).from_pretrained(folder, **own)
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        AttributeError,
        TypeError,
        SafetensorError,
        StrictDataclassError,
    ) as error:
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("base_unreadable", base=spec.id, folder=folder.name, reason=str(error)[:200]) from error
    model, told = loaded
    _check_weights(told, spec.name)
    _check_tokenizer(model, tokenizer, spec.name)
    if form in BITSANDBYTES:
        quantize(model, form, dtype)  # what transformers left in floats
    complete(tokenizer, model, spec.name)
    ends = ends_of(tokenizer, model)
    model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends or None
    model.eval()
    if form not in BITSANDBYTES:
        model.to(device)
    kernels.install(model.modules(), settings.CACHE / "kernels.json")  # where it is computed: they are a CPU's
    _check_reading(model, spec.name)
    model.requires_grad_(False)
    model.name_or_path = model.config._name_or_path = spec.repository  # what PEFT writes into adapter_config.json
    return model, tokenizer


def quantize(model: Any, form: str, dtype: torch.dtype) -> None:
    """Put bitsandbytes' layers where a model has linear ones in floats, as many views may run them."""
    _quantize_rest(model, form, dtype)
    _make_shareable(model)


def _make_shareable(model: Any) -> None:
    """bitsandbytes' layers as many views may run them: none of them writes to its weight."""
    for module in model.modules():
        if hasattr(module, "init_8bit_state"):
            module.init_8bit_state()  # else the first view that runs takes the codes out of the shared weight
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # bitsandbytes #2078: on such CPUs the first evaluation repacks the weight, and reading it later is wrong
            module.support_avx512bf16_for_cpu = False


def _tokenizer_class(folder: Path) -> Any:
    """AutoTokenizer would build that of the model's family, with another splitting, even where the folder names none."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    told = folder / "tokenizer_config.json"
    named = json.loads(told.read_text(encoding="utf-8")).get("tokenizer_class") if told.is_file() else None
    whole = named in ("TokenizersBackend", "PreTrainedTokenizerFast") and (folder / "tokenizer.json").is_file()
    return PreTrainedTokenizerFast if whole else AutoTokenizer


def compute_dtype(device: str, spec: BaseSpec) -> tuple[torch.dtype, str]:
    """
    What a base is computed in, and what the page has to note on it ("" for nothing): float32 on a CPU and for the embedded
    base; on a GPU bfloat16, where it computes in that itself (a T4 does not).
    """
    import torch

    if device != "cuda" or spec.source == "embedded":
        return torch.float32, ""
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16, ""
    return torch.float32, "no_bfloat16"


def _bitsandbytes_config(form: str, dtype: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    logging.getLogger("bitsandbytes.autograd._functions").addFilter(_is_news)
    options = BITSANDBYTES[form]
    return BitsAndBytesConfig(**options, **({"bnb_4bit_compute_dtype": dtype} if "load_in_4bit" in options else {}))


def _is_news(record: logging.LogRecord) -> bool:
    """
    Not that an int8 layer rounds float32 or bfloat16 inputs by way of float16 (Dettmers et al. 2022): bitsandbytes logs
    it at every product, thousands of times for an answer.
    """
    return not str(record.msg).startswith("MatMul8bitLt: inputs will be cast")


def _quantize_rest(model: Any, form: str, dtype: torch.dtype) -> None:
    """Linear layers of a class of their own, such as Falcon's, which transformers leaves in floats: in the form as well."""
    from bitsandbytes.nn import Int8Params, Linear4bit, Linear8bitLt, Params4bit  # type: ignore[attr-defined]

    options = BITSANDBYTES[form]
    double, kind = options.get("bnb_4bit_use_double_quant", False), options.get("bnb_4bit_quant_type")
    for path, layer in linear_layers(model).items():
        if is_quantized(layer.weight):
            continue
        shape, weight = (layer.in_features, layer.out_features), layer.weight.data
        made: Any
        if kind:
            made = Linear4bit(*shape, layer.bias is not None, dtype, double, kind)
            made.weight = Params4bit(weight, False, compress_statistics=double, quant_type=kind, module=made)
        else:
            made = Linear8bitLt(*shape, layer.bias is not None, has_fp16_weights=False, threshold=6.0)
            made.weight = Int8Params(weight, False)
        made.bias = layer.bias
        model.set_submodule(path, made.to(weight.device).requires_grad_(False))


# Before the weights are read


def check_config(folder: Path, name: str) -> None:
    """Raises PlaygroundError for a model that config.json tells to be another kind, and transformers' own errors."""
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    check_claims(written, name)
    quantized = written.get("quantization_config") if isinstance(written, dict) else None
    if quantized or any((folder / beside).is_file() for beside in QUANTIZED_BESIDE):
        method = quantized.get("quant_method") if isinstance(quantized, dict) else None
        raise PlaygroundError("base_quantized", base=name, kind=str(method or "GPTQ / AWQ")[:40])
    kind = written.get("model_type") if isinstance(written, dict) else None
    if isinstance(written, dict) and written.get("auto_map") and kind not in CONFIG_MAPPING:
        raise PlaygroundError("base_own_code", base=name)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if config.is_encoder_decoder:
        raise PlaygroundError("base_encoder_decoder", base=name, kind=config.model_type)
    reads_both_ways = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or reads_both_ways:
        raise PlaygroundError("base_not_causal", base=name, kind=config.model_type)
    if not _keeps_attention(config):
        raise PlaygroundError("base_no_attention_cache", base=name, kind=config.model_type)


def _keeps_attention(config: Any) -> bool:
    """Whether every layer keeps keys and values of what it has read, and nothing else (transformers.DynamicCache)."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    kinds = {type(layer) for layer in DynamicCache(config=config).layers}
    told = getattr(config, "layer_types", None)  # else only the class says it
    model: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    return kinds <= {DynamicLayer, DynamicSlidingWindowLayer} and bool(told or not model._is_stateful)


# What was read


def _check_weights(told: dict[str, Any], name: str) -> None:
    """Raises PlaygroundError if the files lack a weight, or hold it in another shape: it would be random numbers."""
    missing = sorted(told["missing_keys"])
    if missing:
        raise PlaygroundError("base_weights_missing", base=name, weight=missing[0], count=len(missing))
    if told["mismatched_keys"]:
        weight, found, expected = sorted(told["mismatched_keys"])[0]
        raise PlaygroundError("base_weights_shape", base=name, weight=weight, found=tuple(found), expected=tuple(expected))


def _check_tokenizer(model: Any, tokenizer: Any, name: str) -> None:
    """Raises PlaygroundError if the tokenizer knows tokens that the model has no embedding for."""
    rows, last = len(model.get_input_embeddings().weight), max(tokenizer.get_vocab().values(), default=-1)
    if last >= rows:
        raise PlaygroundError("base_tokenizer_too_large", base=name, last=last, rows=rows)


def _check_reading(model: Any, name: str) -> None:
    """
    Raises PlaygroundError unless a model reads READ tokens alike at once, without the last, and with the last one behind
    a cache of the others, padded as it is in the company of longer ones. Of one in few bits only that it runs: int8 takes
    columns of outliers out for all tokens together.
    """
    import torch

    quantized = any(is_quantized(parameter) for parameter in model.parameters())
    if quantized:  # the first evaluation writes to what it is run on
        model = view_of(model)
    kind, ids = model.config.model_type, torch.arange(READ, device=model.device)[None] + 3
    ids %= len(model.get_input_embeddings().weight)
    try:
        with torch.no_grad():
            whole = model(input_ids=ids, use_cache=False).logits
            part = model(input_ids=ids[:, :-1], use_cache=True, logits_to_keep=1)
            if part.logits.shape[1] != 1:
                raise ValueError("logits_to_keep is left out of account")
            layers = getattr(getattr(part, "past_key_values", None), "layers", [])
            attends = bool(layers) and all(one.keys.shape[2] == READ - 1 for one in layers)
            step = _step(model, ids, layers).logits if attends else part.logits
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError, NotImplementedError) as error:
        raise PlaygroundError("base_does_not_run", base=name, reason=str(error)[:200]) from error
    if quantized:
        return
    far = whole.float().abs().amax() * (1e-3 if whole.dtype == torch.float32 else 5e-2)
    if not (whole[:, READ - 2] - part.logits[:, -1]).abs().amax() <= far:
        raise PlaygroundError("base_not_causal", base=name, kind=kind)
    if not attends:
        raise PlaygroundError("base_no_attention_cache", base=name, kind=kind)
    if not (whole[:, -1] - step[:, -1]).abs().amax() <= far:
        raise PlaygroundError("base_counts_positions", base=name, kind=kind)


def _step(model: Any, ids: torch.Tensor, layers: Any) -> Any:
    """The last token, behind what is in the cache and one position that nobody sees."""
    import torch
    from torch.nn.functional import pad
    from transformers import DynamicCache

    cache = DynamicCache([(pad(one.keys, (0, 0, 1, 0)), pad(one.values, (0, 0, 1, 0))) for one in layers])
    position = torch.tensor([[READ - 1]], device=ids.device)
    mask = torch.tensor([[0] + [1] * READ], device=ids.device)
    return model(input_ids=ids[:, -1:], attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True)
