"""Numbers that a visitor types: what a field cannot hold is refused in the visitor's language, everywhere."""

from typing import Any

import anyio
import gradio as gr
import pytest

from playground.locales import text
from playground.ui.kit.numbers import Numbers
from playground.ui.page import build_page

KINDS = ("below", "above", "nothing")


def bad(kind: str, one: Any) -> Any:
    return {"below": one.minimum - 1, "above": one.maximum + 1, "nothing": None}[kind]


@pytest.fixture(scope="module")
def page() -> Any:
    return build_page()


def fields(page: Any) -> list[Any]:
    """The page's own, not those of programs."""
    given = [one for fn in page.fns.values() if fn.api_visibility != "public" for one in fn.inputs]
    return [one for one in dict.fromkeys(given) if isinstance(one, gr.Number | gr.Slider)]


def test_every_field_of_the_page_is_known_by_its_label_and_has_ends(page: Any) -> None:
    assert len(fields(page)) > 30
    assert {one._id for one in fields(page)} <= set(page.numbers.labels)
    assert all(isinstance(one.minimum, int | float) and isinstance(one.maximum, int | float) for one in fields(page))


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_field_refuses_what_it_cannot_hold_in_words_that_name_it(page: Any, language: str, kind: str) -> None:
    for one in fields(page):
        with pytest.raises(gr.Error) as refused:
            page.numbers.check([one], [bad(kind, one)], {}, language)
        assert refused.value.message.startswith(text(language, page.numbers.labels[one._id]))


def test_what_a_field_holds_passes(page: Any) -> None:
    for one in fields(page):
        page.numbers.check([one] * 3, [one.minimum, one.maximum, one.value], {}, "es")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-5, "Semilla debe estar entre 0 y 2_147_483_647, no −5."),
        (1.5, "Semilla debe ser un número entero, no «1,5»."),
        (10**20, "Semilla debe estar entre 0 y 2_147_483_647, no 100_000_000_000_000_000_000."),
    ],
)
def test_a_seed_is_neither_rounded_nor_kept(value: float, said: str) -> None:
    with gr.Blocks():
        language, seed = gr.State("es"), gr.Number(minimum=0, maximum=2**31 - 1, precision=0)
    numbers = Numbers({seed._id: "decoding.seed"}, language._id)
    with pytest.raises(gr.Error) as refused:
        numbers.check([seed, language], [value, "es"], {}, "en")
    assert refused.value.message.replace("\N{NO-BREAK SPACE}", "_") == said


def test_a_field_that_changed_on_a_visitor_s_page_has_its_new_range() -> None:
    with gr.Blocks():
        rank, wider = gr.Slider(0, 8, step=1), gr.Slider(0, 64, step=1)
    numbers = Numbers({rank._id: "edits.rank"}, -1)
    numbers.check([rank], [50], {rank._id: wider}, "en")
    with pytest.raises(gr.Error):
        numbers.check([rank], [50], {}, "en")


def test_a_fraction_is_a_number_where_fractions_count() -> None:
    with gr.Blocks():
        strength = gr.Slider(-1, 2, step=0.25)
    Numbers({strength._id: "edits.strength"}, -1).check([strength], [0.3], {}, "en")


def test_the_page_asks_before_gradio_does(page: Any) -> None:
    """Gradio would say "Value -5 is less than minimum value 0."."""
    (summarize,) = [
        fn for fn in page.fns.values() if [getattr(one, "elem_id", "") for one in fn.outputs] == ["decoding-chip"]
    ]
    known = {page.numbers.language: "es"}
    given = [-5 if one.elem_id == "seed" else known.get(one._id, getattr(one, "value", "")) for one in summarize.inputs]

    async def ask() -> None:
        await page.process_api(summarize, given)

    with pytest.raises(gr.Error, match="Semilla"):
        anyio.run(ask)
