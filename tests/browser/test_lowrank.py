"""
The low-rank lab with real clicks: sliders move, and the figures that follow them are read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import open_page, section, watch
from tests.browser.test_page import set_slider, start_training, tab

LAB = 2


@pytest.fixture
def lab(page: Page) -> Page:
    """The lab, opened and drawn."""
    tab(page, LAB)
    section(page, "module")
    expect(page.locator("#lab-module")).to_contain_text("effective rank")
    return page


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


@pytest.mark.timeout(400)
def test_cutting_the_rank_changes_the_figures_and_the_answer(lab: Page, artifacts: Path) -> None:
    kept = figure(lab, "energy kept")
    assert kept() == 100
    set_slider(lab, "#lab-kept", 1)
    expect(lab.locator("#lab-module .pp-cut")).to_have_count(7)
    assert 20 < kept() < 100
    section(lab, "edits")
    set_slider(lab, "#lab-rank", 1)
    panes = lab.locator("#lab-panes .pp-pane")
    expect(panes).to_have_count(3)
    expect(panes.nth(2)).to_contain_text("rank 1")
    expect(lab.locator("#lab-notice")).to_contain_text("Done")
    expect(panes.nth(1)).to_contain_text("Arrr")
    lab.screenshot(path=artifacts / "lowrank-cut.png", full_page=True)

    set_slider(lab, "#lab-rank", 0)
    expect(panes.nth(2)).to_contain_text("rank 0")
    expect(lab.locator("#lab-notice")).to_contain_text("Done")
    expect(panes.nth(2)).to_contain_text("same answer as the base model")

    asked, former = lab.locator("#lab-panes .pp-asked"), lab.locator("#lab-panes[data-former]")
    question = lab.locator("#lab-prompt textarea")
    prompt = question.input_value()
    expect(asked).to_contain_text(f"Answers to “{prompt}” · SmolLM2-135M-Instruct · greedy")
    expect(former).to_have_count(0)
    question.fill("Who are you?")
    expect(former).to_have_count(1)
    expect(asked).to_contain_text("Something above has changed since: press “Answer” to ask again.", use_inner_text=True)
    lab.reload()  # the controls come back with the answers that are theirs
    expect(panes.nth(2)).to_contain_text("rank 0")
    expect(lab.locator("#lab-rank input[type=number]")).to_have_value("0")
    expect(question).to_have_value(prompt)
    expect(former).to_have_count(0)
    question.press("Control+End")
    question.press_sequentially("?")
    expect(former).to_have_count(1)
    assert "was trained" not in asked.inner_text()
    lab.locator("#base input").first.click()
    lab.get_by_role("option").filter(has_text="NF4").first.click()
    expect(asked).to_contain_text("the base on which the adapter was trained, not the one chosen", use_inner_text=True)

    set_slider(lab, "#lab-rank", 2)  # another adapter ends what is on its way, and clears what was answered
    expect(panes.nth(2)).to_contain_text("rank 2")
    choose(lab, "#lab-adapter", "IA3 · pirate")
    expect(panes).to_have_count(0)
    expect(lab.locator("#lab-notice")).to_be_empty()


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


def test_another_module_and_another_adapter_are_drawn_and_two_are_compared(lab: Page) -> None:
    section(lab, "overlap")
    lab.locator("#overlap-go").click()
    expect(lab.locator("#overlap-said")).to_contain_text("φ(1, 1)")
    expect(lab.locator("#overlap .js-plotly-plot")).to_be_visible()
    section(lab, "module")
    choose(lab, "#lab-module-picker", "layer 7 · q_proj")
    expect(lab.locator("#lab-module h2")).to_have_text("layer 7 · q_proj")
    section(lab, "updates")
    expect(lab.locator("#lab-network .pp-chosen")).to_have_count(1)
    choose(lab, "#lab-adapter", "IA3 · pirate")
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


@pytest.mark.timeout(400)
def test_the_checkpoints_of_an_own_run_drive_the_lab(page: Page) -> None:
    start_training(page, 2)
    expect(page.locator("#status")).to_contain_text("2 steps, ")
    tab(page, LAB)
    section(page, "updates")
    expect(page.locator("#lab-network td")).not_to_have_count(0)
    choose(page, "#lab-adapter", "LoRA r = 8 · pirate (yours, no. 1)")
    expect(page.locator("#lab-step")).to_be_visible()
    expect(page.locator("#lab-network")).to_contain_text("Most changed")
    set_slider(page, "#lab-step", 0)
    expect(page.locator("#lab-network")).to_contain_text("every ΔW is zero")
    set_slider(page, "#lab-step", 2)
    expect(page.locator("#lab-network")).to_contain_text("Most changed")


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark")])
def test_a_link_opens_the_lab_in_spanish_and_nothing_overflows(
    browser: Browser, server: str, artifacts: Path, width: int, scheme: str
) -> None:
    with browser.new_context(locale="es-ES", color_scheme=scheme, viewport={"width": width, "height": 812}) as context:
        page = context.new_page()
        wrong = watch(page)
        open_page(page, f"{server}/?tab=lowrank&section=module")
        expect(page.locator("#lab-module")).to_contain_text("rango efectivo")
        expect(page.locator(".pp-pick:visible select")).to_have_value("module")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.screenshot(path=artifacts / f"lowrank-{width}-{scheme}.png", full_page=True)
        assert wrong == []
