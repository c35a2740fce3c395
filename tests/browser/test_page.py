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
from tests.browser.conftest import open_page, section, unfold, visitor, watch

TABS = ("compare", "train", "lowrank", "quantization")
BRIEFLY = "/?max_new_tokens=12"  # a link to answers that are long enough to tell the panes apart


@pytest.fixture(scope="module")
def desk(context: BrowserContext, server: str) -> Iterator[Page]:
    """The page, opened once: the tests that take it stand in the order in which one visitor goes on. Nothing went wrong."""
    with visitor(context, server) as page:
        yield page


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


def test_the_page_shows_a_recorded_comparison_before_the_first_press(desk: Page) -> None:
    expect(desk.locator("#panes .pp-pane")).to_have_count(4)
    expect(desk.locator("#compare-notice")).to_contain_text("recorded")
    expect(desk.locator("#panes .pp-pane").nth(0)).to_contain_text("Base model")
    expect(desk.locator("#panes mark")).not_to_have_count(0)


def test_nothing_overflows_and_pictures_are_kept(desk: Page, artifacts: Path) -> None:
    for width, height, scheme in ((375, 812, "light"), (1024, 768, "dark"), (1280, 900, "light")):
        desk.set_viewport_size({"width": width, "height": height})
        desk.emulate_media(color_scheme=scheme)
        for place, name in ((1, "train"), (0, "compare")):
            tab(desk, place)
            expect(desk.locator("#panes" if place == 0 else "#count")).to_be_visible()
            assert desk.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            desk.screenshot(path=artifacts / f"{name}-{width}-{scheme}.png", full_page=True)
        background = desk.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(247, 246, 243)", "dark": "rgb(18, 20, 24)"}[scheme]


def test_answers_under_another_question_say_so_until_the_question_is_theirs_again(desk: Page) -> None:
    former = desk.locator("#answered[data-former]")
    expect(former).to_have_count(0)
    expect(desk.locator(".pp-asked")).to_contain_text("Answers to “What is the capital of France?”")
    expect(desk.get_by_text("Press Compare to run it live")).to_be_visible()
    desk.locator("#prompt textarea").fill("Who?")
    expect(former).to_have_count(1)
    expect(desk.get_by_text("Press Compare to run it live")).to_be_hidden()
    expect(desk.locator(".pp-former")).to_be_visible()
    desk.locator("#prompt textarea").fill("What is the capital of France?")
    expect(former).to_have_count(0)
    desk.locator("#decoding-chip").click()
    set_slider(desk, "#temperature", 1)
    expect(former).to_have_count(1)
    desk.locator("#try-json").click()
    expect(desk.locator(".pp-asked")).to_contain_text("Order 4512")
    expect(former).to_have_count(0)


def test_a_base_that_cannot_be_had_changes_nothing_in_any_tab(desk: Page) -> None:
    for place in (1, 0):
        tab(desk, place)
        desk.locator("#base input").click()
        desk.get_by_role("option", name="SmolLM2-360M").click()
        expect(desk.locator("#base-notice [role=alert]")).to_contain_text("SmolLM2-135M-Instruct stays")
        expect(desk.locator("#base input")).to_have_value("SmolLM2-135M-Instruct")
    expect(desk.locator("#panes .pp-pane")).to_have_count(4)
    expect(desk.locator("#answered[data-former]")).to_have_count(0)
    desk.locator("#base-notice .pp-close").click()
    expect(desk.locator("#base-notice [role=alert]")).to_have_count(0)
    desk.locator("#base input").click()
    desk.get_by_role("option", name="SmolLM2-360M").click()
    expect(desk.locator("#base-notice [role=alert]")).to_contain_text("SmolLM2-135M-Instruct stays")
    desk.locator("#try-json").click()  # whoever goes on has read it
    expect(desk.locator("#base-notice [role=alert]")).to_have_count(0)


