"""
The figures of the lessons that set methods beside each other: soft prompts by size, IA3 against a long prompt, LoRA against
full fine-tuning.

Published, with their sources beside them, or recorded.
"""

from __future__ import annotations

from statistics import fmean

from playground.learn.figures import Bar, Figure, Figures
from playground.learn.recorded import recorded_run
from playground.train.standings import FILE, SEEDS, comparable, read, standings

PETA = 1e15
# Liu et al. 2022, table 1, in FLOPs: T-Few (IA3 on T0-11B) trained once and answering once; GPT-3 175B answering once
# with 41.8 shots in its prompt on average
T_FEW_TRAINING, T_FEW_ANSWER, GPT_3_ANSWER = 2.7e16, 1.1e12, 1.4e15
T_FEW_ACCURACY, GPT_3_ACCURACY = 72.4, 66.6  # percent, held-out tasks of T0
# Hu et al. 2021, table 4: GPT-3's accuracy on MNLI-m by method, and the millions of parameters that each one trains
MNLI = {
    "full_fine_tuning": (175_255.8, 89.5),
    "biases": (14.2, 91.0),
    "prompt_tuning": (3.2, 88.6),
    "adapters": (7.1, 89.8),
    "lora": (4.7, 91.7),
}
# Liu et al. 2022: accuracy of T0-3B on COPA, HellaSwag, StoryCloze and Winogrande
T0_3B = {
    "full": (81.0, 46.4, 93.8, 56.5),
    "ia3": (87.0, 49.4, 94.7, 59.8),
    "ten": (67.0, 29.9, 84.2, 51.9),
    "hundred": (60.0, 26.8, 74.0, 51.1),
}
COLOURS = {
    "biases": "base", "adapters": "base", "full": "full_fine_tuning", "ten": "prompt_tuning", "hundred": "prompt_tuning",
}  # fmt: skip


def size() -> Figures:
    """Soft prompts of 10 and of 100 tokens on a model of 3B; held-out losses of this project's pirates."""
    means = {name: fmean(scores) for name, scores in T0_3B.items()}
    bars = tuple(Bar(name, Figure(mean, "%", 1), COLOURS.get(name, name)) for name, mean in means.items())
    prompt, lora = (recorded_run(f"pirate-{method}").looks for method in ("prompt_tuning", "lora"))
    ends = {"before": lora[0], "prompt": prompt[-1], "lora": lora[-1]}
    more = {name: Figure(look.held_out, "", 2) for name, look in ends.items()}
    return Figures(means["hundred"], bars, more, origin="published")


def long_prompt() -> Figures:
    """After how many answers T-Few's training has cost less than GPT-3's long prompts."""
    even = T_FEW_TRAINING / (GPT_3_ANSWER - T_FEW_ANSWER)
    bars = (
        Bar("training", Figure(T_FEW_TRAINING / PETA, "PFLOP", 1), "ia3"),
        Bar("few_shot", Figure(GPT_3_ANSWER / PETA, "PFLOP", 1), "few_shot"),
        Bar("ia3", Figure(T_FEW_ANSWER / PETA, "PFLOP", 4), "ia3"),
    )
    more = {
        "even": Figure(even),
        "times": Figure(round(GPT_3_ANSWER / T_FEW_ANSWER, -1)),
        "accuracy": Figure(T_FEW_ACCURACY, "%", 1),
        "gpt_3": Figure(GPT_3_ACCURACY, "%", 1),
    }
    return Figures(even, bars, more, origin="published")


def as_good() -> Figures:
    """GPT-3 on MNLI, adapted in five ways; two of them on this project's model, too."""
    bars = tuple(Bar(name, Figure(score, "%", 1), COLOURS.get(name, name)) for name, (_, score) in MNLI.items())
    trained, full = MNLI["lora"][0], MNLI["full_fine_tuning"][0]
    more = {"trained": Figure(trained, "", 1), "full": Figure(full, "", 1), "percent": Figure(100 * trained / full, "%", 4)}
    return Figures(MNLI["lora"][1], bars, more | _measured(), origin="published")


def _measured() -> dict[str, Figure]:
    """From the leaderboard: mean scores over all seeds and the tasks on which both were measured, and how many these are."""
    rows = read(FILE)
    found = [{one.method: one.score.mean for one in standings(rows, task)} for task in comparable(rows)]
    both = [one for one in found if {"lora", "full_fine_tuning"} <= set(one)]
    here = {f"here_{name}": Figure(100 * fmean(one[name] for one in both), "%") for name in ("lora", "full_fine_tuning")}
    return here | {"here_seeds": Figure(len(SEEDS)), "here_tasks": Figure(len(both))}
