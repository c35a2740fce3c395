"""A lesson as a visitor takes it: opened by its link, guessed by keyboard, read, and still there in the other language."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import visitor


def press(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def test_a_lesson_is_opened_by_link_guessed_by_keyboard_and_kept_in_the_other_language(
    context: BrowserContext, server: str
) -> None:
    with visitor(context, f"{server}/?tab=learn&lesson=fifty") as page:
        heading = page.locator("#lesson h2")
        expect(heading).to_have_text("50 × 50: how few numbers can change 2,500?")
        expect(page.locator(".pp-meaning")).to_have_count(0)
        page.locator("#lesson [data-guess]").first.focus()
        press(page, "Tab", 2)
        press(page, "Enter")  # 50 %
        expect(page.locator(".pp-is-right")).to_have_text("14\N{NO-BREAK SPACE}% computed")
        expect(page.locator(".pp-is-yours")).to_have_text("50\N{NO-BREAK SPACE}% your guess")
        expect(page.locator(".pp-choices")).to_be_focused()  # who listens hears what is new
        expect(page.locator(".pp-lesson-bars li")).to_have_count(3)
        page.emulate_media(media="print")
        expect(page.locator("#header")).to_be_hidden()
        expect(page.locator(".pp-meaning")).to_be_visible()
        page.emulate_media(media="screen")

        page.locator(".pp-turn a").last.click()
        expect(heading).to_be_focused()
        assert page.url.endswith("tab=learn&lesson=start")
        page.locator(".pp-languages a[lang=es]").click()
        page.wait_for_url("**lang=es**")
        expect(heading).to_have_text("¿Por qué LoRA empieza justo en el modelo base?")
        page.locator("[role=tab][data-tab-id=compare]").click()
        page.locator("[data-newcomer]").click()
        page.locator(".pp-turn a").first.click()
        expect(heading).to_have_text("50 × 50: ¿con cuántos números se cambian 2500?")
        expect(page.locator(".pp-is-yours")).to_have_text("50\N{NO-BREAK SPACE}% tu predicción")
        expect(page.locator(".pp-route .pp-done")).to_have_count(1)
        page.set_viewport_size({"width": 375, "height": 812})
        expect(page.locator(".pp-route")).to_be_hidden()
        page.locator(".pp-pick select").select_option("nf4")
        expect(heading).to_have_text("¿Cuántos bits son 4 bits?")
        page.locator(".pp-guess-number input").fill("99")
        press(page, "Enter")  # the browser says what would do
        expect(page.locator(".pp-meaning")).to_have_count(0)
        page.locator(".pp-guess-number input").fill("4")
        press(page, "Enter")
        expect(page.locator(".pp-is-right")).to_have_text("4,5\N{NO-BREAK SPACE}bits calculado")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.locator(".pp-pick select").select_option("long-prompt")
        page.locator("[data-guess]").first.click()
        even = page.locator(".pp-calculated .pp-label").last
        expect(even).to_have_text("pagado tras 72")
        page.locator("[name=examples]").focus()
        press(page, "ArrowRight", 4)  # twice as many: half as many answers
        expect(even).to_have_text("pagado tras 36")
        expect(page.locator("[name=examples] + output")).to_have_text("8")
        page.locator(".pp-pick select").select_option("energy")
        page.locator("[data-guess]").first.click()
        expect(page.locator(".pp-timed")).to_contain_text("Grabado en otra máquina")
        page.locator("[data-time]").click()
        expect(page.locator(".pp-timed")).to_contain_text("Medido ahora mismo en esta máquina")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.set_viewport_size({"width": 1280, "height": 900})
