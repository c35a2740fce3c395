"""The map over the network: kinds down, layers across, each module in its place."""

import re

import pytest

from playground.locales import LANGUAGES, text
from playground.plots.kit.heatmap import Place, layer_map
from playground.plots.quantize.wholemodel import network

ROW = re.compile(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>')
CELL = re.compile(r"<td([^>]*)>(.*?)</td>")


def rows(drawn: str) -> dict[str, list[str]]:
    """What is read out in each cell, by the kind of its row."""
    return {kind: [re.sub("<[^>]*>", "", inner) for _, inner in CELL.findall(cells)] for kind, cells in ROW.findall(drawn)}


def heads(drawn: str) -> list[str]:
    """What stands above the cells."""
    return re.findall(r'<th scope="col">(.*?)</th>', drawn)[1:]


def place(kind: str, layer: int | None, strength: float = 0.5, **changed: object) -> Place:
    return Place(kind, layer, strength, f"{kind} {layer}", f"module {kind} {layer}", **changed)


def test_kinds_keep_their_order_and_layers_rise() -> None:
    drawn = layer_map([place("up", 2), place("q", 10), place("q", 2), place("up", 0)], "en")
    assert rows(drawn) == {"up": ["up 0", "up 2", ""], "q": ["", "q 2", "q 10"]}
    assert heads(drawn) == ["0", "<span>2</span>", "10"]  # every fifth is seen, all are heard


def test_what_lies_outside_of_the_layers_is_in_the_last_column() -> None:
    drawn = layer_map([place("head", None), place("q", 0), place("q", 1)], "en")
    assert rows(drawn) == {"head": ["", "", "head None"], "q": ["q 0", "q 1", ""]}
    assert heads(drawn) == ["0", "<span>1</span>", "<span>outside the layers</span>"]


def test_a_cell_has_its_strength_its_words_and_a_frame_if_it_is_chosen() -> None:
    drawn = layer_map([place("q", 0, 0.25), place("q", 1, 1.0, chosen=True)], "en", "pp-sizes-map")
    marks = [marks for marks, _ in CELL.findall(drawn)]
    assert marks == [' style="--v:0.250" title="module q 0"', ' class="pp-chosen" style="--v:1.000" title="module q 1"']
    assert 'class="pp-network pp-sizes-map"' in drawn
    assert 'class="pp-network"' in layer_map([], "en")


def test_nothing_of_a_module_becomes_markup() -> None:
    drawn = layer_map([Place("<b>", 0, 0.5, "<i>", '"<u>')], "en")
    assert not re.search("<[biu]>", drawn)
    assert 'title="&quot;&lt;u&gt;"' in drawn


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_map_of_a_base_in_fewer_bits(language: str) -> None:
    known = [("q_proj", 0, 10.0), ("q_proj", 1, 30.0), ("up_proj", 0, None)]
    drawn = network([{"kind": kind, "layer": layer, "sqnr_db": rate} for kind, layer, rate in known], language)
    exact = text(language, "wholemodel.exact")
    point = "." if language == "en" else ","
    assert {kind: [one.replace("\N{NO-BREAK SPACE}", " ") for one in row] for kind, row in rows(drawn).items()} == {
        "q_proj": [f"10{point}0 dB", f"30{point}0 dB"],
        "up_proj": [exact, ""],
    }
    assert re.findall(r"--v:([\d.]+)", drawn) == ["0.150", "1.000", "1.000"]
