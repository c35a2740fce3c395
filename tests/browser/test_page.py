"""
What a visitor does, with real clicks on the real base: compare, train, stop, compare the new adapter, download, reload.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from playground.model.bases import Base
from playground.settings import MIN_OWN_EXAMPLES
from tests.browser.conftest import open_page, visitor, watch

TABS = ("compare", "train", "lowrank", "quantization")
BRIEFLY = "/?max_new_tokens=12"  # a link to answers that are long enough to tell the panes apart
# A link to answers that are still written when they are stopped
AT_LENGTH = "/?max_new_tokens=256&prompt=Write+the+numbers+from+1+to+200."


@pytest.fixture
def brief(context: BrowserContext, server: str) -> Iterator[Page]:
    """The page, opened by a visitor of this test's own with a link to short answers."""
    with visitor(context, server + BRIEFLY) as page:
        yield page


def tab(page: Page, place: int) -> None:
    page.locator(f"[role=tab][data-tab-id={TABS[place]}]").click()


def compare(page: Page) -> None:
    """Press Compare and wait for the last frame."""
    page.locator("#compare").click()
    expect(page.locator("#panes")).to_contain_text("weights untouched")
    expect(page.locator("#compare-notice")).to_contain_text("Done")


def set_slider(page: Page, element: str, value: int) -> None:
    field = page.locator(f"{element} input[type=number]")
    field.fill(str(value))
    field.press("Tab")


def start_training(page: Page, steps: int) -> None:
    tab(page, 1)
    set_slider(page, "#steps", steps)
    page.locator("#train").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"step [1-9]\d* of"))


def stop_training(page: Page) -> None:
    page.locator("#stop-train").click()
    expect(page.locator("#status")).to_contain_text("stopped at step")


def save_until_it_is(page: Page, ending: str) -> None:
    """Press Download until the button holds a file of that name: it is packed in the background, and nothing says when."""
    for _ in range(60):
        with page.expect_download() as waiting:
            page.locator("#download").click()
        if waiting.value.suggested_filename.endswith(ending):
            return
        page.wait_for_timeout(1000)
    pytest.fail(f"the last download was {waiting.value.suggested_filename}")


def test_the_page_shows_a_recorded_comparison_before_the_first_press(page: Page) -> None:
    expect(page.locator("#panes .pp-pane")).to_have_count(4)
    expect(page.locator("#compare-notice")).to_contain_text("recorded")
    expect(page.locator("#panes .pp-pane").nth(0)).to_contain_text("Base model")
    expect(page.locator("#panes mark")).not_to_have_count(0)


