"""Sentences of the lab that say how many of something there are, or which number is meant."""

import pytest

from playground.actions.quantize import ready_made
from playground.locales import LANGUAGES, counted, text
from playground.quantize.qlora import Pair, Side
from playground.settings import DEFAULT_BASE
from playground.ui.quantize import qlora_html, wholemodel_html
from tests.ui.drawn import Page

START = "Before the first step: held-out loss 4.30 with LoRA and 4.76 with QLoRA."
READ = {"float32": 28.8, "int4": 43.6, "nf4": 33.6, "nf4_double": 33.6, "fp4": 40.5}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("es", "los que mejor leen son NF4 y NF4 + doble cuant., igualados: perplejidad 33,6"),
        ("en", "NF4 and NF4 + double quant. read best, and alike: perplexity 33.6"),
    ],
)
def test_formats_that_read_best_alike_are_named_together(language: str, said: str) -> None:
    found = [{"format": name, "reading": {"perplexity": value}} for name, value in READ.items()]
    (first, *_) = wholemodel_html._compared({"found": found}, language)
    assert said in Page(first).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_ready_made_curves_say_with_how_many_steps_they_were_trained(language: str) -> None:
    pair = ready_made(DEFAULT_BASE)
    assert pair is not None
    drawn = Page(qlora_html.ready(pair, language))
    assert pair.steps == 24
    assert text(language, "qlora.curves.ready", steps="24") in drawn.texts["pp-legend"]
    assert text(language, "qlora.curves.ready", steps="24") not in Page(qlora_html.curves(pair, language)).text


@pytest.mark.parametrize(
    ("slow", "ends", "said"),
    [
        (
            1.0,
            (0, 0),
            f"{START} A step takes 2.0_s and 1.0_s.",
        ),
        (
            4.0,
            (1, 0),
            f"{START} A step takes 2.0_s and 4.0_s: 4-bit weights are read back",
        ),
        (4.0, (1, 1), "Step 1: held-out loss 3.30 with LoRA (from 4.30) and 3.76 with QLoRA (from 4.76)."),
        (4.0, (3, 2), "Step 1: held-out loss 3.30 with LoRA (from 4.30) and 3.76 with QLoRA (from 4.76)."),
    ],
)
def test_a_pair_tells_the_losses_of_the_last_step_at_which_both_were_measured(
    slow: float, ends: tuple[int, int], said: str
) -> None:
    lora, qlora = [
        Side(method, ((1, 4.0),), tuple((step, begin - step) for step in sorted({0, min(end, 1), end})), seconds)
        for method, begin, end, seconds in zip(("lora", "qlora"), (4.3, 4.76), ends, (2.0, slow), strict=True)
    ]
    drawn = Page(qlora_html.curves(Pair(4, lora, qlora, elapsed=9.0), "en")).text
    assert said.replace("_", "\N{NO-BREAK SPACE}") in drawn


def test_the_ends_of_the_map_are_named_in_the_number_that_they_have() -> None:
    modules = [{"kind": "q_proj", "layer": layer, "sqnr_db": sqnr, "share": 0.1} for layer, sqnr in enumerate((20, 20, 30))]
    drawn = Page(wholemodel_html.errors_map(modules, "es")).text
    assert "Las 2 capas más tenues, las que más pierden: capa 0 · q_proj, capa 1 · q_proj, 20,0 dB." in drawn
    assert "La más intensa, la que menos pierde: capa 2 · q_proj, 30,0 dB." in drawn


def test_one_or_several_sums_stop_growing() -> None:
    assert counted("es", "accumulators.dots.stall", 1, events="x").startswith("Ya no crece: x.")
    assert counted("es", "accumulators.dots.stall", 2, events="x; y").startswith("Ya no crecen: x; y.")
