"""
How the page behaves as a thing to look at, to touch and to hear: its language, its figures and tables, its keys, axe.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, Route, expect

from playground.locales import words
from playground.locales.glossary import entries
from playground.ui.kit.links import SECTIONS
from tests.browser.conftest import open_page, section, visitor, watch
from tests.conftest import walk

TABS = ("learn", "compare", "train", "lowrank", "quantization")
DRAWN = {  # what is seen once a tab has drawn all that it draws by itself
    "learn": "#lesson [data-open]",
    "compare": "#panes .pp-pane",
    "train": "#count .pp-figure",
    "lowrank": "#lowrank-sections .pp-copy:visible",
    "quantization": "#quantization-sections .pp-copy:visible",
}
DRAWN_IN = {"tensor": "#tensor-errors svg", "calibration": "#calibration-result table"}  # and in some sections
POST = "**/run/predict**"


def go(page: Page, tab: str) -> None:
    """Open a tab and wait for the last of its drawings."""
    page.locator(f"[role=tab][data-tab-id={tab}]").click()
    expect(page.locator(DRAWN[tab]).first).to_be_visible()


@pytest.fixture(scope="module")
def spanish(browser: Browser, server: str) -> Iterator[Page]:
    """The page as a Spanish phone shows it in the evening, with all tabs drawn."""
    size = {"width": 375, "height": 812}
    with browser.new_context(locale="es-ES", color_scheme="dark", viewport=size, has_touch=True) as context:
        page = context.new_page()
        wrong = watch(page)
        open_page(page, f"{server}/?tab=lowrank&section=module")
        for tab in TABS:
            go(page, tab)
        yield page
        assert wrong == []


@pytest.fixture(scope="module")
def laptop(context: BrowserContext, server: str) -> Iterator[Page]:
    """The page as an English laptop shows it by day. What a test opens there, it closes."""
    with visitor(context, server) as page:
        yield page


# The language


def test_nothing_is_asked_before_the_language_is_decided(browser: Browser, server: str) -> None:
    """The clock runs on while the opening waits for its answer: whatever asked now would be answered in English."""
    with browser.new_context(locale="es-ES") as context:
        page = context.new_page()
        page.clock.install()
        asked: list[str] = []
        held: list[Route] = []
        posted: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/run/predict" in request.url else None)
        page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
        page.route(POST, lambda route: held.append(route), times=1)
        with page.expect_request(POST):
            page.goto(server)
        page.clock.run_for(10_000)
        assert len(asked) == len(held) == 1
        for name, said in (("#header", "Un modelo"), ("#tabs", "Cuantizar"), ("#compare", "Comparar")):
            expect(page.locator(name)).to_contain_text(said)  # from the first
        assert page.locator("#tabs").evaluate("one => getComputedStyle(one).pointerEvents") == "none"
        page.locator("#compare").focus()
        for key in ("Enter", "Space"):  # nor by keyboard
            page.keyboard.press(key)
        page.clock.run_for(1_000)
        assert posted == asked
        held[0].continue_()
        expect(page.locator("#compare")).to_contain_text("Comparar")
        page.clock.run_for(10_000)
        expect(page.locator("#header")).to_contain_text("Un modelo, muchos comportamientos")
        expect(page.locator(".pp-languages a[aria-current]")).to_have_text("ES")


def test_a_link_opens_a_lab_in_spanish_on_a_phone(spanish: Page, artifacts: Path) -> None:
    for lab, seen, word in (("lowrank", "#lab-module", "rango efectivo"), ("quantization", "#number-result", "vecinos")):
        go(spanish, lab)
        expect(spanish.locator(seen)).to_contain_text(word)
        spanish.screenshot(path=artifacts / f"{lab}-375-dark.png", full_page=True)
    go(spanish, "lowrank")
    expect(spanish.locator(".pp-pick:visible select")).to_have_value("module")


def test_gradio_s_own_words_are_spanish_too(spanish: Page) -> None:
    spoken = spanish.evaluate(
        """() => [...document.querySelectorAll("*")].filter(one => !one.closest(".html-container")).flatMap(
            one => ["aria-label", "title", "alt", "placeholder"].map(name => one.getAttribute(name)).filter(Boolean))"""
    )
    assert len(spoken) > 20
    fixed = [words("en")[key] for key in words("en") if key.startswith("gradio.fixed.")]
    begun = tuple(one.partition("{")[0] for one in fixed if "{" in one and not one.startswith("{"))
    assert [one for one in spoken if one in fixed or one.startswith(begun)] == []
    assert [one for one in spoken if one in ("float8_e4m3", "int8_vectorwise", "nf4_double", "ternary")] == []
    go(spanish, "train")
    spanish.locator("#task-picker input").click()
    spanish.get_by_role("option").last.click()
    expect(spanish.locator("#own-file")).to_contain_text("Haz clic para subirlo")
    picture = {"name": "x.png", "mimeType": "image/png", "buffer": b"?"}
    spanish.locator("#own-file input[type=file]").set_input_files(picture)
    toast = spanish.get_by_test_id("toast-body")
    expect(toast.first).to_contain_text("x.png no es de un tipo admitido")
    spanish.get_by_test_id("toast-close").first.click()  # or it would lie over what the next test looks at
    expect(toast).to_have_count(0)


def test_sizes_of_files_are_written_as_the_page_writes_numbers(spanish: Page) -> None:
    for theirs, ours in (("13.0\u00a0B", "13\u00a0B"), ("1.5\u00a0KB", "1,5\u00a0KB"), ("2.5 mal", "2.5 mal")):
        spanish.evaluate("said => document.body.insertAdjacentHTML('beforeend', `<p id=size>${said}</p>`)", theirs)
        expect(spanish.locator("#size")).to_have_text(ours)
        spanish.evaluate("document.getElementById('size').remove()")


def test_an_upload_box_shows_its_label_and_its_icon_and_a_question_its_focus(laptop: Page) -> None:
    laptop.locator("#add-pane").click()
    box = laptop.locator("#upload-adapter")
    expect(box.locator("[data-testid=upload-icon]")).to_be_visible()
    label, icon = box.locator("label").bounding_box(), box.locator("[data-testid=upload-icon]").bounding_box()
    assert label is not None
    assert icon is not None
    assert label["y"] + label["height"] <= icon["y"]
    laptop.locator("#prompt textarea").focus()
    ring = laptop.locator("#prompt textarea").evaluate("one => getComputedStyle(one).boxShadow")
    assert "inset" in ring  # what lies outside is cut by the box around it
    assert "2px" in ring
    laptop.locator("#add-pane").click()


# What fits


def boxes(found: Locator) -> list[FloatRect]:
    return [box for box in (one.bounding_box() for one in found.all()) if box]


def test_a_phone_shows_every_tab_and_where_tables_go_on(spanish: Page) -> None:
    tabs = spanish.locator("#tabs > .tab-wrapper").get_by_role("tab")
    expect(tabs).to_have_count(5)
    for one in boxes(tabs):
        assert 0 <= one["x"] <= one["x"] + one["width"] <= 375
    assert spanish.evaluate("document.documentElement.scrollWidth") <= 375
    go(spanish, "quantization")
    section(spanish, "tensor")
    spanish.locator(".pp-more:visible .label-wrap", has_text="Todas las cifras").click()
    table = spanish.locator("#tensor-table .pp-scroll")
    expect(table).to_have_class("pp-scroll pp-wide pp-more")
    assert spanish.evaluate("one => getComputedStyle(one).maskImage", table.element_handle()).startswith("linear-gradient")
    table.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    expect(table).to_have_class("pp-scroll pp-wide")
    assert "sigue a la derecha" in table.evaluate("one => getComputedStyle(one, '::after').content")


@pytest.mark.parametrize("width", [375, 1280])
def test_no_button_lies_over_a_control(laptop: Page, width: int) -> None:
    laptop.set_viewport_size({"width": width, "height": 700})
    go(laptop, "train")
    covered = laptop.evaluate(
        """() => {
            const controls = [...document.querySelectorAll("#tabs input, #tabs textarea, #tabs .label-wrap")];
            const seen = controls.filter(one => one.offsetParent && !one.closest(".pp-go"));
            return [seen.length, seen.filter(one => {
                one.scrollIntoView({ block: "end" });
                const { x, y, width, height } = one.getBoundingClientRect();
                return document.elementFromPoint(x + width / 2, y + height / 2)?.closest(".pp-go");
            }).map(one => one.outerHTML)];
        }"""
    )
    assert covered[0] > 8
    assert covered[1] == []
    laptop.set_viewport_size({"width": 1280, "height": 900})


def test_a_list_that_tab_leaves_closes(laptop: Page) -> None:
    go(laptop, "train")
    box = laptop.locator("#task-picker input")
    box.focus()
    box.press("ArrowDown")
    expect(laptop.get_by_role("option")).not_to_have_count(0)
    box.press("Tab")
    expect(box).not_to_be_focused()
    expect(laptop.get_by_role("option")).to_have_count(0)
    expect(box).to_have_value("Talk like a pirate")


# What is heard


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]


AXE = Axe()


def violations(page: Page, part: str | None = None) -> list[Any]:
    """What axe finds in the page or in a part of it, every rule that it has but those for level AAA: none is left out."""
    if not page.evaluate("'axe' in window"):  # read once a document, it runs faster the second time
        page.evaluate(AXE.axe_script)
    told = {"resultTypes": ["violations"], "selectors": False}  # or it also describes all that passes, node by node
    asked = [part or "html", {"runOnly": {"type": "tag", "values": RULES}, **told}]
    found = page.evaluate("async asked => (await axe.run(...asked)).violations", asked)
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


def guess(page: Page) -> None:
    """Learn shows the most after it."""
    page.locator("#lesson [data-guess]").first.click()
    expect(page.locator("#lesson .pp-meaning")).to_be_visible()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("tab", walk(TABS, ["learn", "compare", "train"]))
def test_axe_finds_nothing_in_the_dark_on_a_phone(spanish: Page, tab: str) -> None:
    go(spanish, tab)
    if tab == "learn":
        guess(spanish)
    assert violations(spanish) == []
    for name in SECTIONS.get(tab, ()):
        section(spanish, name)
        expect(spanish.locator(DRAWN_IN.get(name, f"#copy-{name}")).first).to_be_visible()
        assert spanish.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert (name, violations(spanish, f"#section-{name}")) == (name, [])
    if tab == "learn":
        spanish.locator("[data-for=teachers]").click()
        expect(spanish.locator(".pp-plan h2")).to_have_text("Para docentes")
        assert violations(spanish) == []
        assert spanish.evaluate("document.documentElement.scrollWidth") <= 375
        spanish.locator(".pp-back a").click()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_nothing_on_a_laptop_in_daylight(laptop: Page, tab: str) -> None:
    go(laptop, tab)
    if tab == "learn":
        guess(laptop)
    if tab == "compare":
        for chip in ("#decoding-chip", "#add-pane"):
            laptop.locator(chip).click()
        expect(laptop.locator("#panes-chosen")).to_be_visible()
        for name, value in (("times", "2"), ("max_new_tokens", "4")):
            laptop.locator(f"#{name} input[type=number]").fill(value)
            laptop.locator(f"#{name} input[type=number]").press("Tab")
        expect(laptop.locator("#many")).to_contain_text("Answer 2 times")
        laptop.locator("#many").click()
        expect(laptop.locator("#many-result .pp-verdict")).to_be_visible()
        for fold in laptop.locator("#many-result summary").all():
            fold.click()
    if tab == "train":
        laptop.locator("#more .label-wrap").click()
        expect(laptop.locator("#train-seed")).to_be_visible()
    assert violations(laptop) == []


# Terms


MARKED = """async paragraphs => {
  const card = document.createElement("div");
  card.className = "pp-card";
  card.innerHTML = paragraphs.map(one => `<p class="pp-soft">${one}</p>`).join("");
  document.body.append(card);
  await null; // whoever observes the page has been told
  const found = [...card.children].map(one => one.innerHTML.replace(/<button[^>]*>(.*?)<\\/button>/g, "[$1]"));
  card.remove();
  return found;
}"""


def test_terms_are_marked_as_whole_words_twice_in_a_sentence_and_once_in_a_card(laptop: Page, spanish: Page) -> None:
    elsewhere = '<a href="#">rank</a> <b>rank</b> <code title="rank">rank</code> <i title="rank">ranks</i>'
    assert laptop.evaluate(MARKED, [elsewhere, "rank"]) == [elsewhere.replace("ranks", "[ranks]"), "rank"]
    english = ["Frank's prank is low-rank; a RANK is not a rank", "tokens, loss, logits and nats", "On a log scale a scale"]
    assert laptop.evaluate(MARKED, english) == [
        "Frank's prank is low-rank; a [RANK] is not a rank", "tokens, loss, [logits] and [nats]", "On a log scale a [scale]",
    ]  # fmt: skip
    assert laptop.evaluate(MARKED, ["quantization, doubled: double quantization &lt; it"]) == [
        "[quantization], doubled: [double quantization] &lt; it"
    ]
    assert spanish.evaluate(MARKED, ["El árango, los rangoñ y la pérdida: ¿qué rango?"]) == [
        "El árango, los rangoñ y la [pérdida]: ¿qué [rango]?"
    ]


def test_a_term_opens_its_entry_by_touch_and_by_key(spanish: Page, laptop: Page) -> None:
    go(spanish, "learn")
    term, entry = spanish.locator("#lesson .pp-term").first, spanish.locator("#pp-entry")
    term.tap()
    expect(entry).to_contain_text(entries("es")[term.get_attribute("data-term")].says)
    box = entry.bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= 375
    assert violations(spanish, "#pp-entry") == []
    spanish.locator("h1").tap()
    expect(entry).to_be_hidden()

    go(laptop, "compare")
    term, entry = laptop.locator(".pp-term:visible").first, laptop.locator("#pp-entry")
    for key in ("Enter", "Space"):
        term.focus()
        laptop.keyboard.press(key)
        expect(entry).to_be_focused()
        assert term.inner_text() in entries("en")[term.get_attribute("data-term")].forms
        expect(entry).to_contain_text(entries("en")[term.get_attribute("data-term")].says)
        laptop.keyboard.press("Escape")
        expect(entry).to_be_hidden()
        expect(term).to_be_focused()


def test_a_name_of_two_lines_moves_all_lists_of_first_tokens(laptop: Page) -> None:
    tops = """() => {
      document.querySelector("#first-tokens .pp-name").textContent = "A name that is much longer than its column is wide";
      return [...document.querySelectorAll("#first-tokens li:first-child")].map(one => one.getBoundingClientRect().top);
    }"""
    found = laptop.evaluate(tops)
    assert len(found) == 4
    assert max(found) - min(found) < 1