@pytest.mark.timeout(400)
def test_a_visitor_compares_trains_stops_compares_again_and_downloads(
    brief: Page, base: Base, tmp_path: Path, artifacts: Path
) -> None:
    page = brief
    page.locator("#try-pirate").click()
    compare(page)
    panes = page.locator("#panes .pp-pane")
    expect(panes).to_have_count(4)
    assert "Paris" in panes.nth(0).inner_text()
    assert "Arrr" in panes.nth(3).inner_text()
    expect(page.locator("#first-tokens")).to_contain_text("%")
    page.screenshot(path=artifacts / "compare.png")

    start_training(page, 40)
    expect(page.locator("#loss svg[role=img]")).to_have_attribute("aria-label", re.compile(r"Loss at step \d+ of 40"))
    page.screenshot(path=artifacts / "train-running.png")
    stop_training(page)
    expect(page.locator("#samples")).to_contain_text("What is the capital of France?")
    expect(page.locator("#score-result")).to_contain_text("has not been scored")  # who has stopped it waits for nothing more
    page.locator("#score-go").click()
    expect(page.locator("#score-result tr", has_text="Few-shot")).to_contain_text("of 16")
    page.locator("#score-stop").click()
    expect(page.locator("#score-go")).to_be_visible()
    page.screenshot(path=artifacts / "train-stopped.png")

    with page.expect_download() as waiting:
        page.locator("#download").click()
    archive = tmp_path / "adapter.zip"
    waiting.value.save_as(archive)
    zipfile.ZipFile(archive).extractall(tmp_path / "adapter")
    loaded = PeftModel.from_pretrained(base.view(), tmp_path / "adapter")
    config: Any = loaded.peft_config["default"]
    assert config.r == 8
    assert any(p.abs().sum() > 0 for name, p in loaded.named_parameters() if "lora_B" in name)
    assert base.untouched()

    page.locator("#compare-it").click()
    expect(page.locator("#panes .pp-pane")).to_have_count(5)
    expect(page.locator("#compare-notice")).to_contain_text("Done")
    page.screenshot(path=artifacts / "compare-new.png")

    page.reload()
    page.locator("#add-pane").click()
    expect(page.locator("#panes-chosen")).to_contain_text("LoRA r = 8 · pirate (yours, no. 1)")
    expect(page.locator("#panes .pp-pane")).to_have_count(5)
    expect(page.locator("#answered[data-former]")).to_have_count(0)  # the controls are those of the answers

    tab(page, 1)
    expect(page.locator("#loss .pp-run")).to_contain_text("LoRA r = 8 · pirate (yours, no. 1)")
    page.locator("#scrubber label").first.click()
    save_until_it_is(page, "lora-r-8-pirate-1-step-0.zip")

    tab(page, 0)
    page.locator("#own-name input, #own-name textarea").fill("Anna")
    page.locator("#own-rename").click()
    expect(page.locator("#panes-chosen")).to_contain_text("Anna")
    expect(page.locator("#panes .pp-name").last).to_have_text("Anna")  # the answers that are shown follow
    expect(page.locator("#answered[data-former]")).to_have_count(0)
    tab(page, 1)
    save_until_it_is(page, "anna.zip")  # the download follows the name, too
    tab(page, 0)
    page.locator("#own-remove").click()
    page.locator("#own-really").click()
    expect(page.locator("#own-said")).to_contain_text("Anna is gone")
    expect(page.locator("#panes-chosen")).not_to_contain_text("Anna")
    expect(page.locator("#answered[data-former]")).to_have_count(1)  # its answer stays, as one to other panes
    tab(page, 1)
    expect(page.locator("#after")).to_be_hidden()


@pytest.mark.timeout(400)
def test_reloading_and_closing_leave_the_training_running(page: Page, context: BrowserContext, server: str) -> None:
    start_training(page, 60)
    page.reload()
    tab(page, 1)
    expect(page.locator("#status")).to_contain_text(re.compile(r"step \d+ of 60"))
    expect(page.locator("#steps input[type=number]")).to_have_value("60")
    page.close()
    again = context.new_page()
    open_page(again, server)
    tab(again, 1)
    expect(again.locator("#status")).to_contain_text(re.compile(r"step \d+ of 60"))
    stop_training(again)
    again.close()


@pytest.mark.timeout(400)
def test_two_visitors_neither_see_nor_disturb_each_other(page: Page, browser: Browser, server: str) -> None:
    start_training(page, 50)
    with browser.new_context(locale="en-US") as other_context:
        other = other_context.new_page()
        open_page(other, server + BRIEFLY)
        tab(other, 1)
        expect(other.locator("#status")).to_contain_text("Nothing is training")
        other.locator("#train").click()
        expect(other.locator("#status")).to_contain_text(re.compile(r"step \d+ of"))  # both move
        tab(other, 0)
        compare(other)  # a comparison does not wait for the training
        tab(other, 1)
        other.locator("#stop-train").click()
        expect(other.locator("#status")).to_contain_text("stopped")
    expect(page.locator("#status")).to_contain_text(re.compile(r"step \d+ of 50"))
    stop_training(page)


@pytest.mark.timeout(400)
def test_a_run_that_explodes_says_so_and_offers_the_best_if_it_has_learned_anything(page: Page) -> None:
    tab(page, 1)
    page.locator("#lora-learning_rate input").click()
    page.get_by_role("option", name="0.1", exact=True).click()
    page.locator("#train").click()
    expect(page.locator("#status")).to_contain_text("exploded")
    kept = "nothing was kept" not in page.locator("#status").inner_text()
    expect(page.locator("#compare-it")).to_be_visible(visible=kept)


def test_the_count_follows_the_sliders(page: Page) -> None:
    tab(page, 1)
    expect(page.locator("#count")).to_contain_text("460,800")
    set_slider(page, "#lora-rank", 4)
    expect(page.locator("#count")).to_contain_text("230,400")
    page.locator("#method-picker label").nth(2).click()
    expect(page.locator("#count")).to_contain_text("57,600")
    page.locator("#method-picker label").nth(5).click()
    expect(page.locator("#count")).to_contain_text("134,515,008")


