"""What is seen is saved: drawings as SVG and PNG in the page's colours, tables as CSV, the session as JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import open_page, unfold, watch
from tests.browser.test_looks import violations

LINK = "/?tab=quantization&section=tensor&lang={}"
SVG = "{http://www.w3.org/2000/svg}"


def saved(page: Page, button: Locator) -> tuple[str, bytes]:
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.timeout(400)
def test_a_dark_phone_saves_drawings_a_table_and_the_session(browser: Browser, server: str, artifacts: Path) -> None:
    phone: Any = {"locale": "es", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}}
    with browser.new_context(**phone) as context:
        page = context.new_page()
        wrong = watch(page)
        open_page(page, server + LINK.format("es"))
        unfold(page, "Todas las cifras", "Bits frente a error")
        expect(page.locator("#section-tensor table:visible").first).to_be_visible()
        fold = page.locator("#saving")
        fold.locator("summary").click()
        expect(fold.locator("li span").first).to_be_visible()  # the list is made as it opens
        names = fold.locator("li span").all_inner_texts()
        assert len(set(names)) == len(names) >= 3
        assert not any(name.isdigit() for name in names)  # each is called by the words above it

        for item in fold.locator("li", has_text="SVG").all():
            name, content = saved(page, item.get_by_role("button", name="SVG"))
            drawing = ElementTree.fromstring(content)
            assert name.endswith(".svg")
            assert (drawing.tag, drawing[0].get("fill")) == (f"{SVG}svg", "rgb(26, 29, 35)")
            assert not [one for one in drawing.iter() if one.get("class")]
            assert item.locator("span").inner_text() in "".join(drawing.itertext())  # it says what it is
            name, content = saved(page, item.get_by_role("button", name="PNG"))
            with Image.open(io.BytesIO(content)) as image:
                assert image.size == (2 * int(drawing.attrib["width"]), 2 * int(drawing.attrib["height"]))
                assert len(image.convert("RGB").getcolors(1 << 24) or []) > 2

        shown = page.locator("#section-tensor table:visible").first
        name, content = saved(page, fold.locator("li", has_text="CSV").first.get_by_role("button", name="CSV"))
        rows = list(csv.reader(io.StringIO(content.decode())))
        assert len(rows) == shown.locator("tr").count() > 2
        assert len({len(row) for row in rows}) == 1

        name, content = saved(page, fold.locator("[data-session]"))
        assert name == "peft-playground-session.json"
        assert json.loads(content) == {"adapters": [], "runs": []}
        assert violations(page) == []
        fold.scroll_into_view_if_needed()
        page.screenshot(path=artifacts / "saving.png")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert wrong == []