def test_a_number_that_cannot_be_is_red_until_it_is_right_and_compare_says_what_would_be(desk: Page) -> None:
    if not desk.locator("#seed").is_visible():
        desk.locator("#decoding-chip").click()
    seed, wrong = desk.locator("#seed input"), desk.locator("#decoding input:invalid")
    chip, said = desk.locator("#decoding-chip"), desk.locator("#compare-notice [role=alert]")
    for typed, told in (("-5", "not −5."), ("1.5", "not 1.5."), ("", "Seed is empty.")):
        seed.fill(typed)
        expect(wrong).to_have_count(1)
        expect(chip).to_have_css("text-decoration-line", "line-through")
        desk.locator("#compare").click()
        expect(said).to_contain_text(told)
    expect(desk.get_by_test_id("toast-body")).to_have_count(0)
    expect(desk.locator("#panes .pp-pane")).to_have_count(4)
    seed.fill("7")
    expect(wrong).to_have_count(0)
    expect(chip).to_contain_text("seed 7")
    expect(chip).to_have_css("text-decoration-line", "none")


def test_what_is_drawn_answers_the_last_of_the_requests_that_are_on_their_way_at_once(desk: Page) -> None:
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

    desk.route("**/gradio_api/run/of-this-test", answer)
    asked = """wanted => Promise.all(wanted.map(async ([handler, data]) => {
        const body = JSON.stringify({ fn_index: handler, data: [data] });
        return (await (await fetch("/gradio_api/run/of-this-test", { method: "POST", body })).json())[0];
    }))"""
    assert desk.evaluate(asked, [[-1, "first"], [-2, "another's"], [-1, "last"]]) == ["last", "another's", "last"]
    assert desk.evaluate(asked, [[-1, "later"]]) == ["later"]


def test_every_component_is_told_its_events_which_are_read_once(desk: Page) -> None:
    """Gradio's way, which reads all of them for each component, takes more than a third of the page's opening."""
    named, read = desk.evaluate(
        """async () => {
          const core = performance.getEntriesByType("resource").map(one => one.name).find(name => /\\/core-/.test(name));
          const tree = Object.create((await import(core)).AppTree.prototype);
          const { components, dependencies } = window.gradio_config;
          let read = 0;
          const events = dependencies.map(one => ({ get targets() { read += 1; return one.targets; } }));
          try { tree.postprocess({ id: 0, props: {} }); } catch {}  // a tree is begun
          const told = components.map(({ id }) => tree.find_attached_events({ id, props: { shared_props: {} } }, events));
          return [told.map(one => [one.id, one.props.shared_props.attached_events]), read];
        }"""
    )
    events = desk.evaluate("window.gradio_config.dependencies.map(one => one.targets)")
    heard = [dict(reversed(targets)) for targets in events]
    assert read == len(events) > 100
    assert {one: names for one, names in named if names}
    assert named == [[one, [names[one] for names in heard if names.get(one)]] for one, _ in named]


def test_the_count_follows_the_sliders(desk: Page) -> None:
    tab(desk, 1)
    expect(desk.locator("#count")).to_contain_text("460,800")
    set_slider(desk, "#lora-rank", 4)
    expect(desk.locator("#count")).to_contain_text("230,400")
    desk.locator("#method-picker label").nth(2).click()
    expect(desk.locator("#count")).to_contain_text("57,600")
    desk.locator("#method-picker label").nth(5).click()
    expect(desk.locator("#count")).to_contain_text("134,515,008")


def test_bad_input_is_answered_in_words_and_loses_nothing(desk: Page) -> None:
    tab(desk, 0)
    desk.locator("#prompt textarea").fill("   ")
    desk.locator("#compare").click()
    expect(desk.locator("#compare-notice [role=alert]")).to_contain_text("There is no question yet")
    expect(desk.locator("#panes .pp-pane")).to_have_count(4)
    tab(desk, 1)
    desk.locator("#task-picker input").click()
    desk.get_by_role("option", name="Your own examples").click()
    expect(desk.locator("#own-paste")).to_be_visible()  # it moves the button
    desk.locator("#train").click()
    expect(desk.locator("#train-refused [role=alert]")).to_contain_text(
        "Between 8 and 512 different examples are needed; here there are 0."
    )
    expect(desk.locator("#train-refused")).to_be_in_viewport()  # where the button was pressed


DROP_ON_THE_TABLE = """content => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([content], "dropped.csv", { type: "text/csv" }));
  const place = document.querySelector("#own-table .upload-container");
  for (const type of ["dragenter", "dragover", "drop"])
    place.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
}"""