def test_bad_input_is_answered_in_words_and_loses_nothing(page: Page) -> None:
    page.locator("#prompt textarea").fill("   ")
    page.locator("#compare").click()
    expect(page.locator("#compare-notice [role=alert]")).to_contain_text("There is no question yet")
    expect(page.locator("#panes .pp-pane")).to_have_count(4)
    tab(page, 1)
    page.locator("#task-picker input").click()
    page.get_by_role("option", name="Your own examples").click()
    page.locator("#train").click()
    expect(page.locator("#train-refused [role=alert]")).to_contain_text("between 8 and 512 are needed")
    expect(page.locator("#train-refused")).to_be_in_viewport()  # where the button was pressed
    page.reload()
    expect(page.locator("#train")).to_be_visible()  # the tab that was open


def test_a_number_that_its_field_cannot_hold_is_refused_while_it_is_typed_and_when_it_counts(
    browser: Browser, server: str
) -> None:
    with browser.new_context(locale="es-ES") as context:
        page = context.new_page()  # nobody watches its console: refusals are logged there
        open_page(page, server)
        page.locator("#decoding-chip").click()
        seed = page.locator("#seed input")
        for wrong in ("-5", "1.5", "99999999999999999999"):
            seed.fill(wrong)
            said = seed.evaluate("one => one.validationMessage").replace("\N{NO-BREAK SPACE}", " ")
            assert said == "Un número entero de 0 a 2 147 483 647."
        page.locator("#compare").click()
        expect(page.locator("#compare-notice")).to_contain_text("Semilla: tiene que ser un número entero de 0 a")
        expect(page.locator("#decoding-chip")).to_contain_text("semilla 0")
        seed.fill("3")
        assert seed.evaluate("one => one.validationMessage") == ""
        expect(page.locator("#decoding-chip")).to_contain_text("semilla 3")


