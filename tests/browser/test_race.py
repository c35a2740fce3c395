"""A race as a visitor runs it: one line opened, one button, a table, and a racer beside the others in Compare."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from playground.actions.leaderboard import board
from tests.browser.conftest import visitor
from tests.browser.test_looks import violations
from tests.browser.test_page import BRIEFLY, set_slider, tab


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_two_racers_run_and_one_of_them_opens_in_compare(context: BrowserContext, server: str, artifacts: Path) -> None:
    with visitor(context, server + BRIEFLY) as page:
        tab(page, 1)
        page.locator("#task-picker input").click()
        page.get_by_role("option", name="Tell good reviews from bad ones").click()
        set_slider(page, "#steps", 2)
        expect(page.locator("#race-go")).to_be_hidden()  # one line, and nothing more, before it is opened
        page.locator("#race .label-wrap").click()
        page.locator("#racers .token-remove").first.click()  # prompt tuning; IA3 and LoRA stay
        page.locator("#race-go").click()
        expect(page.locator("#race-status")).to_contain_text("All racers have ended")
        rows = page.locator("#race-result .pp-race tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text("57,600")
        expect(rows.nth(1)).to_contain_text("460,800")
        expect(page.locator("#race-result .pp-outcome")).to_contain_text("held-out loss")
        page.locator("#runs-panel .label-wrap").click()
        assert violations(page) == []
        page.screenshot(path=artifacts / "race.png", full_page=True)

        expect(page.locator("#board-task")).to_be_hidden()
        page.locator("#board .label-wrap").click()  # how the methods compare
        ours = page.locator("#board-result .pp-board tbody tr")
        expect(ours).to_have_count(len(board("sentiment")["methods"]) + 2)  # the racers' task, and they in it
        expect(page.locator("#board-result .pp-outcome")).not_to_be_empty()
        assert violations(page) == []
        page.screenshot(path=artifacts / "leaderboard.png", full_page=True)

        page.reload()
        tab(page, 1)
        expect(rows).to_have_count(2)  # opened again, as it was
        expect(page.locator("#runs-panel")).to_contain_text("This session’s runs (2)")
        page.locator("#runs-panel .label-wrap").click()
        runs = page.locator("#runs-result .pp-runs tbody tr")
        expect(runs).to_have_count(4)  # and base and few-shot
        with page.expect_download() as saved:
            page.locator("#runs-result a[download]").click()
        table = list(csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines()))
        for shown, row in zip(runs.all(), [*table[2:], *table[:2]], strict=True):
            expect(shown).to_contain_text(f"{row['right']} of {row['questions']}")

        rows.nth(0).get_by_role("button").click()
        expect(page.locator("#compare-notice")).to_contain_text("Done")
        expect(page.locator("#panes .pp-name", has_text="IA3 · sentiment (yours")).to_be_visible()
        page.locator("#scores .label-wrap").click()
        expect(page.locator("#scores-task input")).to_have_value("Tell good reviews from bad ones")  # that of the question
        page.locator("#scores-go").click()
        expect(page.locator("#scores-result tr", has_text="Few-shot")).to_contain_text("of 16")  # it is known
        page.locator("#scores-stop").click()
        expect(page.locator("#scores-result [role=status]")).to_contain_text("Stopped")
