"""The page's activations and tensor: sentences that hold for what was found, and controls that are moved too early."""

import re
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from playground import settings
from playground.actions import catalogue
from playground.actions.quantize import Outside, find, product, prompts_of
from playground.actions.tensor import MODULE
from playground.formats.calibration import Mixed
from playground.formats.statistics import Errors
from playground.locales import significant, text
from playground.model.bases import Base
from playground.model.memory import STORE
from playground.plots.quantize import activations as plots
from playground.plots.quantize.names import path_name
from playground.quantize import sources, tensor
from playground.quantize.activations import Cell, Peak, network
from playground.ui.kit.controls import unchanged
from playground.ui.kit.events import note
from playground.ui.quantize import activations as page
from playground.ui.quantize import activations_html, tensor_controls, tensor_html
from playground.ui.quantize import tensor as tensor_page
from tests.ui.drawn import made_from

LANGUAGES = ("en", "es")
SEEN, TEST = "What is the sea?\n\nSay one.", "Why do ships float on it?"
ACTIVATIONS = page.Activations("read", "notice", "module", "result", "outside", "network")  # components by their names
ASKED = page.Asked("", "en", "tiny", SEEN, TEST, None, "int8", 6.0, "")
GROUPS: dict[str, Any] = {"module": "modules", "own": "own", "seed": "seeds"}
TENSOR = tensor_page.Tensor(
    "source", "model", "module", GROUPS, "stops", *tensor_page.RESULTS,
)  # fmt: skip


@pytest.fixture
def tiny_here(tiny: Base, loaded: Any) -> Any:
    """The tiny base as one that is loaded, and nothing that was multiplied before."""
    product.cache_clear()
    return loaded(tiny)


def errors(rmse: Any) -> Any:
    return Errors(rmse, rmse, rmse, 1.0)


# What was found


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_found_is_drawn(tiny_here: Any, language: str) -> None:
    prompts = prompts_of(SEEN, TEST)
    assert prompts == ["What is the sea?", "Say one.", TEST]
    *turns, found = find("tiny", prompts, None, "int8", 0.5)
    assert turns == [None] * (len(prompts) + 2)  # other lanes' jobs have their turns between
    assert found.module == max(found.cells, key=lambda cell: cell.largest).module
    changes = ACTIVATIONS.fill(found, replace(ASKED, language=language))
    assert changes["module"]["value"] == found.module
    drawn = [changes[name] for name in ("result", "outside", "network")]
    assert all("<svg" in one or "<table" in one for one in drawn)
    assert [made_from(one) for one in drawn] == [{"base": "tiny", "seen": SEEN, "test": TEST}] * 3
    assert all(escape(text(language, "calibration.go")) in one for one in drawn)  # what brings new ones


def test_before_anything_was_read_every_section_says_how_it_goes(tiny_here: Any) -> None:
    drawn = ACTIVATIONS.draw(ASKED)
    assert drawn["notice"] == drawn["outside"] == drawn["network"] == note("en", "calibration.opening")
    *_, last = ACTIVATIONS.attach(ASKED)
    assert "pp-network" in last["network"]
    assert {*ACTIVATIONS.draw(replace(ASKED, read="tiny"))} == {"notice"}
    *_, wrong = ACTIVATIONS.attach(replace(ASKED, test=""))
    assert all('role="alert"' in wrong[name] for name in ("notice", "outside", "network"))