def test_what_was_filled_in_is_still_there_after_a_reload_and_in_the_other_language(page: Page) -> None:
    tab(page, 1)
    page.locator("#task-picker input").click()
    page.get_by_role("option", name="Your own examples").click()
    cells = page.locator("#own-table [role=gridcell]")
    expect(page.locator("#own-table [role=columnheader]").last).to_contain_text("Response")
    page.locator("#own-table [data-testid=cell-0-0]").click()
    expect(page.locator("#own-table .cell-selected")).to_have_count(1)
    page.keyboard.type("W")  # opens the cell, and is its first letter
    expect(page.locator("#own-table textarea:focus")).to_have_value("W")
    page.keyboard.type("ho?")
    page.keyboard.press("Tab")
    expect(page.locator("#own-read [role=alert]")).to_contain_text("Line 1 lacks a prompt or a response")
    page.locator("#own-paste textarea").fill("\n".join(f"¿{n},5?\t{n}" for n in range(10)))
    page.locator("#method-picker label").nth(4).click()
    expect(page.locator("#steps")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Nothing is prepared yet")
    expect(page.locator("#own-read")).to_contain_text("10 pairs read: 8 to choose from, 2 held out.")
    page.reload()
    tab(page, 1)
    expect(page.locator("#train")).to_have_text("Prepare")
    expect(cells.first).to_contain_text("Who?")
    page.locator("[data-pp-language][lang=es]").click()
    expect(page.locator("#train")).to_have_text("Preparar")
    expect(page.locator("#own-table [role=columnheader]").last).to_contain_text("Respuesta")
    expect(cells.first).to_contain_text("Who?")
    expect(page.locator("#own-paste textarea")).to_have_value(re.compile("¿9,5\\?\t9$"))
    expect(page.locator("#own-read")).to_contain_text("10 pares leídos: 8 entre los que elegir")
    expect(page.locator("#status")).to_have_text("Aún no se ha preparado nada")


def test_what_is_drawn_answers_the_last_of_the_requests_that_are_on_their_way_at_once(page: Page) -> None:
    """Gradio keeps them apart only once the first has left; the answer to the first may come last."""
    held: list[Route] = []

    def answer(route: Route) -> None:
        data = route.request.post_data_json["data"]
        if data == ["first"]:
            held.append(route)
            return
        route.fulfill(json=data)
        if data == ["last"]:
            held.pop().fulfill(json=["first"])

    page.route("**/gradio_api/run/of-this-test", answer)
    asked = """wanted => Promise.all(wanted.map(async ([handler, data]) => {
        const body = JSON.stringify({ fn_index: handler, data: [data] });
        return (await (await fetch("/gradio_api/run/of-this-test", { method: "POST", body })).json())[0];
    }))"""
    assert page.evaluate(asked, [[-1, "first"], [-2, "another's"], [-1, "last"]]) == ["last", "another's", "last"]
    assert page.evaluate(asked, [[-1, "later"]]) == ["later"]


def test_a_method_that_the_base_cannot_have_can_neither_be_clicked_nor_reached_by_a_key(
    context: BrowserContext, server: str
) -> None:
    with visitor(context, f"{server}/?tab=train&base=smollm2-135m:nf4_double") as page:
        full = page.locator("#method-picker input[value=full_fine_tuning]")
        expect(full).to_be_disabled()
        expect(page.locator("#method-picker input:disabled")).to_have_count(1)
        expect(page.locator("#misfits")).to_contain_text("weights in fewer bits cannot be trained")
        expect(page.locator("#method-picker label").last).to_have_attribute("title", re.compile("fewer bits"))
        page.locator("#method-picker input[value=few_shot]").focus()
        page.keyboard.press("ArrowDown")
        expect(full).not_to_be_checked()


DROP_ON_THE_TABLE = """content => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([content], "dropped.csv", { type: "text/csv" }));
  const place = document.querySelector("#own-table .upload-container");
  for (const type of ["dragenter", "dragover", "drop"])
    place.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
}"""


def test_own_examples_are_shown_as_they_were_read_before_anything_is_trained(page: Page, tmp_path: Path) -> None:
    tab(page, 1)
    page.locator("#task-picker input").click()
    page.get_by_role("option", name="Your own examples").click()
    expect(page.locator("#own-table [role=gridcell]")).to_have_count(2 * MIN_OWN_EXAMPLES)
    seen = page.locator("#own-read")
    sheet = "\n".join(f"Is {n},5 odd?\tNo {n}" for n in range(12))
    page.locator("#own-table [data-testid=cell-0-0]").dblclick()
    page.keyboard.insert_text(sheet)
    page.keyboard.press("Tab")
    expect(seen).to_contain_text("12 pairs read: 10 to train on, 2 held out.")
    expect(seen).to_contain_text("Is 2,5 odd?")
    expect(seen).to_contain_text("No header")
    page.locator("#own-paste textarea").fill("Respuesta;Pregunta\n" + "\n".join(f"A {n},5;Q {n}" for n in range(9)))
    expect(seen).to_contain_text("9 pairs read")
    expect(seen.locator("tbody td").first).to_have_text("Q 0")
    expect(seen.locator("p").first).to_be_in_viewport()  # below the box, where somebody looks who pastes
    below = seen.bounding_box()["y"] - page.locator("#own-paste").bounding_box()["y"]
    assert 0 < below - page.locator("#own-paste").bounding_box()["height"] < 40
    of_file = page.locator("#own-read-file")
    page.evaluate(DROP_ON_THE_TABLE, "response,prompt\n" + "\n".join(f'"Yes; {n}",Dropped {n}?' for n in range(8)))
    expect(of_file).to_contain_text("8 pairs read")
    expect(of_file.locator("tbody td").first).to_have_text("Dropped 0?")
    expect(seen).to_be_hidden()
    page.locator("#own-file").get_by_role("button", name="Remove").or_(
        page.locator("#own-file [aria-label=Clear]")
    ).first.click()
    expect(seen).to_contain_text("9 pairs read")
    file = tmp_path / "own.csv"
    file.write_bytes("Frage;Antwort\nGröße?;Groß\n".encode("latin-1"))
    page.locator("#own-file input[type=file]").set_input_files(file)
    expect(of_file.locator("[role=alert]")).to_contain_text("“Frage | Antwort”, may be a header or an example")
    page.locator("#train").click()
    expect(page.locator("#train-refused [role=alert]")).to_contain_text("may be a header or an example")
    page.locator("#method-picker label").nth(4).click()
    expect(page.locator("#train")).to_have_text("Prepare")


def test_spanish_comes_from_the_browser_or_the_address_and_reaches_errors(browser: Browser, server: str) -> None:
    with browser.new_context(locale="es-MX") as context:
        page = context.new_page()
        wrong = watch(page)
        open_page(page, server)
        expect(page.locator("#compare")).to_contain_text("Comparar")
        expect(page.locator("#panes")).to_contain_text("Modelo base")
        page.locator("#prompt textarea").fill("")
        page.locator("#compare").click()
        expect(page.locator("#compare-notice [role=alert]")).to_contain_text("Aún no hay pregunta")
        tab(page, 1)
        expect(page.locator("#count")).to_contain_text("460\u00a0800")
        page.locator(".pp-languages a[lang=en]").click()
        expect(page.locator("#compare")).to_contain_text("Compare")
        assert "lang=en" in page.url
        assert wrong == []


@pytest.mark.parametrize(("width", "height", "scheme"), [(375, 812, "light"), (1024, 768, "dark"), (1280, 900, "light")])
def test_nothing_overflows_and_pictures_are_kept(
    browser: Browser, server: str, artifacts: Path, width: int, height: int, scheme: str
) -> None:
    with browser.new_context(locale="en-US", color_scheme=scheme, viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        open_page(page, server)
        for place, name in enumerate(("compare", "train")):
            tab(page, place)
            expect(page.locator("#panes" if place == 0 else "#count")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            page.screenshot(path=artifacts / f"{name}-{width}-{scheme}.png", full_page=True)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(247, 246, 243)", "dark": "rgb(18, 20, 24)"}[scheme]


def test_a_link_opens_the_page_in_a_prepared_state(context: BrowserContext, server: str) -> None:
    link = f"{server}/?lang=en&prompt=Do+you+like+rain%3F&panes=base%2Cpirate-ia3&seed=7&max_new_tokens=12"
    with visitor(context, link) as page:
        expect(page.locator("#prompt textarea")).to_have_value("Do you like rain?")
        expect(page.locator("#decoding-chip")).to_contain_text("12 tokens · seed 7")
        page.locator("#add-pane").click()
        expect(page.locator("#panes-chosen")).to_contain_text("IA3 · pirate")
        expect(page.locator("#panes")).to_contain_text("Press Compare to have this answered: “Do you like rain?”")
        expect(page.locator("#panes")).not_to_contain_text("Paris")
        page.locator("#prompt textarea").fill("And you?")
        expect(page.get_by_text("Do you like rain?")).to_be_hidden()  # nobody asked that, and Compare would not
        expect(page.get_by_text("press Compare to have it answered")).to_be_visible()


def test_answers_under_another_question_say_so_until_the_question_is_theirs_again(page: Page) -> None:
    former = page.locator("#answered[data-former]")
    expect(former).to_have_count(0)
    expect(page.locator(".pp-asked")).to_contain_text("Answers to “What is the capital of France?”")
    expect(page.get_by_text("Press Compare to run it live")).to_be_visible()
    page.locator("#prompt textarea").fill("Who?")
    expect(former).to_have_count(1)
    expect(page.get_by_text("Press Compare to run it live")).to_be_hidden()
    expect(page.locator(".pp-former")).to_be_visible()
    page.locator("#prompt textarea").fill("What is the capital of France?")
    expect(former).to_have_count(0)
    page.locator("#decoding-chip").click()
    set_slider(page, "#temperature", 1)
    expect(former).to_have_count(1)
    page.locator("#try-json").click()
    expect(page.locator(".pp-asked")).to_contain_text("Order 4512")
    expect(former).to_have_count(0)


def test_a_number_that_cannot_be_is_red_until_it_is_right_and_compare_says_what_would_be(page: Page) -> None:
    page.locator("#decoding-chip").click()
    seed, wrong = page.locator("#seed input"), page.locator("#decoding input:invalid")
    chip, said = page.locator("#decoding-chip"), page.locator("#compare-notice [role=alert]")
    for typed, told in (("-5", "not −5."), ("1.5", "not 1.5."), ("", "Seed is empty.")):
        seed.fill(typed)
        expect(wrong).to_have_count(1)
        expect(chip).to_have_css("text-decoration-line", "line-through")
        page.locator("#compare").click()
        expect(said).to_contain_text(told)
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    expect(page.locator("#panes .pp-pane")).to_have_count(4)
    seed.fill("7")
    expect(wrong).to_have_count(0)
    expect(chip).to_contain_text("seed 7")
    expect(chip).to_have_css("text-decoration-line", "none")


def test_in_another_language_the_answers_stay_under_an_edited_question(page: Page) -> None:
    page.locator("#prompt textarea").fill("Who?")
    page.locator(".pp-languages a[lang=es]").click()
    expect(page.locator(".pp-asked")).to_contain_text("Respuestas a «What is the capital of France?»")
    expect(page.locator("#prompt textarea")).to_have_value("Who?")
    expect(page.locator("#answered[data-former]")).to_have_count(1)


def test_panes_that_made_way_for_an_example_come_back_with_one_press(context: BrowserContext, server: str) -> None:
    with visitor(context, f"{server}/?lang=en&panes=base%2Cbase%3Anf4") as page:
        page.locator("#add-pane").click()
        made_way, chosen = page.locator("#former-panes"), page.locator("#panes-chosen .token")
        expect(made_way).to_be_hidden()
        page.locator("#try-json").click()
        expect(made_way).to_contain_text("This pane made way: Base model · NF4.")
        expect(chosen).to_have_count(4)
        page.locator("#former-panes-back").click()
        expect(chosen).to_have_count(2)
        expect(page.locator("#panes-chosen")).to_contain_text("NF4")
        expect(made_way).to_be_hidden()


def test_a_base_that_cannot_be_had_changes_nothing_in_any_tab(page: Page) -> None:
    for place in (1, 0):
        tab(page, place)
        page.locator("#base input").click()
        page.get_by_role("option", name="SmolLM2-360M").click()
        expect(page.locator("#base-notice [role=alert]")).to_contain_text("SmolLM2-135M-Instruct stays")
        expect(page.locator("#base input")).to_have_value("SmolLM2-135M-Instruct")
    expect(page.locator("#panes .pp-pane")).to_have_count(4)
    expect(page.locator("#answered[data-former]")).to_have_count(0)
    page.locator("#base-notice .pp-close").click()
    expect(page.locator("#base-notice [role=alert]")).to_have_count(0)
    page.locator("#base input").click()
    page.get_by_role("option", name="SmolLM2-360M").click()
    expect(page.locator("#base-notice [role=alert]")).to_contain_text("SmolLM2-135M-Instruct stays")
    page.locator("#try-json").click()  # whoever goes on has read it
    expect(page.locator("#base-notice [role=alert]")).to_have_count(0)


def test_a_question_that_is_changed_while_answers_are_written_names_the_button_that_is_there(
    context: BrowserContext, server: str
) -> None:
    with visitor(context, server + AT_LENGTH) as page:
        page.locator("#compare").click()
        expect(page.locator("#stop-compare")).to_be_visible()
        page.locator("#prompt textarea").fill("Who?")
        expect(page.locator(".pp-former")).to_contain_text("press Stop", use_inner_text=True)
        page.locator("#stop-compare").click()
        expect(page.locator(".pp-former")).to_contain_text("press Compare to have it answered", use_inner_text=True)


def test_enter_in_the_prompt_compares_and_below_the_panes_the_same_is_answered_many_times(brief: Page) -> None:
    brief.locator("#prompt textarea").press("Enter")
    expect(brief.locator("#compare-notice")).to_contain_text("Done")
    brief.locator("#decoding-chip").click()
    set_slider(brief, "#times", 2)
    expect(brief.locator("#many")).to_have_text("Answer 2 times, at temperature 0.7 instead of greedy")
    brief.locator("#many").click()
    said, former = brief.locator("#many-result .pp-verdict"), brief.locator("#many-result[data-former]")
    expect(said).to_contain_text("inside the noise")  # two answers each can be nothing else
    expect(brief.locator("#many-result .pp-ring")).to_have_count(8)
    expect(former).to_have_count(0)
    brief.locator("#prompt textarea").fill("Who?")
    expect(former).to_have_count(1)
    expect(brief.locator("#many-result .pp-former")).to_be_visible()
    brief.reload()
    expect(said).to_be_visible()
    expect(former).to_have_count(1)  # eight times again, says the slider