def test_own_examples_are_shown_as_they_were_read_before_anything_is_trained(desk: Page, tmp_path: Path) -> None:
    tab(desk, 1)
    expect(desk.locator("#task-picker input")).to_have_value("Your own examples")
    desk.locator("#own-typed .label-wrap").click()
    expect(desk.locator("#own-table [role=gridcell]")).to_have_count(2 * MIN_OWN_EXAMPLES)
    seen = desk.locator("#own-read")
    sheet = "\n".join(f"Is {n},5 odd?\tNo {n}" for n in range(12))
    desk.locator("#own-table [data-testid=cell-0-0]").dblclick()
    desk.keyboard.insert_text(sheet)
    desk.keyboard.press("Tab")
    expect(seen).to_contain_text("12 pairs read: 10 to train on, 2 held out.")
    expect(seen).to_contain_text("Is 2,5 odd?")
    expect(seen).to_contain_text("No header")
    desk.locator("#own-paste textarea").fill("Respuesta;Pregunta\n" + "\n".join(f"A {n},5;Q {n}" for n in range(9)))
    expect(seen).to_contain_text("9 pairs read")
    expect(seen.locator(".pp-seen").first).to_contain_text("Q 0")
    expect(seen.locator(".pp-seen").first.locator("mark").first).to_have_text("A")  # the tokens that carry loss
    expect(seen.locator("p").first).to_be_in_viewport()  # below the box, where somebody looks who pastes
    below = seen.bounding_box()["y"] - desk.locator("#own-paste").bounding_box()["y"]
    assert 0 < below - desk.locator("#own-paste").bounding_box()["height"] < 40
    of_file = desk.locator("#own-read-file")
    desk.evaluate(DROP_ON_THE_TABLE, "response,prompt\n" + "\n".join(f'"Yes; {n}",Dropped {n}?' for n in range(8)))
    expect(of_file).to_contain_text("8 pairs read")
    expect(of_file.locator(".pp-seen").first).to_contain_text("Dropped 0?")
    expect(seen).to_be_hidden()
    desk.locator("#own-file").get_by_role("button", name="Remove").or_(
        desk.locator("#own-file [aria-label=Clear]")
    ).first.click()
    expect(seen).to_contain_text("9 pairs read")
    file = tmp_path / "own.csv"
    file.write_bytes("Frage;Antwort\nGröße?;Groß\n".encode("latin-1"))
    desk.locator("#own-file input[type=file]").set_input_files(file)
    expect(of_file.locator("[role=alert]")).to_contain_text("“Frage | Antwort”, may be a header or an example")
    desk.locator("#train").click()
    expect(desk.locator("#train-refused [role=alert]")).to_contain_text("may be a header or an example")
    desk.locator("#method-picker label").nth(4).click()
    expect(desk.locator("#train")).to_have_text("Prepare")
    desk.reload()
    expect(desk.locator("#train")).to_be_visible()  # the tab that was open


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


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_two_visitors_do_not_disturb_each_other_nor_do_reloading_and_closing_a_training(
    page: Page, context: BrowserContext, browser: Browser, server: str
) -> None:
    start_training(page, 60)
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
    expect(page.locator("#status")).to_contain_text(re.compile(r"step \d+ of 60"))
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
    explode(again)
    again.close()


def explode(page: Page) -> None:
    """A run that explodes says so, and offers the best if it has learned anything."""
    page.locator("#lora-learning_rate input").click()
    page.get_by_role("option", name="0.1", exact=True).click()
    page.locator("#train").click()
    expect(page.locator("#status")).to_contain_text("exploded")
    kept = "nothing was kept" not in page.locator("#status").inner_text()
    expect(page.locator("#compare-it")).to_be_visible(visible=kept)


