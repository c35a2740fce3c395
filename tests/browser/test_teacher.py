"""
A class as it goes: a student's file, the teacher who reads many of them in the browser alone, sheets on paper, and a link
that locks a control.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from playground.actions.compare import recorded
from playground.learn.route import LESSONS
from tests.browser.conftest import open_page, visitor
from tests.browser.test_looks import violations

PRINTS = (
    "void (window.print = () => { dispatchEvent(new Event('beforeprint')); window.printed = (window.printed || 0) + 1; })"
)
QUIET = """() => performance.getEntriesByType("resource").filter(one => one.name.includes("/gradio_api/run/"))
  .every(one => performance.now() - one.responseEnd > 2000)"""


def results_of(page: Page, folder: Path) -> bytes:
    """The student's file, as the browser saves it."""
    with page.expect_download() as saved:
        page.locator("[data-act=results]").click()
    path = folder / saved.value.suggested_filename
    saved.value.save_as(path)
    return path.read_bytes()


def file(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "text/csv", "buffer": content}


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_a_class_s_files_are_counted_in_the_browser_and_sheets_are_printed(
    context: BrowserContext, server: str, tmp_path: Path
) -> None:
    with visitor(context, f"{server}/?tab=learn&lesson=fifty") as page:
        page.locator("#lesson [data-guess]").nth(1).click()
        expect(page.locator("[data-act=results]")).to_have_text("My results")
        page.locator(".pp-route a[data-lesson=nf4]").click()
        page.locator(".pp-guess-number input").fill("4")
        page.keyboard.press("Enter")
        expect(page.locator(".pp-route .pp-done")).to_have_count(2)
        mine = results_of(page, tmp_path)
        assert mine.decode().splitlines()[0] == "lesson,guess,measured,right,off_by"
        assert mine.decode().splitlines()[2] == "nf4,4,4.5,,-0.5"

        page.locator("[data-for=teachers]").click()
        page.locator(".pp-plan").wait_for()
        assert dict(parse_qsl(urlsplit(page.url).query)) == {"tab": "learn", "for": "teachers"}
        expect(page.locator(".pp-plan li")).to_have_count(len(LESSONS))
        expect(page.locator(".pp-state.pp-ready")).to_be_visible()  # until then the page asks how the base is
        page.wait_for_function(QUIET)  # what opening it has asked for is answered
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        other = mine.decode().replace("fifty,14,", "fifty,50,").replace("nf4,4,", "nf4,8,").encode("utf-8-sig")
        twice, outside = mine + b"fifty,2,1,0,0\r\n", mine.replace(b"nf4,4,", b"nf4,99,")
        wrong = {"a.csv": b"name,age\r\nAnna,12\r\n", "b.csv": twice, "c.csv": outside}
        page.locator(".pp-drop input").set_input_files([file("x.csv", mine), file("y.csv", other), file("z.csv", other)])
        expect(page.locator(".pp-class-count")).to_have_text("Files: 3 · guesses: 6")
        fifty, number = page.locator("[data-of=fifty].pp-class-lesson"), page.locator("[data-of=nf4].pp-class-lesson")
        assert fifty.locator("li > b").all_inner_texts() == ["0", "1", "2", "0"]
        expect(fifty.locator(".pp-is-right")).to_contain_text("14\N{NO-BREAK SPACE}%")
        expect(fifty.locator("h3")).to_contain_text("1 of 3 right")
        expect(number.locator("i")).to_have_count(3)
        expect(number).to_contain_text("Median of the guesses: 8 bits. 4.5\N{NO-BREAK SPACE}bits computed.")
        page.locator(".pp-drop input").set_input_files([file(name, content) for name, content in wrong.items()])
        said = page.locator(".pp-class-bad li")
        expect(said).to_have_count(3)
        assert [(name in one, one[-3]) for name, one in zip(wrong, said.all_inner_texts(), strict=True)] == [
            (True, "1"), (True, "4"), (True, "3"),
        ]  # fmt: skip
        expect(page.locator(".pp-class-count")).to_have_text("Files: 3 · guesses: 6")
        assert sent == []

        page.locator(".pp-plan [aria-controls=hand-out-nf4]").click()
        expect(page.locator("#hand-out-nf4 .pp-qr")).to_be_visible()
        assert violations(page) == []
        page.evaluate(PRINTS)
        page.locator("#hand-out-nf4 [data-kind=questions]").click()
        page.emulate_media(media="print")
        assert page.locator(".pp-sheet:visible").evaluate_all("all => all.map(one => one.dataset.of)") == ["nf4"]
        expect(page.locator(".pp-plan")).to_be_hidden()
        address = page.evaluate("getComputedStyle(document.querySelector('#tabs'), '::after').content")
        assert address.strip('"') == page.url
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        expect(page.locator(".pp-plan .pp-qr:visible")).to_have_count(len(LESSONS))  # links and codes
        page.emulate_media(media="screen")
        page.locator(".pp-plan > .pp-ways [data-kind=answers]").click()
        page.emulate_media(media="print")
        expect(page.locator(".pp-sheet:visible")).to_have_count(len(LESSONS))
        assert page.evaluate("window.printed") == 2
        page.emulate_media(media="screen")

        locked = page.locator(".pp-locking")
        locked.locator("summary").click()
        locked.locator("[value='toy.rank']").check()
        link = f"{server}/?lang=en&tab=lowrank&section=toy&lock=toy.rank"
        expect(locked.locator(".pp-link")).to_have_text(link)
        locked.locator("[type=url]").fill("toy")
        expect(locked.locator(".pp-link")).to_contain_text("not a link")
        locked.locator("[type=url]").fill(f"{server}/?lang=en&tab=lowrank&section=toy&lock=toy.seed&toy.rank=3")
        locked.locator("[value=hide]").check()
        expect(locked.locator(".pp-link")).to_have_text(re.compile("lock=toy.seed&toy.rank=3&hide=toy.rank$"))
        locked.locator("[value=lock]").check()
        expect(locked.locator(".pp-link")).to_have_text(f"{link.replace('lock=', 'lock=toy.seed,')}&toy.rank=3")
        assert violations(page) == []
        page.locator("[role=tab][data-tab-id=train]").click()
        assert dict(parse_qsl(urlsplit(page.url).query)) == {"tab": "train"}
        page.locator("[role=tab][data-tab-id=learn]").click()
        assert dict(parse_qsl(urlsplit(page.url).query)) == {"tab": "learn", "for": "teachers"}
        page.locator(".pp-back a").click()
        expect(page.locator("#lesson h2")).to_be_visible()
        assert "for" not in dict(parse_qsl(urlsplit(page.url).query))
        open_page(page, f"{link.replace('lock=', 'lock=toy.seed,')}&toy.rank=3")
        for name in ("rank", "seed"):
            expect(page.locator(f"#toy-{name} input[type=number]")).to_be_disabled()
        expect(page.locator("#toy-rank input[type=number]")).to_have_value("3")
        expect(page.locator("#toy-rows input[type=number]")).to_be_enabled()

        open_page(page, f"{server}/?tab=compare&temperature=0.7&lock=temperature,rank&rank=4&max_new_tokens=8")
        page.locator("#try-json").click()
        expect(page.locator("#prompt textarea")).to_have_value(recorded()["json"]["prompt"])
        expect(page.locator("#decoding-chip")).to_contain_text("temperature 0.7 · 64 tokens")
        expect(page.locator("#answered")).to_have_attribute("data-former", "")  # they were written with another one
        page.locator("#decoding-chip").click()
        expect(page.locator("#temperature input[type=number]")).to_be_disabled()
        expect(page.locator("#temperature")).to_contain_text("Set by your teacher")
        expect(page.locator("#max_new_tokens input[type=number]")).to_be_enabled()
        held = {"temperature": "0.7", "lock": "temperature,rank", "rank": "4"}
        assert dict(parse_qsl(urlsplit(page.url).query)) == held
        page.locator("[role=tab][data-tab-id=train]").click()
        page.locator("#method-picker input[value=qlora]").click()
        expect(page.locator("#qlora-rank input[type=number]")).to_have_value("4")
        expect(page.locator("#qlora-rank input[type=number]")).to_be_disabled()
        page.reload()
        expect(page.locator("#qlora-rank input[type=number]")).to_have_value("4")
        expect(page.locator("#qlora-rank input[type=number]")).to_be_disabled()
        page.locator("[role=tab][data-tab-id=compare]").click()
        expect(page.locator("#decoding-chip")).to_contain_text("temperature 0.7")


def test_train_cannot_be_pressed_before_a_link_has_filled_it_in(context: BrowserContext, server: str) -> None:
    """Read in the first frame in which it can be: a class that presses at once trains what the teacher chose."""
    pressable = """() => {
      const go = document.querySelector("#train"), method = document.querySelector("#method-picker input:checked");
      const open = go?.checkVisibility() && getComputedStyle(go).pointerEvents !== "none";
      return open && [method.value, document.querySelector("#steps input").value];
    }"""
    page = context.new_page()
    page.goto(f"{server}/?tab=train&method=ia3&steps=8", wait_until="commit")
    assert page.wait_for_function(pressable, polling="raf").json_value() == ["ia3", "8"]
    page.close()
