"""
The quantization lab with real clicks: the histogram follows its sliders, the accumulator overflows, the model is measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, expect

from tests.browser.conftest import section, unfold, visitor
from tests.browser.test_page import set_slider


@pytest.fixture(scope="module")
def lab(context: BrowserContext, server: str) -> Iterator[Page]:
    """The lab, opened once: every test here has a section of its own. At the end nothing went wrong."""
    with visitor(context, f"{server}/?tab=quantization&section=accumulators&accumulators.a=300") as page:
        yield page


def sqnr(lab: Page, name: str) -> float:
    """What the table says of a format, in dB."""
    row = lab.locator("#tensor-table tbody tr").filter(has_text=name)
    return float(re.search(r"([\d.]+)\s*dB", row.inner_text())[1])


def boxes(found: Locator) -> list[FloatRect]:
    return [box for box in (one.bounding_box() for one in found.all()) if box]


def overlap(one: FloatRect, other: FloatRect) -> bool:
    across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    return across > 0.5 and down > 0.5


def test_bits_have_room_at_every_width(lab: Page) -> None:
    section(lab, "number")
    expect(lab.locator("#number-result li").first).to_be_visible()
    for width in (700, 899, 900, 1000, 1100, 1199, 1200, 1280):
        lab.set_viewport_size({"width": width, "height": 900})
        for name in ("float32", "int16"):
            row = lab.locator(f'#number-result li[data-format="{name}"]')
            bits = boxes(row.locator(".pp-bit-group"))
            beside = boxes(row.locator(".pp-format, .pp-kept-value, .pp-off, .pp-notes"))
            assert len(beside) == 4
            assert [(width, name) for one in bits for other in beside if overlap(one, other)] == []


def test_the_histogram_follows_its_sliders(lab: Page, artifacts: Path) -> None:
    section(lab, "tensor")
    unfold(lab, "Which numbers", "outliers", "grid", "figures")
    histogram, table = lab.locator("#tensor-histogram"), lab.locator("#tensor-table")
    expect(histogram.get_by_role("img").first).to_be_visible()
    expect(lab.locator("#tensor-said")).to_contain_text("Q4_1")
    blocks = sqnr(lab, "int8")
    lab.locator("#tensor-granularity input[type=range]").fill("0")  # one scale for the whole tensor
    expect(table.locator("tr").filter(has_text="int8")).to_contain_text("tensor")
    assert sqnr(lab, "int8") < blocks - 10
    lab.locator("#tensor-source").get_by_text("N(0, 1)").click()
    expect(lab.locator("#tensor-said")).not_to_contain_text("Q4_1")
    whole = sqnr(lab, "int8")
    set_slider(lab, "#tensor-outliers", 1)
    expect(histogram).to_contain_text("30")
    expect(lab.locator("#tensor-errors")).to_contain_text("dB")
    assert whole > 30
    lab.get_by_label("ternary", exact=True).first.click()
    expect(table.locator("tbody tr")).to_have_count(5)
    lab.screenshot(path=artifacts / "quantization-tensor.png", full_page=True)


def test_own_numbers_are_drawn_and_bad_ones_answered_in_words(lab: Page) -> None:
    section(lab, "tensor")
    unfold(lab, "Which numbers", "figures")
    table = lab.locator("#tensor-table")
    lab.locator("#tensor-source").get_by_text("your own").click()
    numbers = lab.locator("#tensor-numbers textarea")
    numbers.fill("1, 2, 3.5, -4")
    numbers.press("Tab")
    expect(lab.locator("#tensor-said")).to_contain_text("4")
    numbers.fill("")
    numbers.press_sequentially("1, two, 3")
    expect(lab.locator("#tensor-notice")).to_contain_text("two")
    expect(table.locator("tbody tr")).not_to_have_count(0)


@pytest.mark.parametrize("way", ["paste", "fill", "erase"])
def test_numbers_count_however_they_come_into_their_field_and_a_bad_one_greys_what_was_there(lab: Page, way: str) -> None:
    section(lab, "tensor")
    unfold(lab, "Which numbers", "figures")
    lab.locator("#tensor-source").get_by_text("your own").click()
    field, said = lab.locator("#tensor-numbers textarea"), lab.locator("#tensor-said")
    field.fill("1 2 3 4 x")
    expect(lab.locator("#tensor-notice")).to_contain_text("“x”")
    expect(lab.locator("#tensor-table")).to_have_css("filter", "grayscale(1)")
    if way == "paste":
        lab.evaluate(
            """text => {
          const field = document.querySelector("#tensor-numbers textarea");
          field.select();
          document.execCommand("insertText", false, text);  // as a paste changes a field: no key is pressed
        }""",
            "5 6 7 8",
        )
    elif way == "fill":
        field.fill("5 6 7 8")
    else:
        field.press("End")
        field.press("Backspace")
    expect(said).to_contain_text("your own, 4:")
    expect(lab.locator("#tensor-notice")).to_have_text("")
    expect(lab.locator("#tensor-table")).to_have_css("filter", "none")


def test_a_link_opens_its_section_as_it_was_sent_and_nothing_else(lab: Page, browser: Browser) -> None:
    section(lab, "accumulators")
    expect(lab.locator("#said-accumulators")).to_contain_text(
        "Not taken from this link: A, an int8 code = 300. Used instead: A, an int8 code = 127."
    )
    set_slider(lab, "#acc-a", 100)
    expect(lab.locator("#acc-result")).to_contain_text("100 + 127 = 227")
    lab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.locator("#copy-accumulators").click()
    expect(lab.locator("#said-accumulators")).to_contain_text("Link copied")
    link = lab.evaluate("navigator.clipboard.readText()")
    set_slider(lab, "#acc-a", 127)
    with browser.new_context(locale="es-ES") as context:  # another reader, whose browser wishes for another language
        page = context.new_page()
        page.goto(link)
        expect(page.locator("#acc-result")).to_contain_text("100 + 127 = 227")
        expect(page.locator(".pp-sections [aria-selected=true]")).to_have_text("Accumulators: 127 + 127")
        expect(page.locator("#said-accumulators")).to_be_empty()
        assert page.locator("#number-result, #tensor-said, #calibration-notice").count() == 0
        set_slider(page, "#acc-a", 90)  # what is filled in comes back at a reload, not the link
        expect(page.locator("#acc-result")).to_contain_text("90 + 127 = 217")
        page.wait_for_function("!location.search.includes('accumulators.a')")


def addition(lab: Page, accumulator: str) -> Locator:
    return lab.locator(f'#acc-result table[data-accumulator="{accumulator}"]')


def test_127_and_127_overflow_an_int8_and_no_int32(lab: Page) -> None:
    section(lab, "accumulators")
    result = lab.locator("#acc-result")
    expect(result).to_contain_text("254")
    expect(addition(lab, "int8")).to_contain_text("−2")
    expect(addition(lab, "int32")).to_contain_text("254")
    lab.locator("#acc-overflow").get_by_text("saturates").click()
    expect(addition(lab, "int8")).to_contain_text("= 127")
    set_slider(lab, "#acc-b", -127)
    expect(result).to_contain_text("127 + (−127) = 0")
    section(lab, "sums")
    dots = lab.locator("#acc-dots")
    expect(dots).to_contain_text("float16 → float16 at 2,048")
    lab.locator("#acc-kind").get_by_text("127 · 127").click()
    expect(dots.locator('figure[data-pair="int8_int16"]')).to_contain_text("overflows at product 3")
    expect(dots.locator('figure[data-pair="int8_int32"]')).to_contain_text("exact")


def test_one_number_bit_by_bit(lab: Page) -> None:
    section(lab, "number")
    rows = lab.locator("#number-result li")
    expect(rows.filter(has_text="int4")).to_contain_text("0.571428")
    value = lab.locator("#number-value textarea")
    value.fill("70000")
    value.press("Tab")
    expect(lab.locator('#number-result li[data-format="float16"]')).to_contain_text("65,504")
    value.fill("abc")
    value.press("Tab")
    expect(lab.locator("#number-notice")).to_contain_text("abc")


@pytest.mark.thorough
def test_activations_are_read_and_a_layer_is_trained_rounded(lab: Page) -> None:
    section(lab, "outliers")
    expect(lab.locator("#calibration-outliers")).to_contain_text("6.0")
    section(lab, "activations")
    expect(lab.locator("#calibration-network td")).not_to_have_count(0)
    section(lab, "calibration")
    expect(lab.locator("#calibration-result")).to_contain_text("RMSE")
    former, last = lab.locator("[id^=calibration-][data-former]"), lab.locator("#calibration-test textarea")
    expect(former).to_have_count(0)
    read = last.input_value()
    last.fill("Who are you?")
    expect(former).to_have_count(3)
    expect(lab.locator("#calibration-result .pp-former")).to_contain_text("press “Read and measure”", use_inner_text=True)
    expect(lab.locator("#calibration-network .pp-result")).to_have_css("filter", "grayscale(1)")
    last.fill(read)
    expect(former).to_have_count(0)
    section(lab, "aware")
    lab.locator("#aware-go").click()
    expect(lab.locator("#aware-said")).to_contain_text("200")
    set_slider(lab, "#aware-seed", 1)  # what was learned from other data is not shown under this seed
    expect(lab.locator("#aware-said")).to_contain_text("Press the button")


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_the_model_is_measured_and_answers_in_fewer_bits(lab: Page, artifacts: Path) -> None:
    section(lab, "wholemodel")
    expect(lab.locator("#wholemodel-notice")).to_contain_text("Recorded on")
    expect(lab.locator("#wholemodel-table tbody tr")).to_have_count(13)
    formats = lab.locator("#wholemodel-formats")
    for name in ("int8 vector-wise", "FP4", "int4", "ternary"):
        formats.get_by_label(name, exact=True).click()
    lab.locator("#wholemodel-go").click()
    expect(lab.locator("#wholemodel-table tbody tr")).to_have_count(2)
    expect(lab.locator("#wholemodel-notice")).to_contain_text("Done")
    section(lab, "map")
    expect(lab.locator("#wholemodel-map td")).not_to_have_count(0)
    section(lab, "answers")
    for name in ("int8 vector-wise", "FP4", "int4", "ternary"):
        lab.locator("#answers-formats").get_by_label(name, exact=True).click()
    lab.locator("#wholemodel-ask").click()
    panes = lab.locator("#wholemodel-answers .pp-pane")
    expect(panes).to_have_count(2)
    expect(panes.nth(1)).to_contain_text("4.5 bits per weight · bitsandbytes")
    expect(lab.locator("#wholemodel-said")).to_contain_text("Done")
    lab.reload()  # what was measured and answered is found again
    expect(panes).to_have_count(2)
    section(lab, "wholemodel")
    expect(lab.locator("#wholemodel-table tbody tr")).to_have_count(2)
    lab.screenshot(path=artifacts / "quantization-model.png", full_page=True)


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_lora_and_qlora_train_side_by_side_and_survive_a_reload(lab: Page, artifacts: Path) -> None:
    section(lab, "qlora")
    expect(lab.locator("#qlora-curves")).to_contain_text("Recorded on")
    set_slider(lab, "#qlora-steps", 1)
    lab.locator("#qlora-go").click()
    expect(lab.locator("#qlora-status")).to_contain_text("step")
    lab.reload()
    expect(lab.locator("#qlora-status")).to_contain_text("1 step in")
    expect(lab.locator("#qlora-memory")).to_contain_text("MB")
    former = lab.locator("[id^=qlora-][data-former]")
    expect(former).to_have_count(0)
    set_slider(lab, "#qlora-rank", 3)
    expect(former).to_have_count(2)
    set_slider(lab, "#qlora-rank", 8)
    expect(former).to_have_count(0)
    lab.screenshot(path=artifacts / "quantization-qlora.png", full_page=True)
