"""
The named endpoint that mixes adapters.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground import locales
from playground.actions.mixing import interference, interference_json, mix_name, mix_of, start_mix
from playground.actions.work import check_ended, own_place
from playground.bounds import finite
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import changes, gone


def mix(
    adapters: list[Any],
    weights: list[Any],
    request: gr.Request,
    rule: str = "cat",
    rank: int = 8,
    density: float = 0.5,
    majority_sign: str = "total",
    seed: int = 0,
) -> dict[str, Any]:
    """
    Mix two to four LoRA adapters into one more adapter of this session, which every other endpoint takes by its id; how far
    its updates lie from the weighted sum, as a share of that; and the overlap of every pair in every module.

    Args:
        adapters: adapter ids, or "id@step" for checkpoints, of one base, with the same modules
        weights: one from -1 to 2 for each
        rule: "cat" (the exact sum), "orthogonal", or another combination_type of PEFT's add_weighted_adapter
        rank: how many directions the SVD keeps, for rules that have one
        density: the share of the numbers that is kept, for TIES, DARE and magnitude pruning
        majority_sign: "total" or "frequency", for TIES
        seed: of what DARE drops

    Returns:
        {adapter, mix, distance, interference: [{module, pair, cosine, rows, columns, rows_by_chance,
            columns_by_chance, …}]}: the new adapter as in /adapters; distance is null where the sum is nothing

    Raises:
        fewer than two adapters or more than four, of different bases or modules, no LoRA, a weight or value outside
            its range
    """
    key, values = key_of(request), {"rank": rank, "density": density, "majority_sign": majority_sign, "seed": seed}
    asked = mix_of(key, adapters, weights, rule=rule, **values)
    with own_place(key) as place:
        run = start_mix(key, asked, mix_name(asked, locales.DEFAULT), place)
        for _ in changes(run):
            pass
        if gone():
            return {}
        check_ended(run)
        made = run.events[-1]
    found = interference_json(interference(key, adapters))
    return {
        "adapter": made.adapter.summary(),
        "mix": made.adapter.record.mix,
        "distance": finite(made.distance),
        "interference": found,
    }


ENDPOINTS: dict[str, Callable[..., Any]] = {"mix": mix}
