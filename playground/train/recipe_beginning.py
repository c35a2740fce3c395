"""
The part of a recipe that lets LoRA's factors begin in another way than with noise, in plain PEFT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from playground import settings
from playground.adapt.initialization import chosen
from playground.train.batches import BATCH

EVA = """\
parts, inputs = [[]], []
for one in sorted((encode(*row)[0] for row in rows), key=len):
    if parts[-1] and (len(parts[-1]) == SIZE or (len(parts[-1]) + 1) * len(one) > TOKENS):
        parts.append([])
    parts[-1].append(one)
for part in parts:
    ids = [one + [tokenizer.pad_token_id] * (len(part[-1]) - len(one)) for one in part]
    mask = [[1] * len(one) + [0] * (len(part[-1]) - len(one)) for one in part]
    inputs.append({"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)})
initialize_lora_eva_weights(model, inputs)
""".replace("SIZE", str(BATCH)).replace("TOKENS", str(settings.MAX_BATCH_TOKENS))
LOFTQ = """\
whole = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
for path, layer in model.get_base_model().named_modules():
    if hasattr(layer, "lora_A"):
        rounded = dequantize_bnb_weight(layer.get_base_layer().weight).float().cpu()
        u, s, v = torch.linalg.svd(whole.get_submodule(path).weight.detach() - rounded, full_matrices=False)
        roots = (s[: config.r] / layer.scaling["default"]).sqrt()
        layer.lora_A["default"].weight.data.copy_(roots[:, None] * v[: config.r])
        layer.lora_B["default"].weight.data.copy_(u[:, : config.r] * roots)
del whole
"""
KEPT = """\
model.peft_config["default"].init_lora_weights = True
model.save_pretrained("./start")
"""


@dataclass(frozen=True)
class Start:
    """
    What to import from PEFT itself and as lines of their own, arguments of its config (as they are written), code `after`
    it has wrapped the model, and how the adapter is `saved`. `reads`: that code needs the examples.
    """

    imports: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    saved: str = ""
    reads: bool = False


TAKEN = Start(after=KEPT, saved=', path_initial_model_for_weight_conversion="./start"')
STARTS = {
    "orthogonal": Start(arguments={"init_lora_weights": "'orthogonal'"}),
    "pissa": replace(TAKEN, arguments={"init_lora_weights": "'pissa'"}),
    "olora": replace(TAKEN, arguments={"init_lora_weights": "'olora'"}),
    "eva": Start(
        imports=("EvaConfig", "initialize_lora_eva_weights"),
        arguments={"init_lora_weights": "'eva'", "eva_config": "EvaConfig(rho=1.0)"},
        after=EVA,
        reads=True,
    ),
    "loftq": Start(lines=("from peft.utils.integrations import dequantize_bnb_weight",), after=LOFTQ),
}


def start_of(values: Mapping[str, Any]) -> Start:
    """For a method's hyperparameters; nothing for noise."""
    found = STARTS.get(chosen(values), Start())
    asked = (
        {"r": repr(values["rank"]), "lora_alpha": repr(values["alpha"])} if found.saved else {}
    )  # the adapter has both twice
    return replace(found, arguments=asked | dict(found.arguments))
