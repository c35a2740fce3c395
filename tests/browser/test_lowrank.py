"""
The low-rank lab with real clicks: sliders move, and the figures that follow them are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import section, visitor
from tests.browser.test_page import set_slider, start_training, tab

LAB = 2


@pytest.fixture(scope="module")
def opened(context: BrowserContext, server: str) -> Iterator[Page]:
    """The lab, opened once. At the end nothing went wrong."""
    with visitor(context, f"{server}/?tab=lowrank") as page:
        yield page


@pytest.fixture
def lab(opened: Page) -> Page:
    """The lab with its first adapter drawn, whatever was chosen before."""
    tab(opened, LAB)
    section(opened, "module")
    choose(opened, "#lab-adapter", "LoRA r = 8 · pirate")
    expect(opened.locator("#lab-module")).to_contain_text("effective rank")
    return opened


def choose(page: Page, element: str, name: str) -> None:
    page.locator(f"{element} input").first.click()
    page.get_by_role("option", name=name, exact=True).click()


def figure(page: Page, name: str) -> Callable[[], float]:
    """Reads one figure of the module's card, in percent or plain."""
    value = page.locator("#lab-module .pp-facts div", has=page.locator("dt", has_text=name)).locator("dd")
    return lambda: float(value.inner_text().replace("\N{NO-BREAK SPACE}%", "").replace(",", ""))


