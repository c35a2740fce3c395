"""Words: both languages say the same, the code asks only for words that exist, and numbers are written as they should."""

import ast
import json
import pickle
import re
import string
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import gradio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import playground
from playground import locales
from playground.actions.compare import recorded
from playground.actions.runs import REFERENCES
from playground.adapt import scorers, tasks
from playground.adapt.methods import FRONT, LEFT_OUT, METHODS, MORE
from playground.bounds import RATES
from playground.compare.job import DECODING
from playground.compare.many import TIMES
from playground.data.delimited import CUTS
from playground.data.sheet import REASONS, UNITS
from playground.errors import PlaygroundError
from playground.export.card import FIGURES
from playground.export.gpu_jobs import STAGES
from playground.formats.accumulators import OPERANDS, OVERFLOWS
from playground.formats.format import GRANULARITIES
from playground.formats.registry import FORMATS
from playground.learn.families import FAMILIES
from playground.learn.figures import ORIGINS
from playground.learn.lessons import lesson
from playground.learn.mixed_precision import WAYS
from playground.learn.notebooks import NOTEBOOKS
from playground.learn.products import KINDS
from playground.learn.route import LESSONS, ROUTE
from playground.learn.writing import FORMS as WRITERS
from playground.locales import choose, counted, number, percent, scientific, seconds, significant, size, text, words, written
from playground.lowrank.mix import MAJORITY_SIGN, RULES
from playground.lowrank.toy import TARGETS as TOYS
from playground.model.pruning import KINDS as PRUNINGS
from playground.plots.quantize import ladder as ladder_plots
from playground.plots.quantize.stored import PARTS
from playground.plots.quantize.tensor import COLUMNS as TENSOR_COLUMNS
from playground.plots.quantize.wholemodel import COLUMNS
from playground.prune.healed import WHO
from playground.quantize.kvcache import WAYS as CACHE_WAYS
from playground.quantize.ladder import RUNGS
from playground.quantize.tensor import STOPS
from playground.ui.kit.links import HOLDING, SECTIONS
from playground.ui.learn.sheets_html import KINDS as SHEETS
from playground.ui.lowrank import initialization_html
from playground.ui.lowrank.mixing_controls import MEASURES, WEIGHTS
from playground.ui.lowrank.overlap import SIDES
from playground.ui.prune import healing_html, pruning_html
from playground.ui.quantize.bits_html import RECORD
from playground.ui.quantize.speed_html import NATIVE
from playground.ui.quantize.tensor_controls import ELSEWHERE, SOURCES
from playground.ui.train import leaderboard_html, own_choices
from playground.ui.train.home import OFFERED

LAW = settings(deadline=None, derandomize=True, database=None)
LANGUAGES = tuple(locales.LANGUAGES)
ROOT = Path(playground.__file__).parent


def placeholders(sentence: Any) -> Any:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


# The files


