"""A lesson as a visitor takes it: opened by its link, guessed by keyboard, read, and still there in the other language."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import visitor


def press(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def replay_by_keyboard(page: Page) -> None:
    """The scrubber moves step, losses, answers and the line in the curve, and asks nobody."""
    page.locator("#lesson [data-guess]").first.click()
    page.locator(".pp-replays summary").click()
    scrubber, said = page.locator(".pp-scrub input"), page.locator(".pp-replays [data-said]")
    expect(said.first).to_have_text("step 24 of 24")
    after = said.all_inner_texts()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    scrubber.focus()
    press(page, "ArrowLeft")
    expect(said.first).to_have_text("step 22 of 24")
    expect(scrubber).to_have_attribute("aria-valuetext", "step 22 of 24")
    press(page, "Home")
    expect(said.first).to_have_text("step 0 of 24")
    expect(page.locator(".pp-now")).to_have_attribute("x1", "0.00%")
    assert all(one != other for one, other in zip(said.all_inner_texts(), after, strict=True))
    assert asked == []


def run_it_here(page: Page) -> None:
    """From one of several recorded trainings to Train, with its recipe."""
    page.locator(".pp-pick select").select_option("explosion")
    page.locator("#lesson [data-guess]").first.click()
    page.locator(".pp-replays summary").click()
    page.locator("[data-run=pirate-exploded]").click()
    shown = page.locator("[data-replay=pirate-exploded]")
    expect(shown).to_be_visible()
    expect(page.locator("[data-replay=pirate-calm]")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    shown.locator(".pp-here").click()
    expect(page.locator("[role=tab][data-tab-id=train]")).to_have_attribute("aria-selected", "true")
    for field, value in (("lora-rank", "8"), ("steps", "24")):
        expect(page.locator(f"#{field} input[type=number]")).to_have_value(value)
    expect(page.locator("#lora-learning_rate input")).to_have_value("0,03")
    expect(page.locator("#method-picker input[value=lora]")).to_be_checked()


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
        replay_by_keyboard(page)
        page.locator(".pp-languages a[lang=es]").click()
        page.wait_for_url("**lang=es**")
        expect(heading).to_have_text("¿Por qué LoRA empieza justo en el modelo base?")
        page.locator("[role=tab][data-tab-id=compare]").click()
        page.locator("[data-newcomer]").click()
        page.locator(".pp-turn a").first.click()
        expect(heading).to_have_text("50 × 50: ¿con cuántos números se cambian 2500?")
        expect(page.locator(".pp-is-yours")).to_have_text("50\N{NO-BREAK SPACE}% tu predicción")
        expect(page.locator(".pp-route .pp-done")).to_have_count(2)
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
        expect(even).to_have_text("amortizado tras 72")
        page.locator("[name=examples]").focus()
        press(page, "ArrowRight", 4)  # twice as many: half as many answers
        expect(even).to_have_text("amortizado tras 36")
        expect(page.locator("[name=examples] + output")).to_have_text("8")
        page.locator(".pp-pick select").select_option("energy")
        page.locator("[data-guess]").first.click()
        expect(page.locator(".pp-timed")).to_contain_text("Grabado en otra máquina")
        page.locator("[data-time]").click()
        expect(page.locator(".pp-timed")).to_contain_text("Medido ahora mismo en esta máquina")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        run_it_here(page)
        page.set_viewport_size({"width": 1280, "height": 900})