def test_what_was_filled_in_comes_back_after_a_reload_and_in_the_other_language(browser: Browser, server: str) -> None:
    with browser.new_context(locale="en-US") as context:  # a new visitor of the shared one takes its key
        page = context.new_page()
        wrong = watch(page)
        open_page(page, server)
        type_examples(page)
        fill_in_numbers(page)
        page.reload()  # at the tab and the section that were open
        unfold(page, "Which numbers")
        expect(page.locator("#tensor-said")).to_contain_text("your own, 4:")
        expect(page.locator("#tensor-numbers textarea")).to_have_value("1 2 3 4")
        section(page, "number")
        expect(page.locator("#number-value textarea")).to_have_value("70,000")
        tab(page, 1)
        expect(page.locator("#train")).to_have_text("Prepare")
        expect(page.locator("#own-table [role=gridcell]").first).to_contain_text("Who?")
        ask_two_panes(page, "Is 5 > 3 & why?")
        tab(page, 3)
        section(page, "accumulators")
        page.wait_for_url("**tab=quantization&section=accumulators")
        page.evaluate("document.querySelector('.pp-languages a[lang=es]').click()")
        page.wait_for_url("**lang=es**")
        expect(page.locator("#acc-result")).to_contain_text("127 + 127 = 254")
        expect(page.locator("#tabs > .tab-wrapper [aria-selected=true]").first).to_have_text("Cuantizar")
        read_in_spanish(page, "Is 5 > 3 & why?")
        assert wrong == []


