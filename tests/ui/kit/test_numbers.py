"""Numbers that a visitor types: what a field cannot hold is refused in the visitor's language, everywhere."""

import re
from typing import Any

import anyio
import gradio as gr
import pytest

from playground.compare.job import DECODING
from playground.errors import PlaygroundError
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
        wrong = page.numbers.wrong([one], [bad(kind, one)], {}, language)
        assert wrong.startswith(text(language, page.numbers.labels[one._id]))
        ends = PlaygroundError("number_any", name="", value=0, minimum=one.minimum, maximum=one.maximum).message(language)
        assert re.search("[^ ]+ (to|a) [^ ]+(?=,)", ends)[0] in wrong


def test_what_a_field_holds_passes(page: Any) -> None:
    for one in fields(page):
        assert page.numbers.wrong([one] * 3, [one.minimum, one.maximum, one.value], {}, "es") == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-5, "Semilla: tiene que ser un número entero de 0 a 2_147_483_647, no −5."),
        (1.5, "Semilla: tiene que ser un número entero de 0 a 2_147_483_647, no 1,5."),
        (10**20, "Semilla: tiene que ser un número entero de 0 a 2_147_483_647, no 100_000_000_000_000_000_000."),
        (None, "Semilla: falta el número, de 0 a 2_147_483_647."),
    ],
)
def test_a_seed_is_neither_rounded_nor_kept(value: float, said: str) -> None:
    with gr.Blocks():
        language, seed = gr.State("es"), gr.Number(minimum=0, maximum=2**31 - 1, precision=0)
    numbers = Numbers({seed._id: "decoding.seed"}, language._id)
    assert numbers.wrong([seed, language], [value, "es"], {}, "en").replace("\N{NO-BREAK SPACE}", "_") == said


def test_a_field_that_changed_on_a_visitor_s_page_has_its_new_range() -> None:
    with gr.Blocks():
        rank, wider = gr.Slider(0, 8, step=1), gr.Slider(0, 64, step=1)
    numbers = Numbers({rank._id: "edits.rank"}, -1)
    assert not numbers.wrong([rank], [50], {rank._id: wider}, "en")
    assert numbers.wrong([rank], [50], {}, "en")


def test_a_fraction_is_a_number_where_fractions_count() -> None:
    with gr.Blocks():
        strength = gr.Slider(-1, 2, step=0.25)
    assert not Numbers({strength._id: "edits.strength"}, -1).wrong([strength], [0.3], {}, "en")


def asked(page: Any, shown: str, event: str, wrong: str, value: Any) -> dict[str, Any]:
    """
    What the handler of an `event` answers in Spanish, by the ids of what it changes, of which one is `shown`, when one field
    holds a wrong value. Gradio would say "Value -5 is less than minimum value 0.".
    """
    (fn,) = [
        fn
        for fn in page.fns.values()
        if any(getattr(one, "elem_id", "") == shown for one in fn.outputs) and wrong in [one.elem_id for one in fn.inputs]
        if event in [name for _, name in fn.targets]
    ]
    spanish = {page.numbers.language: "es"}
    given = [value if one.elem_id == wrong else spanish.get(one._id, getattr(one, "value", "")) for one in fn.inputs]

    async def answer() -> Any:
        return await page.process_api(fn, given)

    return {str(one.elem_id): data for one, data in zip(fn.outputs, anyio.run(answer)["data"], strict=True)}


def unchanged(data: Any) -> bool:
    """Whether a component stays as it is; to gr.HTML gradio adds its properties, none of them another one."""
    return isinstance(data, dict) and {**data, "props": gr.skip()} == {**gr.skip(), "props": gr.skip()}


PRESSED = [
    *((bound.name, "compare-notice", "panes", "submit") for bound in DECODING),
    ("steps", "train-refused", "status", "click"),
    ("train-seed", "train-refused", "status", "click"),
    ("train-seed", "race-refused", "race-result", "click"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("field", "notice", "shown", "event"), PRESSED)
def test_a_button_says_where_it_would_answer_what_is_wrong_and_changes_nothing_else(
    page: Any, field: str, notice: str, shown: str, event: str, kind: str
) -> None:
    (one,) = [one for one in fields(page) if one.elem_id == field]
    answer = asked(page, shown, event, field, bad(kind, one))
    said = answer.pop(notice)
    assert 'role="alert"' in said
    assert text("es", page.numbers.labels[one._id]) in said
    assert {name: data for name, data in answer.items() if data is not None and not unchanged(data)} == {}  # None: a State


def test_what_follows_the_typing_stays_as_it_is(page: Any) -> None:
    assert asked(page, "decoding-chip", "change", "seed", -5) == {"decoding-chip": gr.skip()}


def test_what_follows_a_file_as_well_as_the_typing_refuses_nothing_aloud(page: Any) -> None:
    """What a visitor fills in is kept after each of these events: a number beyond its end is just not kept."""
    fns = [fn for fn in page.fns.values() if {"input", "clear"} <= {name for _, name in fn.targets}]
    keeping = [fn for fn in fns if not fn.outputs and any(isinstance(one, gr.Slider) for one in fn.inputs)]
    assert keeping
    for fn in keeping:
        given = [one.maximum + 1 if isinstance(one, gr.Slider) else getattr(one, "value", "") for one in fn.inputs]
        assert anyio.run(page.process_api, fn, given)["data"] == []


def test_a_button_without_a_place_for_it_refuses_aloud(page: Any) -> None:
    with pytest.raises(gr.Error, match="Semilla: tiene que ser un número entero"):
        asked(page, "aware-said", "click", "aware-seed", -1)