def test_the_page_shows_a_hub_base_loading_before_it_is_loaded(tiny_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    STORE.forget(tiny_here)
    here = []

    def have(base_id: Any) -> Any:
        here.append(base_id)
        STORE.keep(base_id, tiny_here, 0)

    monkeypatch.setattr(catalogue, "have", have)
    frames = ACTIVATIONS.show(ASKED)
    assert text("en", "calibration.loading") in next(frames)["notice"]
    assert here == []
    *_, last = frames
    assert here == ["tiny"]
    assert "<svg" in last["result"]


def test_a_visit_reads_once_and_another_base_is_read_only_after_it(tiny_here: Any) -> None:
    assert list(ACTIVATIONS.change_base(ASKED)) == [unchanged("notice")]
    first, *_, last = ACTIVATIONS.attach(ASKED)
    assert first == {"read": "tiny"}
    assert "<svg" in last["result"]
    seen = replace(ASKED, read="tiny")
    assert list(ACTIVATIONS.attach(seen)) == list(ACTIVATIONS.change_base(seen)) == [unchanged("notice")]
    other, *_ = ACTIVATIONS.change_base(replace(seen, base="tiny:nf4"))
    assert other == {"read": "tiny:nf4"}


@pytest.mark.parametrize("count", [0, settings.MAX_CALIBRATION_PROMPTS])
def test_prompts_to_calibrate_on_leave_room_for_the_test(tiny_here: Any, count: Any) -> None:
    frames = list(ACTIVATIONS.show(replace(ASKED, seen="\n".join(["a"] * count))))
    most = settings.MAX_CALIBRATION_PROMPTS - 1
    assert len(frames) == 1
    assert f"between 1 and {most} prompts" in frames[0]["notice"]
    assert f"(now {count})" in frames[0]["notice"]


def test_a_moved_threshold_multiplies_only_what_depends_on_it(tiny_here: Any) -> None:
    module = network(tiny_here, [TEST])[0].module
    asked = replace(ASKED, module=module)
    low, high = (ACTIVATIONS.decompose(replace(asked, threshold=threshold))["outside"] for threshold in (0.5, 60.0))
    assert low != high
    assert made_from(low) == made_from(high) == {"base": "tiny", "seen": SEEN, "test": TEST}
    assert (product.cache_info().misses, product.cache_info().hits) == (1, 1)
    assert "pp-error" in ACTIVATIONS.decompose(replace(asked, base="no such base"))["outside"]
    assert ACTIVATIONS.decompose(ASKED) == unchanged("outside")


# Sentences


def outside(largest: Any, weights: Any, plain: Any = 1.0, mixed: Any = 1.0) -> Any:
    found = Mixed(6.0, (), 0.0, errors(plain), errors(mixed))
    return Outside(6.0, np.array(largest), np.array(weights), (), found, False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_which_spreads_wider_is_compared(language: str) -> None:
    wide, flat = [1.0, 1.0, 1.0, 90.0], [1.0, 1.0, 1.0, 2.0]
    assert "90" in activations_html.outside(outside(wide, flat), language)
    values = {"largest": significant(language, 2.0), "weights": "90"}
    only, as_far = (text(language, f"calibration.said.{key}", **values) for key in ("weights", "weights_as_far"))
    assert only not in activations_html.outside(outside(flat, wide), language)
    assert as_far in activations_html.outside(outside(flat, wide), language)


def test_a_gain_is_said_only_where_there_is_one() -> None:
    said = {
        mixed: activations_html._gained(Mixed(6.0, (1,), 0.01, errors(1.0), errors(mixed)), "en")
        for mixed in (0.25, 0.99, 1.0, 3.0, 0.0)
    }
    assert "4.0 times less" in said[0.25]
    assert all("hardly any gain" in said[mixed] for mixed in (0.99, 1.0, 3.0))
    assert "times less" not in said[0.0]


def test_a_massive_activation_is_at_every_start_only_if_it_is(tiny_here: Any) -> None:
    found: Any = list(find("tiny", prompts_of(SEEN, TEST), None, "int8", 6.0))[-1]

    def said(value: Any, always: Any) -> Any:
        peak = Peak(value, 3, 0, "<|im_start|>", always)
        return " ".join(activations_html._about(replace(found, peak=peak, median=0.1), "en"))

    assert "Every prompt starts with that token" in said(200.0, True)
    assert "Every prompt" not in said(200.0, False)
    assert "massive activation" in said(200.0, False)
    assert "massive" not in said(99.0, True)  # Sun et al. 2024: above 100, and 1,000 times the median
    assert "massive" not in " ".join(
        activations_html._about(replace(found, peak=Peak(200.0, 3, 0, "a", True), median=1.0), "en")
    )


# Modules outside of the layers


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_outside_of_the_layers_goes_by_its_own_name(language: str) -> None:
    cells = [Cell("model.layers.0.mlp", "mlp", 0, 2.0, 0, ()), Cell("model.project_in", "project_in", None, 9.0, 1, ())]
    drawn = plots.network(cells, "", language)
    assert "None" not in drawn
    assert 'title="project_in: ' in drawn
    assert path_name(language, "model.project_in") == "project_in"
    assert "0" in path_name(language, "model.layers.0.mlp")


# The tensor's controls


CONTROLS = tensor_page.Asked(
    "", "en", "tiny", MODULE, None, None, "", None, 0, tensor_controls.STOP, False, 0.0, 30.0, False, ["int8"], "int8",
    True,
)  # fmt: skip


def test_a_slider_that_is_moved_before_the_first_drawing_waits_for_it(tiny_here: Any) -> None:
    assert TENSOR.redraw(CONTROLS) == unchanged("notice")
    drawn = TENSOR.redraw(replace(CONTROLS, model="tiny"))
    default = sources.default_module(tiny_here)
    assert path_name("en", default) in drawn["said"]


def test_a_base_that_does_not_exist_is_a_sentence() -> None:
    drawn = TENSOR.draw(replace(CONTROLS, chosen="no such base"))
    assert set(drawn) == {"notice"}
    assert "pp-error" in drawn["notice"]


def test_the_last_norm_is_a_norm_where_the_output_head_is_a_weight_of_its_own(tiny: Base, loaded: Any) -> None:
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    loaded(replace(tiny, model=LlamaForCausalLM(config)))
    chosen = {
        what: TENSOR.go_to(what, replace(CONTROLS, model="tiny", module="model.layers.0.mlp.down_proj"))["module"]
        for what in ("norm", "embedding")
    }
    assert chosen == {"norm": "model.norm", "embedding": "model.embed_tokens"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_threshold_is_written_as_the_language_writes_it(language: str) -> None:
    report = tensor.report(sources.own_numbers("1 2 3 7"), ["int8"])
    said = tensor_html.damage(report, language)[1]
    assert ("6,0" if language == "es" else "6.0") in said
    assert ("6.0" if language == "es" else "6,0") not in said


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ("1\n2\n7", "La única columna contiene un número de 6,0 o más"),
        ("1\n2\n3", "La única columna no contiene ningún número de 6,0 o más"),
        ("1 2\n7 8", "Cada una de las 2 columnas contiene"),
        ("1 2\n3 4", "Ninguna de las 2 columnas contiene"),
    ],
)
def test_one_column_is_no_column_of_several(numbers: str, said: str) -> None:
    report = tensor.report(
        sources.taken(torch.tensor([[float(one) for one in row.split()] for row in numbers.split("\n")])), ["int8"]
    )
    assert tensor_html.damage(report, "es")[1].removeprefix("LLM.int8(): ").startswith(said)


@pytest.mark.parametrize(("language", "words"), [("en", "∞ dB (nothing is lost)"), ("es", "∞ dB (no se pierde nada)")])
def test_a_ratio_without_any_error_is_said_in_words(language: str, words: str) -> None:
    report = tensor.report(sources.own_numbers("1 -1 1 -1"), ["int8"])
    assert words in tensor_html.damage(report, language)[0]


@pytest.mark.parametrize(
    ("common", "reached", "english", "spanish"),
    [
        (0, 1, "It reaches 6.0 in less than 6 %", "Alcanza 6,0 en menos del 6 %"),
        (1, 1, "It reaches 6.0 in at least 6 %", "Alcanza 6,0 en al menos el 6 %"),
        (0, 8, "None of them reaches 6.0", "Ninguna de ellas alcanza 6,0"),
        (1, 8, "1 of them reaches 6.0", "1 de ellas alcanza 6,0"),
        (3, 8, "3 of them reach 6.0", "3 de ellas alcanzan 6,0"),
        (8, 8, "All of them reach 6.0", "Todas alcanzan 6,0"),
    ],
)
def test_how_many_features_reach_the_threshold_again_and_again(
    common: int, reached: int, english: str, spanish: str
) -> None:
    assert activations_html._common(common, reached, "6.0", "en").startswith(english)
    assert activations_html._common(common, reached, "6,0", "es").startswith(spanish)


@pytest.mark.parametrize("language", LANGUAGES)
def test_modules_that_read_the_same_largest_number_are_all_named(language: str) -> None:
    kinds = ("q_proj", "k_proj", "v_proj", "o_proj")
    cells = [Cell(f"model.layers.0.self_attn.{one}", one, 0, 4.0 if one == "o_proj" else 9.0, 0, ()) for one in kinds]
    sentence = activations_html.network(cells, cells[0].module, language)
    (said,) = re.findall("<p>([^<]*9[.,]00[^<]*)</p>", sentence)
    assert [one in said for one in kinds] == [True, True, True, False]