def test_toy_picture_and_costs_follow_their_sliders(lab: Page) -> None:
    section(lab, "toy")
    toy = lab.locator("#toy-matrices")
    expect(toy).to_contain_text("200 parameters instead of 2,500: 92\N{NO-BREAK SPACE}% fewer")
    lab.locator("#toy-train").click()
    expect(toy).to_contain_text("Training has found what the singular values give")
    expect(toy).to_contain_text("B and A of rank 2 were learned")
    set_slider(lab, "#toy-rank", 5)
    expect(toy).to_contain_text("500 parameters instead")
    rank, rows = (lab.locator(f"#toy-{name} input[type=number]") for name in ("rank", "rows"))
    rank.press("Control+a")
    rank.press_sequentially("900")  # 9 is a rank, 90 is none: what the field holds at last is what is drawn
    rank.press("Tab")
    expect(rank).to_have_value("50")
    expect(toy).to_contain_text("5,000 parameters instead of 2,500")
    set_slider(lab, "#toy-rows", 1)
    expect(rows).to_have_value("2")
    expect(toy).to_contain_text("instead of 100")
    rows.fill("")
    rows.press("Tab")
    expect(rows).to_have_value("2")
    set_slider(lab, "#toy-rows", 100)
    expect(toy).to_contain_text("instead of 5,000")
    set_slider(lab, "#toy-rank", 5)
    expect(toy).to_contain_text("750 parameters instead of 5,000")
    section(lab, "picture")
    set_slider(lab, "#toy-picture-rank", 2)
    expect(lab.locator("#toy-picture")).to_contain_text("512 numbers instead")
    section(lab, "arithmetic")
    expect(lab.locator("#arithmetic-result")).to_contain_text("18,874,368")
    set_slider(lab, "#arithmetic-rank", 8)
    expect(lab.locator("#arithmetic-result")).to_contain_text("37,748,736")
    set_slider(lab, "#arithmetic-tasks", 7)
    expect(lab.locator("#arithmetic-result")).to_contain_text("7 tasks")
    lab.reload()  # all of it is kept
    expect(lab.locator("#arithmetic-tasks input[type=number]")).to_have_value("7")
    expect(lab.locator("#arithmetic-result")).to_contain_text("7 tasks")
    expect(lab.locator("#arithmetic-result")).to_contain_text("37,748,736")


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_a_sweep_measures_what_each_kind_carries(lab: Page) -> None:
    section(lab, "sweep")
    lab.locator("#sweep-kinds").click()
    expect(lab.locator("#sweep-notice")).to_contain_text("Done")
    expect(lab.locator("#lab-stop")).to_be_hidden()
    rows = lab.locator("#sweep tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("everything left on")
    expect(rows.nth(3)).to_contain_text("only v_proj")


FITS = """() => [...document.querySelectorAll("#overlap .js-plotly-plot")].every(plot =>
    Math.abs(plot.querySelector(".main-svg").clientWidth - plot.parentElement.clientWidth) < 2)"""


def fits(lab: Page) -> None:
    """A figure fits its card, however that was resized."""
    figure = lab.locator("#overlap .js-plotly-plot")
    expect(figure).to_be_visible()
    lab.wait_for_function(FITS)
    lab.set_viewport_size({"width": 1000, "height": 900})
    lab.wait_for_function(FITS)
    tab(lab, 0)
    lab.set_viewport_size({"width": 700, "height": 900})
    tab(lab, LAB)
    expect(figure).to_be_visible()
    lab.wait_for_function(FITS)
    lab.set_viewport_size({"width": 1280, "height": 900})


def test_another_module_and_another_adapter_are_drawn_and_two_are_compared(lab: Page) -> None:
    section(lab, "overlap")
    lab.locator("#overlap-go").click()
    expect(lab.locator("#overlap-said")).to_contain_text("φ(1, 1)")
    fits(lab)
    section(lab, "module")
    choose(lab, "#lab-module-picker", "layer 7 · q_proj")
    expect(lab.locator("#lab-module h2")).to_have_text("layer 7 · q_proj")
    section(lab, "updates")
    expect(lab.locator("#lab-network .pp-chosen")).to_have_count(1)
    section(lab, "module")
    lab.locator("#ranks .label-wrap").click()
    lab.locator("#ranks-go").click()
    expect(lab.locator("#ranks-shown td")).to_have_count(60)
    section(lab, "repair")
    lab.locator("#repair-mark").click()
    expect(lab.locator("#repair-spectrum")).to_contain_text("layer 7 · q_proj")
    choose(lab, "#lab-adapter", "IA3 · pirate")
    expect(lab.locator("#repair-spectrum svg")).to_have_count(0)
    lab.locator("#repair-go").click()
    expect(lab.locator("#repair-notice [role=alert]")).to_contain_text("PEFT repairs plain LoRA")
    section(lab, "module")
    expect(lab.locator("#lab-module")).to_contain_text("l − 1")
    expect(lab.locator("#lab-kept")).to_be_hidden()
    section(lab, "overlap")
    lab.locator("#overlap-go").click()
    expect(lab.locator("#overlap-said [role=alert]")).to_contain_text("has no factors")


@pytest.mark.timeout(400)
def test_the_soft_prompt_is_shown_and_answers_without_a_token(lab: Page, artifacts: Path) -> None:
    choose(lab, "#lab-adapter", "Prompt tuning · pirate")
    expect(lab.locator("#lab-told")).to_contain_text("Virtual tokens")
    expect(lab.locator("#lab-module")).to_be_hidden()
    section(lab, "softprompt")
    expect(lab.locator("#softprompt-tokens tbody tr")).to_have_count(20)
    for title in ("plane", "missing"):
        lab.locator(".pp-more:visible .label-wrap", has_text=title).click()
    expect(lab.locator("#softprompt-plot .js-plotly-plot")).to_be_visible()
    lab.locator("#softprompt-leave-out input").click()
    lab.get_by_role("option").first.click()
    lab.locator("#softprompt-answer").click()
    expect(lab.locator("#softprompt-panes .pp-pane")).to_have_count(3)
    expect(lab.locator("#softprompt-notice")).to_contain_text("Done")
    former = lab.locator("#softprompt-panes[data-former]")
    expect(former).to_have_count(0)
    lab.screenshot(path=artifacts / "lowrank-softprompt.png", full_page=True)


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_the_checkpoints_of_an_own_run_drive_the_lab(lab: Page) -> None:
    start_training(lab, 2)
    expect(lab.locator("#status")).to_contain_text("2 steps, ")
    tab(lab, LAB)
    section(lab, "updates")
    expect(lab.locator("#lab-network td")).not_to_have_count(0)
    choose(lab, "#lab-adapter", "LoRA r = 8 · pirate (yours, no. 1)")
    expect(lab.locator("#lab-step")).to_be_visible()
    expect(lab.locator("#lab-network")).to_contain_text("Most changed")
    set_slider(lab, "#lab-step", 0)
    expect(lab.locator("#lab-network")).to_contain_text("every ΔW is zero")
    set_slider(lab, "#lab-step", 2)
    expect(lab.locator("#lab-network")).to_contain_text("Most changed")


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_cutting_the_rank_changes_the_figures_and_the_answer(page: Page, artifacts: Path) -> None:
    tab(page, LAB)
    section(page, "module")
    expect(page.locator("#lab-module")).to_contain_text("effective rank")
    kept = figure(page, "energy kept")
    assert kept() == 100
    set_slider(page, "#lab-kept", 1)
    expect(page.locator("#lab-module .pp-cut")).to_have_count(7)
    assert 20 < kept() < 100
    section(page, "edits")
    set_slider(page, "#lab-rank", 1)
    panes = page.locator("#lab-panes .pp-pane")
    expect(panes).to_have_count(3)
    expect(panes.nth(2)).to_contain_text("rank 1")
    expect(page.locator("#lab-notice")).to_contain_text("Done")
    expect(panes.nth(1)).to_contain_text("Arrr")
    page.screenshot(path=artifacts / "lowrank-cut.png", full_page=True)

    set_slider(page, "#lab-rank", 0)
    expect(panes.nth(2)).to_contain_text("rank 0")
    expect(page.locator("#lab-notice")).to_contain_text("Done")
    expect(panes.nth(2)).to_contain_text("same answer as the base model")

    asked, former = page.locator("#lab-panes .pp-asked"), page.locator("#lab-panes[data-former]")
    question = page.locator("#lab-prompt textarea")
    prompt = question.input_value()
    expect(asked).to_contain_text(f"Answers to “{prompt}” · SmolLM2-135M-Instruct · greedy")
    expect(former).to_have_count(0)
    question.fill("Who are you?")
    expect(former).to_have_count(1)
    expect(asked).to_contain_text("Something above has changed since: press “Answer” to ask again.", use_inner_text=True)
    page.reload()  # the controls come back with the answers that are theirs
    expect(panes.nth(2)).to_contain_text("rank 0")
    expect(page.locator("#lab-rank input[type=number]")).to_have_value("0")
    expect(question).to_have_value(prompt)
    expect(former).to_have_count(0)
    question.press("Control+End")
    question.press_sequentially("?")
    expect(former).to_have_count(1)
    assert "was trained" not in asked.inner_text()
    page.locator("#base input").first.click()
    page.get_by_role("option").filter(has_text="NF4").first.click()
    expect(asked).to_contain_text("the base on which the adapter was trained, not the one chosen", use_inner_text=True)

    set_slider(page, "#lab-rank", 2)  # another adapter ends what is on its way, and clears what was answered
    expect(panes.nth(2)).to_contain_text("rank 2")
    choose(page, "#lab-adapter", "IA3 · pirate")
    expect(panes).to_have_count(0)
    expect(page.locator("#lab-notice")).to_be_empty()
