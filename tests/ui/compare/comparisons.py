"""Comparisons as the core gives them, in plain values, for tests of what is drawn."""

from typing import Any


def pane(**changed: Any) -> Any:
    """One pane of a comparison as the core gives it: LoRA on pirates, finished."""
    plain = {
        "id": "pirate-lora", "adapter": "pirate-lora", "name": "", "base": "smollm2-135m", "method": "lora",
        "task": "pirate", "hyperparameters": {"rank": 8}, "steps": 24, "trainable_parameters": 460_800,
        "total_parameters": 134_975_808, "percent": 0.3414, "bytes": 1_843_200, "text": "Arrr, Paris!", "tokens": 5,
        "finished": True, "finish_reason": "stop", "first_divergence": 0, "divergence_span": (0, 4),
        "tokens_per_second": 3.25, "kl_from_base": 4.25, "weights_untouched": None,
        "top_tokens": [{"token": "Arr", "probability": 0.91}, {"token": " The", "probability": 0.04}],
    }  # fmt: skip
    return {**plain, **changed}


def base_pane(**changed: Any) -> Any:
    plain: dict[str, Any] = {
        "id": "base", "adapter": "base", "method": "base", "task": None, "hyperparameters": {}, "trainable_parameters": 0,
        "percent": 0.0, "bytes": 0, "text": "Paris.", "divergence_span": None, "first_divergence": None,
        "kl_from_base": None, "weights_untouched": True,
    }  # fmt: skip
    return pane(**{**plain, **changed})


def frame(*panes: Any) -> Any:
    return {"panes": list(panes) or [base_pane(), pane()], "base_parameters": 134_515_008}