def test_every_file_is_a_language_that_can_be_chosen() -> None:
    assert {path.stem for path in (ROOT / "locales").glob("*.json")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys(language: Any) -> None:
    assert set(words(language)) == set(words("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_is_written_twice(language: Any) -> None:
    pairs = json.loads((ROOT / "locales" / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fills_in_the_same_values(language: Any) -> None:
    different = {key for key in words("en") if placeholders(words("en")[key]) != placeholders(words(language)[key])}
    assert different == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_says_something(language: Any) -> None:
    assert [key for key, sentence in words(language).items() if not sentence.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_are_filled_in_by_name_and_plainly(language: Any) -> None:
    """No {0}, no {name!r}, no {name:d}: a translator moves them around, and numbers come written already."""
    parsed = [field for sentence in words(language).values() for field in string.Formatter().parse(sentence)]
    assert all(name is None or (name.isidentifier() and not form and not how) for _, name, form, how in parsed)


SAME_IN_BOTH = {
    "setting.off",
    "gpu.flavor", "home.kind.python", "home.kind.notebook", "home.kind.gguf", "home.code", "home.ready", "saving.json",
    "pruning.rule.l1", "pruning.rule.wanda", "prune.column.speed", "decoding.top",
    "header.title",  # the name
    *(f"methods.{one}.name" for one in MORE if one not in ("last_layers", "trainable_tokens")),  # names
    "methods.prompt_tuning.name", "methods.lora.name", "methods.ia3.name", "methods.qlora.name", "methods.few_shot.name",
    "score.reference.few_shot", "section.qlora",
    "mix.rule.ties", "mix.rule.dare_linear",  # names of rules
    *(f"mix.short.{name}" for name in ("svd", "ties", "dare_linear", "dare_ties")),
    "pane.lora_plus",
    "hyperparameters.dora", "pane.dora", "hyperparameters.dropout", "decoding.top_p", "tasks.json.name",  # terms of art
    "pane.tokens_one", "pane.tokens", "pane.speed",  # "token" is the Spanish word too
    "tokens.below", "module.delta",  # signs
    *(f"formats.{name}" for name in FORMATS if words("en")[f"formats.{name}"] == name.replace("_", " ") != "ternary"),
    *(f"formats.{name}" for name in FORMATS if words("en")[f"formats.{name}"] == name.upper()),
    "formats.nf4", "formats.fp4", "tensor.source.normal", "tensor.source.laplace",
    "wholemodel.how.real", "wholemodel.column.sqnr", "wholemodel.column.bits", "wholemodel.column.kl", "tensor.sqnr",
    "tensor.mae", "tensor.rmse", "tensor.elsewhere.embedding",  # terms of art
    "tensor.errors.axis", "tensor.stop.tensor",  # the Spanish word too
    "tensor.worth.one",  # numbers
    "rung.hqq", "rung.awq", "rung.smoothquant", "rung.gptq", "rung.gptq_act_order",
    "ladder.bits", "ladder.column.bits", "rungs.column.bits",
    "rungs.column.kl", "kvcache.column.kl",  # names and terms of art
    "calibration.head.rmse", "calibration.head.sqnr",
    "learn.group.prompt_tuning", "learn.group.lora",  # terms of art
    "timing.kind.float32", "timing.kind.bfloat16", "timing.kind.float16", "timing.head.rate", "mixed.float32",  # names
    "own.prompt", "own.use.prompt",  # a field of every file, too
    "speed.written.rate", "speed.form.float32", "speed.form.bfloat16", "speed.form.int8_vectorwise",
    "speed.form.nf4", "speed.head.rate", "speed.kind.int8_read_back", "speed.kind.nf4",
    *(f"speed.kind.{name}" for name in ("float32", "bfloat16", "float16", "int8")),  # names
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_about_none_or_one_is_one_of_its_own(language: Any) -> None:
    forms = [key for key in words(language) if key.endswith((".one", ".none"))]
    several = {key: words(language).get(key.rpartition(".")[0]) for key in forms}
    assert len(forms) > 20
    assert [key for key in forms if words(language)[key] == several[key]] == []


def test_none_is_said_in_words_where_there_are_words_for_it() -> None:
    largest = {"names": "x", "largest": "3", "modules": "210"}
    assert "Ninguno de los 210 módulos" in counted("es", "calibration.said.network", 0, **largest)
    assert "es el único" in counted("es", "calibration.said.network", 1, **largest)
    assert "81 leen" in counted("es", "calibration.said.network", 81, **largest)
    assert counted("en", "own.steps", 0) == "0 steps"


def test_names_in_a_row_end_with_and_as_each_language_has_it() -> None:
    assert [locales.listed("es", names) for names in (["A"], ["A", "B"], ["A", "B", "C"], ["NF4", "int8"])] == [
        "A", "A y B", "A, B y C", "NF4 e int8",
    ]  # fmt: skip
    assert locales.listed("en", ["NF4", "int4", "int8"]) == "NF4, int4 and int8"


def test_a_spanish_sentence_is_not_the_english_one() -> None:
    assert {key for key in words("en") if words("en")[key] == words("es")[key]} == SAME_IN_BOTH


# What the code asks for: keys are literals, or patterns that the registries fill

PARAMETERS = {parameter.name: parameter for one in METHODS.values() for parameter in one.hyperparameters}
CHOICES = [
    (one.name, choice)
    for way in METHODS.values()
    for one in way.hyperparameters
    for choice in one.choices
    if isinstance(choice, str)
]
ROOMS = ("tokens", "samples", "prepared", "inside")
FACTS = (
    "relative",
    "effective",
    "energy_rank",
    "noise_rank",
    "kept",
    "within",
    "within_own",
    "within_random",
    "amplification",
)
EXPANSIONS: dict[str, Iterable[Any]] = {
    "tabs.{}": list(SECTIONS),
    "section.{}": [name for names in SECTIONS.values() for name in names],
    "anatomy.{}.help": ["scale", "zero_point"],
    "methods.{}.name": ["base", *METHODS],
    "methods.{}.family": list(FRONT),
    "methods.{}.sentence": list(METHODS),
    "methods.left_out.{}": list(LEFT_OUT),
    "tasks.{}.name": [*tasks.TASK_IDS, tasks.OWN],
    "tasks.{}.title": [*tasks.TASK_IDS, tasks.OWN],
    "compare.try.{}": list(recorded()),
    "decoding.{}": [bound.name for bound in (*DECODING, TIMES)],
    "decoding.{}.help": [bound.name for bound in (*DECODING, TIMES)],
    "hyperparameters.{}": list(PARAMETERS),
    "header.{}": ["preparing", "loading"],
    "status.{}": ["idle", "preparing", "stopped", "diverged", "failed"],
    "qlora.pane.{}": ["merged", "on_nf4", "adapter_merged"],
    "race.{}": ["running", "answering", "finished", "stopped"],
    "race.column.{}": ["racer", "parameters", "loss", "score", "seconds", "adapter"],
    "race.rule.{}": list(tasks.RULES),
    "methods.can.{}": ["merges", "mixes", "quantized"],
    "train.some.{}": ["train", "held_out"],
    "own.use.{}": own_choices.COLUMNS,
    "own.cut.{}": list(CUTS.values()),
    "own.first.{}": ["yes", "no"],
    "own.scorer.{}": ["none", *scorers.OWN],
    "own.scored.{}": ["none", *scorers.OWN],
    "own.out.{}": REASONS,
    "own.{}": UNITS,
    "tasks.{}.about": ["facts"],
    "tasks.{}.recipe": list(tasks.RECOMMENDED),
    "score.{}": ["running", "stopped", "failed"],
    "score.forgetting.{}": ["rose", "fell", "noise"],
    "score.moved.{}": ["differs", "noise"],
    "repair.neutral.{}": ["differs", "noise"],
    "repair.score.{}": ["differs", "noise"],
    "repair.column.{}": ["who", "score", "loss", "neutral"],
    "repair.who.{}": ["base", "whole", "repaired"],
    "convert.neutral.{}": ["differs", "noise"],
    "mix.spread.{}": ["differs", "noise"],
    "convert.who.{}": ["base", "whole", "lora"],
    "repair.{}": ["threshold_epsilon", "top_k", "mitigation_lambda"],
    "repair.{}.help": ["threshold_epsilon", "top_k", "mitigation_lambda"],
    "mix.{}": [*WEIGHTS, "weight", "rule", "rank", "density", "majority_sign", "seed"],
    "mix.{}.help": ["rank", "density"],
    "mix.how.{}": ["linear", "switching", "stacking", "orthogonal"],
    "mix.majority_sign.{}": MAJORITY_SIGN.choices,
    "mix.on.{}": ["updates", "factors"],
    "mix.on.{}.help": ["updates", "factors"],
    "mix.rule.{}": {one.family for one in RULES.values()},
    "mix.rule.{}.help": {one.family for one in RULES.values()},
    "mix.short.{}": {one.family for one in RULES.values()},
    "mix.show.{}": MEASURES,
    "score.column.{}": ["variant", "loss", "score", "right"],
    "score.reference.{}": REFERENCES,
    "initialization.{}": ["random", "orthogonal", "better", "worse"],
    "initialization.verdict.{}": initialization_html.OUTCOMES,
    "runs.{}": ["stopped", "diverged"],
    "runs.column.{}": ["run", "parameters", "steps", "seed", "loss", "score", "right", "forgetting", "seconds"],
    "board.column.{}": leaderboard_html.COLUMNS,
    "board.cheapest.{}": leaderboard_html.UNTRAINED,
    "board.note.{}": leaderboard_html.NOTES,
    "hyperparameters.{}.{}": CHOICES,
    "samples.{}": ["question", "first", "start", "now"],
    "loss.{}": ["training", "held_out"],
    "count.{}": ["few_shot", "full_fine_tuning", "rest", "beside"],
    "home.kind.{}": OFFERED,
    "card.{}": FIGURES,
    "gpu.stage.{}": STAGES,
    "{}.jsonl": [],
    "{}.gguf": [],  # names of files
    "{}.title": ROOMS,
    "{}.empty": ROOMS,
    "hyperparameters.{}.help": PARAMETERS,
    "hyperparameters.{}.help.{}": [],  # only where there is one: see OPTIONAL
    "error.{}": [],  # the keys of PlaygroundError
    "lab.{}": ["finished", "stopped"],  # a failed one says its error
    "toy.kind.{}": list(TOYS),
    "toy.about.{}": list(TOYS),
    "edits.{}": ["first", "last"],
    "edits.left.{}": ["rank", "strength", "layers", "only", "nothing", "everything"],
    "edits.sweep.{}": ["rank", "strength", "layers", "kinds"],
    "lowrank.effects.{}": ["edit", "loss", "kl"],
    "lowrank.directions.{}": ["direction", "length"],
    "overlap.side.{}": SIDES,
    "module.{}": [*FACTS, "scaled", "trained"],
    "module.{}.help": FACTS,
    "formats.{}": list(FORMATS),
    "pruning.kind.{}": list(PRUNINGS),
    "prune.column.{}": pruning_html.COLUMNS,
    "prune.drawn.{}": ["parts", "share"],
    "prune.said.{}.{}": [(kept, how) for kept in ("smaller", "zeros") for how in ("held", "ruined")],
    "healing.column.{}": healing_html.COLUMNS,
    "healing.said.{}": ["back", "further"],
    "healing.who.{}": WHO,
    "pruning.rule.{}": [rule for kind in PRUNINGS.values() for rule in kind.rules],
    "computes.{}": [one.runs for one in FORMATS.values()],
    "anatomy.{}": ["sign", "exponent", "mantissa", "code", "scale", "zero_point"],
    "anatomy.formats.{}": list(RECORD),
    "accumulators.{}": ["a", "b"],
    "accumulators.overflow.{}": OVERFLOWS,
    "accumulators.kind.{}": OPERANDS,
    "accumulators.table.{}": ["pair", "sum", "exact", "error", "overflow", "lost", "stall"],
    "accumulators.hardware.{}": ["device", "instruction", "operand", "accumulator", "source"],
    "tensor.source.{}": SOURCES,
    "tensor.elsewhere.{}": ELSEWHERE,
    "tensor.stored.{}": ["q8_0", "float"],
    "tensor.stop.{}": [stop for stop in STOPS if isinstance(stop, str)],
    "tensor.grid.{}": ["none", *GRANULARITIES],
    "tensor.shared.{}": ["none", *GRANULARITIES],
    "tensor.{}": ["outliers", "size", *TENSOR_COLUMNS],
    "wholemodel.scales.{}": GRANULARITIES,
    "rung.{}": list(RUNGS),
    "ladder.column.{}": ["rung", *ladder_plots.COLUMNS],
    "rungs.column.{}": ladder_plots.RUNG_COLUMNS,
    "kvcache.column.{}": ladder_plots.CACHE_COLUMNS,
    "kvcache.kept.{}.{}": [(keys, values) for keys in CACHE_WAYS for values in CACHE_WAYS],
    "blocks.part.{}": [name for parts in PARTS.values() for name, _ in parts],
    "wholemodel.column.{}": COLUMNS,
    "wholemodel.column.{}.help": COLUMNS,
    "wholemodel.how.{}": ["loaded", "real", "simulated"],
    "where.{}": ["ray", "zero"],
    "where.{}.why": ["thread", "ray", "zero"],
    "learn.group.{}": list(ROUTE),
    "learn.origin.{}": ORIGINS,
    "learn.family.{}": FAMILIES,
    "breakeven.{}": ["requests", "examples", "steps", "counts", "rule", "left_out"],
    "timing.head.{}": ["time", "rate", "moved", "ratio"],
    "timing.kind.{}": KINDS,
    "timing.why.{}": ["converted", "own"],
    "speed.kind.{}": KINDS,
    "speed.form.{}": WRITERS,
    "speed.written.{}": ["rate", "middle", "bytes"],
    "speed.bound.{}": ["memory", "arithmetic"],
    "speed.head.{}": ["time", "rate", "moved", "intensity", "native"],
    "speed.native.{}": NATIVE.values(),
    "speed.energy.{}": ["arithmetic", "reading", "total"],
    "mixed.{}": WAYS,
    "mixed.head.{}": ["loss", "zeros", "largest", "skipped"],
    "mixed.way.{}": ["mixed", "scaled", "pure", "zeros"],
    "notebook.head.{}": ["stored", "counted", "on_this", "steps", "stored_loss", "here_loss", "last"],
    "notebook.run.{}": NOTEBOOKS,
    "learn.teacher.print.{}": SHEETS,
    "learn.locks.how.{}": HOLDING,
    "learn.open.{}": {lesson(one, "en").link["tab"] for one in LESSONS},
}
OPTIONAL = {
    f"hyperparameters.{parameter.name}.help.{one.id}" for one in METHODS.values() for parameter in one.hyperparameters
}
OPTIONAL |= {f"{key}.{form}" for key in words("en") for form in ("one", "none")}  # of `key`: locales.counted
OPTIONAL |= {f"error.kind.{kind.__name__}" for kind in (int, float, str, bool)}  # errors.LABELS
OPTIONAL |= {f"prune.{one}" for one in ("kind", "share", "rule", "soft")}  # errors.LABELS
OPTIONAL |= {"list.and", "list.and.vowel", "lab.threads", "lab.cores"}  # locales.listed, locales.machine
OPTIONAL |= {f"error.cut.{one}" for one in ("any", *CUTS.values())}
OPTIONAL |= {f"error.unit.{one}" for one in UNITS}
OPTIONAL |= {"error.reason.no_zip", "error.reason.damaged"}  # what an upload's reason may be


def expanded() -> Any:
    """Every key that a pattern can become."""
    filled = [(pattern, one if isinstance(one, tuple) else (one,)) for pattern, all_ in EXPANSIONS.items() for one in all_]
    return {pattern.format(*one) for pattern, one in filled}


@cache
def trees() -> Any:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def speaks(tree: Any) -> Any:
    """Whether a module takes words from the locale files."""
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names}
    return "playground.locales" in modules or bool(names & {"locales", "html", "words", "Wording"})


@cache
def speaking() -> Any:
    return [tree for tree in trees().values() if speaks(tree)]


def pattern_of(node: Any) -> Any:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def calls(tree: Any, *names: Any) -> Any:
    """Calls of a function by its last name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in names:
                yield node


@cache
def literals() -> Any:
    """Every string in a speaking module that looks like a key: its first part is one of the locale files' rooms."""
    rooms = {key.partition(".")[0] for key in words("en")}
    strings = {
        node.value
        for tree in speaking()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {one for one in strings if re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", one) and one.partition(".")[0] in rooms}


def patterns() -> Any:
    found = {pattern_of(node) for tree in speaking() for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    return {one for one in found if re.fullmatch(r"([a-z_]+|\{\})(\.([a-z0-9_]+|\{\}))+", one)}


def possible(node: Any, tree: Any) -> Any:
    """The strings that an expression can be: a literal, either side of an `if`, or what a name was given."""
    if isinstance(node, ast.Name):
        given_ = [
            one.value for one in ast.walk(tree) if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == node.id
        ]
        return [key for value in given_ for key in possible(value, tree)]
    if isinstance(node, ast.IfExp):
        return possible(node.body, tree) + possible(node.orelse, tree)
    return [node.value] if isinstance(node, ast.Constant) else []


@cache
def raised() -> Any:
    """(key, names of values) of every PlaygroundError in the code."""
    found = [(call, tree) for tree in trees().values() for call in calls(tree, "PlaygroundError") if call.args]
    return [(key, {one.arg for one in call.keywords}) for call, tree in found for key in possible(call.args[0], tree)]


def test_every_key_that_the_code_names_exists() -> None:
    assert literals() - {"recipe.py", "recipe.ipynb", "train.py", "saving.js"} - set(words("en")) == set()  # those are files


def test_every_pattern_of_keys_has_its_fillings_in_this_test() -> None:
    """A new f-string that makes keys needs a line in EXPANSIONS; one that is gone leaves it."""
    assert patterns() == set(EXPANSIONS)


def test_every_key_that_a_pattern_makes_exists() -> None:
    assert expanded() - set(words("en")) == set()


def test_a_key_is_given_to_the_functions_that_speak_not_a_sentence() -> None:
    """`text`, `words`, `note`, `lead` and `heading` take a key: a literal one must exist, whatever it looks like."""
    given_ = [
        argument.value
        for tree in speaking()
        for call in calls(tree, "text", "words", "note", "lead", "heading")
        for argument in call.args[1:2]
        if isinstance(argument, ast.Constant)
    ]
    assert len(given_) > 40
    assert set(given_) - set(words("en")) == set()


def said_keys() -> Any:
    """The literal values of the dictionaries that Wording.make is given."""
    for tree in speaking():
        for call in calls(tree, "make"):
            if len(call.args) > 1 and isinstance(call.args[1], ast.Dict):
                yield from (value.value for value in call.args[1].values if isinstance(value, ast.Constant))


def test_every_component_is_given_keys() -> None:
    found = list(said_keys())
    assert len(found) > 20
    assert set(found) - set(words("en")) == set()


def test_every_sentence_gets_exactly_the_values_that_it_needs() -> None:
    wrong = {}
    for tree in speaking():
        for call in calls(tree, "text", "words", "note"):
            key = call.args[1].value if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else None
            names = {keyword.arg for keyword in call.keywords}
            if key in words("en") and None not in names and names != placeholders(words("en")[key]):
                wrong[key] = names
    assert wrong == {}


def test_every_error_has_its_sentence_and_the_values_for_it() -> None:
    assert len(raised()) > 30
    for key, names in raised():
        assert f"error.{key}" in words("en")
        assert placeholders(words("en")[f"error.{key}"]) <= names, key


def test_no_sentence_is_unused() -> None:
    errors = {f"error.{key}" for key, _ in raised()}
    assert set(words("en")) - literals() - expanded() - OPTIONAL - errors - gradios() == set()


# Gradio's own words


def gradios() -> Any:
    """Its sentences as its language files name them, and what it says in English in every language."""
    return {key for key in words("en") if key.startswith("gradio.")}


def test_gradio_still_says_what_is_said_in_its_place() -> None:
    """The English column is its own text: an update that changes it would leave the Spanish one unused."""
    folder = Path(gradio.__file__).parent
    scripts = [*folder.glob("templates/frontend/assets/*.js"), folder / "queueing.py", folder / "route_utils.py"]
    shipped = "".join(path.read_text(encoding="utf-8", errors="replace") for path in scripts)
    pieces = {key: re.split(r"\{\w+\}|s?: | \(", words("en")[key]) for key in gradios()}
    assert len(pieces) > 50
    assert {key for key, parts in pieces.items() if any(part not in shipped for part in parts)} == set()


# No words of a visitor's outside the locale files

SHOWN = ("label", "info", "placeholder", "value", "title", "description", "headers", "choices")
DATA_COLUMNS = {"prompt", "response"}  # the names that a visitor's own file has too
NO_PAGE = {"endpoints.py", "theme.py"}  # documentation of endpoints, and the style sheet's script


def on_the_page() -> Any:
    return {
        str(path.relative_to(ROOT)): tree
        for path, tree in trees().items()
        if path.relative_to(ROOT).parts[0] in ("ui", "plots") and path.name not in NO_PAGE
    }


def hidden(call: Any) -> Any:
    return any(one.arg == "visible" and getattr(one.value, "value", None) is False for one in call.keywords)


def shown_literals(call: Any) -> Any:
    """The strings that a component would show as they are: positional ones, and those of the properties that show words."""
    own = [*call.args, *(one.value for one in call.keywords if one.arg in SHOWN)]
    nodes = [node for value in own for node in ast.walk(value)]
    indices = {id(node.slice) for node in nodes if isinstance(node, ast.Subscript)}
    strings = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node.value for node in strings if id(node) not in indices]


def gradio_calls(tree: Any) -> Any:
    named = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("gr.")]
    return [call for call in named if ast.unparse(call.func) != "gr.on" and not hidden(call)]


def test_no_component_shows_words_that_were_typed_into_the_code() -> None:
    shown = [
        (f"{name}:{call.lineno}", one)
        for name, tree in on_the_page().items()
        for call in gradio_calls(tree)
        for one in shown_literals(call)
    ]
    assert [(where, one) for where, one in shown if re.search(r"[^\W\d_]", one) and one not in DATA_COLUMNS] == []


def docstrings(tree: Any) -> Any:
    kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
    first = [node.body[0] for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    return {id(one.value) for one in first if isinstance(one, ast.Expr)}


def html_in(tree: Any) -> Any:
    """Every piece of HTML in a module, its holes left empty."""
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inner = {id(part) for node in formatted for part in node.values} | docstrings(tree)
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in inner]
    pieces = ["".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)) for node in formatted]
    return [piece for piece in (*pieces, *(node.value for node in plain)) if isinstance(piece, str) and "<" in piece]


READ_OUT = re.compile(r'(?:aria-label|title|alt|placeholder|data-head)="([^"]*)"')


def test_no_piece_of_html_holds_words() -> None:
    """Neither between its tags nor in the attributes that are read out or shown."""
    pieces = [(name, piece) for name, tree in on_the_page().items() for piece in html_in(tree)]
    assert len(pieces) > 30
    texts = [
        (name, one) for name, piece in pieces for one in (re.sub("<[^>]*>|%{[^}]*}", "", piece), *READ_OUT.findall(piece))
    ]
    assert [(name, one) for name, one in texts if re.search("[a-zA-Z]", one)] == []


# Numbers, with a no-break space written as _


def spaced(written: Any) -> Any:
    return written.replace("\N{NO-BREAK SPACE}", "_")


@pytest.mark.parametrize(
    ("value", "digits", "english", "spanish"),
    [
        (0, 0, "0", "0"),
        (7, 0, "7", "7"),
        (999, 0, "999", "999"),
        (4321, 0, "4,321", "4321"),  # four digits stay together in Spanish
        (9999, 0, "9,999", "9999"),
        (10_000, 0, "10,000", "10_000"),
        (460_800, 0, "460,800", "460_800"),
        (134_515_008, 0, "134,515,008", "134_515_008"),
        (1.5, 1, "1.5", "1,5"),
        (4321.25, 2, "4,321.25", "4321,25"),
        (12_345.678, 1, "12,345.7", "12_345,7"),
        (9999.7, 0, "10,000", "10_000"),  # what counts is what is written
        (-4321, 0, "-4,321", "-4321"),
        (-12_345, 0, "-12,345", "-12_345"),
    ],
)
def test_numbers(value: float, digits: int, english: str, spanish: str) -> None:
    assert spaced(number("en", value, digits)) == english
    assert spaced(number("es", value, digits)) == spanish


@pytest.mark.parametrize(
    ("value", "figures", "english", "spanish"),
    [
        (0, 2, "0", "0"),
        (0.0043, 2, "0.0043", "0,0043"),
        (0.34, 2, "0.34", "0,34"),
        (0.34, 1, "0.3", "0,3"),
        (3.14159, 3, "3.14", "3,14"),
        (31.4159, 3, "31.4", "31,4"),
        (100, 2, "100", "100"),
        (12_345.6, 2, "12,346", "12_346"),
        (float("nan"), 2, "nan", "nan"),
        (float("inf"), 3, "inf", "inf"),
    ],
)
def test_significant_figures(value: Any, figures: int, english: str, spanish: str) -> None:
    assert spaced(significant("en", value, figures)) == english
    assert spaced(significant("es", value, figures)) == spanish


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (0, "0_%", "0_%"),
        (0.34, "0.34_%", "0,34_%"),
        (0.000732, "0.00073_%", "0,00073_%"),
        (4.5, "4.5_%", "4,5_%"),
        (12.34, "12_%", "12_%"),
        (100, "100_%", "100_%"),
        (98.7, "99_%", "99_%"),
        (99.5, "99.5_%", "99,5_%"),  # near 100 as many decimals as tell it apart
        (99.97, "99.97_%", "99,97_%"),
        (99.9999, "99.999_%", "99,999_%"),
    ],
)
def test_percents(value: float, english: str, spanish: str) -> None:
    assert spaced(percent("en", value)) == english
    assert spaced(percent("es", value)) == spanish


@pytest.mark.parametrize(
    ("value", "digits", "english", "spanish"),
    [
        (5.31e7, 1, "5.3_×_10⁷", "5,3_×_10⁷"),
        (2.096e-8, 2, "2.10_×_10⁻⁸", "2,10_×_10⁻⁸"),
        (-1e-12, 0, "−1_×_10⁻¹²", "−1_×_10⁻¹²"),
        (9.96e9, 1, "1.0_×_10¹⁰", "1,0_×_10¹⁰"),  # what counts is what is written
        (0.0, 1, "0.0_×_10⁰", "0,0_×_10⁰"),
        (float("inf"), 1, "inf", "inf"),
    ],
)
def test_powers_of_ten(value: Any, digits: int, english: str, spanish: str) -> None:
    assert spaced(scientific("en", value, digits)) == english
    assert spaced(scientific("es", value, digits)) == spanish


@pytest.mark.parametrize(
    ("rate", "english", "spanish"),
    [
        (1e-6, "1_×_10⁻⁶", "1_×_10⁻⁶"),
        (5e-5, "5_×_10⁻⁵", "5_×_10⁻⁵"),
        (1e-4, "0.0001", "0,0001"),
        (0.03, "0.03", "0,03"),
        (1.0, "1", "1"),
        (1.5e-5, "1.5_×_10⁻⁵", "1,5_×_10⁻⁵"),
    ],
)
def test_learning_rates(rate: float, english: str, spanish: str) -> None:
    assert spaced(written("en", rate)) == english
    assert spaced(written("es", rate)) == spanish


def test_no_two_learning_rates_are_written_alike() -> None:
    assert len({written("en", rate) for rate in RATES}) == len(RATES)


@pytest.mark.parametrize(
    ("count", "english", "spanish"),
    [
        (0, "0_B", "0_B"),
        (999, "999_B", "999_B"),
        (1000, "1_KB", "1_KB"),
        (46_080, "46_KB", "46_KB"),
        (1_843_200, "1.8_MB", "1,8_MB"),
        (36_700_160, "36.7_MB", "36,7_MB"),
        (538_060_032, "538_MB", "538_MB"),
        (2_152_240_128, "2.2_GB", "2,2_GB"),
        (350_000_000_000, "350_GB", "350_GB"),
        (35_000_000_000_000, "35,000_GB", "35_000_GB"),
    ],
)
def test_sizes_are_decimal(count: int, english: str, spanish: str) -> None:
    assert spaced(size("en", count)) == english
    assert spaced(size("es", count)) == spanish


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (0, "0.0_s", "0,0_s"),
        (1.44, "1.4_s", "1,4_s"),
        (9.94, "9.9_s", "9,9_s"),
        (9.96, "10_s", "10_s"),
        (59.4, "59_s", "59_s"),
        (60, "1_min 0_s", "1_min 0_s"),
        (125, "2_min 5_s", "2_min 5_s"),
        (3725, "62_min 5_s", "62_min 5_s"),
    ],
)
def test_durations(value: float, english: str, spanish: str) -> None:
    assert spaced(seconds("en", value)) == english
    assert spaced(seconds("es", value)) == spanish


@LAW
@given(value=st.integers(-(10**15), 10**15))
def test_a_whole_number_can_be_read_back_in_both_languages(value: Any) -> None:
    assert int(number("en", value).replace(",", "")) == value
    assert int(number("es", value).replace(locales.NO_BREAK, "")) == value


@LAW
@given(value=st.floats(1e-9, 1e9), figures=st.integers(1, 5))
def test_significant_figures_keep_that_many(value: Any, figures: Any) -> None:
    written = float(significant("en", value, figures).replace(",", ""))
    assert abs(written - value) <= value * 10 ** (1 - figures)


# Which language


@pytest.mark.parametrize(
    ("wishes", "chosen"),
    [
        ((), "en"),
        ((None,), "en"),
        (("",), "en"),
        (("es",), "es"),
        (("ES",), "es"),
        (("es-MX,en;q=0.8",), "es"),
        (("es_419", "es"), "es"),
        (("fr-FR,fr;q=0.9,es;q=0.5,en;q=0.3",), "es"),
        (("en-GB,en;q=0.9,es;q=0.8",), "en"),
        (("de,*;q=0.5",), "en"),
        ((None, "es"), "es"),
        (("en", "es-ES"), "en"),  # the address wins over the browser
        (("xx", "es-ES"), "es"),  # unless it asks for what is not there
        ((" , ;;q=,es",), "es"),
        (("<script>",), "en"),
    ],
)
def test_the_first_language_that_is_asked_for_and_exists_is_chosen(wishes: tuple[Any, ...], chosen: str) -> None:
    assert choose(*wishes) == chosen


# Errors


def test_numbers_and_parameters_in_an_error_are_the_reader_s() -> None:
    error = PlaygroundError("out_of_range", name="learning_rate", value="x", minimum=1e-6, maximum=0.1)
    assert error.message("es") == "Tasa de aprendizaje debe estar entre 1\u00a0×\u00a010⁻⁶ y 0,1, no x."
    assert error.message("en").startswith("Learning rate must")
    assert error.told("en").startswith("learning_rate must")  # a program gave it by that name
    diverged = PlaygroundError("diverged", step=1234, best=12, learning_rate=0.003)
    assert "en el paso 1234 con una tasa de aprendizaje de 0,003." in diverged.message("es")
    damaged = PlaygroundError("upload_unreadable", reason="no_zip")
    assert damaged.message("es") == "No se puede leer este archivo: no es un archivo zip."
    kind = PlaygroundError("wrong_kind", name="rank", value="2.5", kind="int")
    assert kind.message("es") == "Rango debe ser un número entero, no «2.5»."


def keys_about_several() -> set[str]:
    """The keys that `counted` is asked for, each written out where it is asked; html.counted hands its own on."""
    calls = (
        one for file in ROOT.rglob("*.py") for one in ast.walk(ast.parse(file.read_text())) if isinstance(one, ast.Call)
    )
    keys = [call.args[1] for call in calls if ast.unparse(call.func) in ("counted", "locales.counted") and call.args[2:]]
    return {ast.literal_eval(key) for key in keys if ast.unparse(key) != "key"}


@pytest.mark.parametrize("key", sorted(keys_about_several()))
def test_what_may_be_one_has_a_sentence_about_one(key: str) -> None:
    assert all(f"{key}.one" in words(language) for language in LANGUAGES)


def test_one_of_something_has_its_own_sentence() -> None:
    assert counted("es", "status.finished", 1, time="2 s") == "1 paso en 2 s"
    assert counted("es", "status.finished", 24, time="2 s") == "24 pasos en 2 s"


def test_an_error_speaks_both_languages_and_survives_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(PlaygroundError("unknown_task", task="x", known="a, b")))
    assert str(error) == text("en", "error.unknown_task", task="x", known="a, b")
    assert error.message("es") == text("es", "error.unknown_task", task="x", known="a, b")


def test_an_unknown_sentence_is_an_error_not_a_silence() -> None:
    with pytest.raises(KeyError):
        text("en", "header.nonsense")