def type_examples(page: Page) -> None:
    """Into a table and a box of the Train tab."""
    tab(page, 1)
    page.locator("#task-picker input").click()
    page.get_by_role("option", name="Your own examples").click()
    page.locator("#own-typed .label-wrap").click()
    expect(page.locator("#own-table [role=columnheader]").last).to_contain_text("Response")
    page.locator("#own-table [data-testid=cell-0-0]").click()
    expect(page.locator("#own-table .cell-selected")).to_have_count(1)
    page.keyboard.type("W")  # opens the cell, and is its first letter
    expect(page.locator("#own-table textarea:focus")).to_have_value("W")
    page.keyboard.type("ho?")
    page.keyboard.press("Tab")
    expect(page.locator("#own-read .pp-out")).to_contain_text("without a prompt or a response: 1")
    page.locator("#own-paste textarea").fill("\n".join(f"¿{n},5?\t{n}" for n in range(10)))
    page.locator("#method-picker label").nth(4).click()
    expect(page.locator("#steps")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Nothing is prepared yet")
    expect(page.locator("#own-read")).to_contain_text("10 pairs read: 8 to choose from, 2 held out.")


def fill_in_numbers(page: Page) -> None:
    """Into two sections of the quantization lab."""
    tab(page, 3)
    result = page.locator("#number-result [role=status]")
    expect(result).to_contain_text("0.622")
    page.locator("#number-try-4").click()
    expect(result).to_contain_text("70,000")
    section(page, "tensor")
    unfold(page, "Which numbers")
    expect(page.locator("#tensor-said")).to_contain_text("Q4_1")
    page.locator("#tensor-source").get_by_text("your own").click()
    page.locator("#tensor-numbers textarea").fill("1 2 3 4")
    expect(page.locator("#tensor-said")).to_contain_text("your own, 4:")


def ask_two_panes(page: Page, prompt: str) -> None:
    """Another question for fewer panes and other settings than the answers that are shown."""
    tab(page, 0)
    page.locator("#add-pane").click()
    chosen = page.locator("#panes-chosen .token")
    for left in (3, 2):
        page.locator("#panes-chosen .token .token-remove").last.click()
        expect(chosen).to_have_count(left)
    page.locator("#decoding-chip").click()
    set_slider(page, "#max_new_tokens", 12)
    page.locator("#prompt textarea").fill(prompt)


def read_in_spanish(page: Page, prompt: str) -> None:
    """What was filled in, and the answers that were shown, in the other language."""
    section(page, "number")
    expect(page.locator("#number-value textarea")).to_have_value("70\N{NO-BREAK SPACE}000")
    expect(page.locator("#number-result [role=status]")).to_contain_text("es exacto en float32")
    section(page, "tensor")
    unfold(page, "Qué números")
    expect(page.locator("#tensor-said")).to_contain_text("los tuyos, 4:")
    tab(page, 1)
    expect(page.locator("#train")).to_have_text("Preparar")
    expect(page.locator("#own-table [role=columnheader]").last).to_contain_text("Respuesta")
    expect(page.locator("#own-table [role=gridcell]").first).to_contain_text("Who?")
    expect(page.locator("#own-paste textarea")).to_have_value(re.compile("¿9,5\\?\t9$"))
    expect(page.locator("#own-read")).to_contain_text("10 pares leídos: 8 entre los que elegir")
    expect(page.locator("#status")).to_have_text("Aún no se ha preparado nada")
    tab(page, 0)
    expect(page.locator("#prompt textarea")).to_have_value(prompt)
    expect(page.locator(".pp-asked")).to_contain_text("Respuestas a «What is the capital of France?»")
    expect(page.locator("#answered[data-former]")).to_have_count(1)
    expect(page.locator("#decoding-chip")).to_contain_text("12 tokens")
    page.locator("#add-pane").click()
    expect(page.locator("#panes-chosen .token")).to_have_count(2)


def test_a_method_that_the_base_cannot_have_can_neither_be_clicked_nor_reached_by_a_key(
    context: BrowserContext, server: str
) -> None:
    with visitor(context, f"{server}/?tab=train&base=smollm2-135m:nf4_double") as page:
        full = page.locator("#method-picker input[value=full_fine_tuning]")
        expect(full).to_be_disabled()
        expect(page.locator("#method-picker label:visible input:disabled")).to_have_count(1)
        expect(page.locator("#misfits")).to_contain_text("weights in fewer bits cannot be trained")
        expect(page.locator("#method-picker label:has([value=full_fine_tuning])")).to_have_attribute(
            "title", re.compile("fewer bits")
        )
        page.locator("#method-picker input[value=few_shot]").focus()
        page.keyboard.press("ArrowDown")
        expect(full).not_to_be_checked()


def test_spanish_comes_from_the_browser_or_the_address_and_reaches_errors_and_fields(browser: Browser, server: str) -> None:
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
        tab(page, 0)
        assert wrong == []
        refuse_a_seed(page)
        wrong.clear()  # gradio logs refusals
        page.locator(".pp-languages a[lang=en]").click()
        expect(page.locator("#compare")).to_contain_text("Compare")
        assert "lang=en" in page.url
        assert wrong == []


def refuse_a_seed(page: Page) -> None:
    """A number that its field cannot hold is refused while it is typed, and when it counts."""
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


def test_a_link_opens_the_page_in_a_prepared_state_whose_panes_come_back_after_an_example(
    context: BrowserContext, server: str
) -> None:
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
        made_way, chosen = page.locator("#former-panes"), page.locator("#panes-chosen .token")
        expect(made_way).to_be_hidden()
        page.locator("#try-json").click()
        expect(made_way).to_contain_text("This pane made way: IA3 · pirate.")
        expect(chosen).to_have_count(4)
        page.locator("#former-panes-back").click()
        expect(chosen).to_have_count(2)
        expect(page.locator("#panes-chosen")).to_contain_text("IA3 · pirate")
        expect(made_way).to_be_hidden()


@pytest.mark.thorough
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
    expect(former).to_have_count(0)  # the question and the slider are again those of the answers

    brief.locator("#decoding-chip").click()
    expect(brief.locator("#times input[type=number]")).to_have_value("2")
    set_slider(brief, "#max_new_tokens", 256)
    brief.locator("#prompt textarea").fill("Write the numbers from 1 to 200, as a secret.")  # long enough to be stopped
    brief.locator("#compare").click()
    expect(brief.locator("#stop-compare")).to_be_visible()
    brief.locator("#prompt textarea").fill("Who?")
    mine = brief.locator("#panes .pp-former")
    expect(mine).to_contain_text("press Stop", use_inner_text=True)
    brief.locator("#stop-compare").click()
    expect(mine).to_contain_text("press Compare to have it answered", use_inner_text=True)
    nothing_stays_in_the_browser(brief, "secret")


def nothing_stays_in_the_browser(page: Page, asked: str) -> None:
    """On a shared computer the next visitor would read it."""
    kept = page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})")
    assert "peft-playground-visitor" in kept
    assert asked not in kept
    assert page.evaluate("indexedDB.databases()") == []
    assert page.evaluate("window.gradio_config.run_history") is False  # what gradio would keep of public endpoints
