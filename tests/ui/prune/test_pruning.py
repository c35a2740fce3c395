"""
The three sections on pruning, without a browser: what they show, do and say, in both languages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from transformers import AutoModelForCausalLM

from playground import settings
from playground.actions.prune import HEAL, PRUNE, PRUNE_ANSWERS, download, pruning_of, variants
from playground.errors import PlaygroundError
from playground.model.bases import BASES, Base
from playground.model.pruning import KINDS, Pruning
from playground.prune.healed import WHO, Healed, Recorded, Recovery
from playground.prune.looking import Looked
from playground.prune.picture import Taken
from playground.prune.rows import Row, Table
from playground.prune.table import everything
from playground.ui.prune import curve, healing, healing_html, names, pruning, pruning_html
from playground.work.sessions import SESSIONS
from tests.families import one_thread as one_thread
from tests.families import tiny_base
from tests.ui.drawn import HOSTILE, Page, assert_laws, both_languages
from tests.ui.labs import built


@pytest.fixture
def key(loaded: Callable[[Base], Base]) -> Iterator[str]:
    """A visitor, and a tiny base to prune."""
    loaded(tiny_base("llama"))
    yield "pruner"
    for place in (PRUNE, PRUNE_ANSWERS, HEAL):
        SESSIONS.stop("pruner", place)


BASE = Row("", 134_515_008, 538_060_032, 0, 11.0, 3.36, 0.326, "Paris.")


def row(name: str, **other: Any) -> Row:
    numbers = {"parameters": 118_600_128, "bytes": 474_400_512, "zeros": 0, "tokens_per_second": 12.0}
    return Row(name, **{**numbers, "loss": 3.63, "right": 0.3, "answer": HOSTILE, **other})


SEEN = Looked("smollm2-135m", "width-20-activation", Taken((0.05, 0.1, 0.02)), (BASE, row("width-20-activation")))
TABLE = Table("smollm2-135m", (BASE, *(row(str(one), loss=4 + place / 10) for place, one in enumerate(everything()))))


def healed(**losses: float) -> Recovery:
    rows = tuple(
        Healed(who, 118_600_128, 0 if who in ("whole", "pruned") else 100, 2.0, loss, 2.5 - place / 10, 0.3, HOSTILE)
        for place, (who, loss) in enumerate(losses.items())
    )
    return Recovery("smollm2-135m", "width-20-activation", "summary", rows)


def pieces(language: str) -> list[str]:
    parts = Looked("smollm2-135m", "depth-20-cosine", Taken((0.3, 0.1, 0.2), (1,)), (BASE, row("depth-20-cosine")))
    left = row("sparse-20-wanda", zeros=5, parameters=BASE.parameters)
    zeros = Looked("smollm2-135m", "sparse-20-wanda", Taken((0.1,)), (BASE, left))
    return [
        *(pruning_html.looked(one, language) for one in (SEEN, parts, zeros)),
        pruning_html.curve(TABLE.rows, language),
        healing_html.recorded(Recorded(healed(whole=3.3, pruned=3.8, lora=3.6, whole_lora=3.4), "CPU; x", 60), language),
        healing_html.table(healed(whole=3.3, pruned=3.8, lora=3.9), language),
        healing_html.table(healed(whole=3.3, pruned=3.3, lora=3.2), language),
        healing_html.working(Recovery("a", "b", "c", working="lora"), language),
        healing_html.working(Recovery("a", "b", "c", working="lora", step=2, steps=3), language),
    ]


def test_every_piece_is_sound_and_speaks_its_language() -> None:
    assert_laws(pieces)


@both_languages
def test_an_answer_is_text(language: str) -> None:
    page = Page(pruning_html.curve(TABLE.rows, language))
    assert not {"script", "img"} & {tag for tag, _ in page.elements}


def test_the_sentence_says_what_was_saved_and_what_it_cost() -> None:
    held = Page(pruning_html.looked(SEEN, "en")).text
    assert "12 % fewer parameters, and perplexity goes from 28.8 to 37.7" in held.replace("\N{NO-BREAK SPACE}", " ")
    ruined = Page(pruning_html.said(BASE, row("width-20-max_min", loss=7.5), "en")).text
    assert "much of what it knew is gone" in ruined


def test_layers_that_go_are_marked() -> None:
    drawn = Page(pruning_html.drawing(Taken((0.3, 0.1, 0.2), (1,)), Pruning("depth", 0.4, "cosine"), "en"))
    bars = [attributes.get("class") for tag, attributes in drawn.elements if tag == "rect"]
    assert bars == [None, "pp-gone", None]


def test_what_comes_back_is_a_share_of_what_was_lost() -> None:
    said = Page(healing_html.table(healed(whole=3.0, pruned=4.0, lora=3.75, distilled=3.5, whole_lora=3.1), "en")).text
    said = said.replace("\N{NO-BREAK SPACE}", " ")
    assert "cost 1.00 nats a token; “Pruned + LoRA, distilled” brings 50 % of that back" in said
    assert "changes the whole base by +0.10" in said
    assert (
        "On the task “Pruned + LoRA, distilled” takes the held-out loss from 2.40 to 2.20; the whole base has 2.50" in said
    )
    worse = Page(healing_html.table(healed(whole=3.0, pruned=4.0, lora=4.25), "en")).text
    assert "another 25" in worse


@both_languages
def test_everything_that_can_be_pruned_is_offered_by_its_name(language: str) -> None:
    offered = names.choices(language)
    assert len({name for name, _ in offered}) == len(offered) == sum(len(one.rules) for one in KINDS.values()) - 1
    for _, what in offered:
        assert names.what_of(pruning_of(what, 20)) == what


def test_panes_are_the_base_what_is_left_its_form_and_the_wrong_way() -> None:
    shown = variants("smollm2-135m:nf4", pruning_of("width-activation", 20), "nf4", True)
    assert [one.base for one in shown] == [
        "smollm2-135m",
        "smollm2-135m:width-20-activation",
        "smollm2-135m:width-20-activation:nf4",
        "smollm2-135m:width-20-apart",
    ]
    assert len(variants("smollm2-135m", pruning_of("depth-last", 20), "", True)) == 2
    assert str(pruning_of("pattern-wanda", 20)) == "pattern-50-wanda"
    with pytest.raises(PlaygroundError):
        pruning_of("nothing", 20)


def test_the_section_prunes_looks_and_answers(key: str) -> None:
    _, lab = built("quantization", pruning, "tiny-llama")
    section = lab.sections["prune"]
    asked = lab.value("prune", key=key, what="width-max_min", share=50, form="", apart=True)
    changes = list(section.run(asked, {}))  # type: ignore[misc]
    runs = SESSIONS.get(key).runs
    assert runs[PRUNE].state == runs[PRUNE_ANSWERS].state == "finished"
    assert [one.adapter for one in runs[PRUNE_ANSWERS].events[-1].panes] == [
        "base",
        "base:width-50-max_min",
        "base:width-50-apart",
    ]
    said = "".join(str(value) for change in changes for value in change.values())
    assert "panes=base%2Cbase%3Awidth-50-max_min%2C" in said
    again = list(section.attach(asked))  # type: ignore[misc]
    assert any("pp-layers" in str(value) for change in again for value in change.values())
    refused = list(section.run(lab.value("prune", key=key, what="width-max_min", share=70), {}))  # type: ignore[misc]
    assert 'role="alert"' in str(refused)


def test_what_comes_back_is_measured_in_the_section(key: str) -> None:
    _, lab = built("quantization", healing, "tiny-llama")
    section = lab.sections["healing"]
    asked = lab.value("healing", key=key, what="width-max_min", share=50, task="sentiment", steps=1, seed=0)
    changes = list(section.run(asked, {}))  # type: ignore[misc]
    run = SESSIONS.get(key).runs[HEAL]
    assert (run.state, run.error) == ("finished", None)
    assert [one.who for one in run.events[-1].rows] == list(WHO)
    plain, left = (BASES.get(one).architecture.parameters for one in ("tiny-llama", "tiny-llama:width-50-max_min"))
    assert [one.parameters for one in run.events[-1].rows] == [plain, left, left, left, left, plain]
    assert "pp-healed" in str(changes[-1].values())


@both_languages
def test_what_came_back_elsewhere_is_shown_before_anything_is_trained_here(language: str) -> None:
    _, lab = built("quantization", healing)
    section = lab.sections["healing"]
    asked = lab.value("healing", key="nobody", language=language)
    (table,) = section.draw(asked).values()
    drawn = Page(table)
    assert drawn.count("tr") == 1 + len(WHO)
    made = json.loads(next(value for value in drawn.attributes("data-made-from")))
    assert made == {name: getattr(asked, name) for name in made}  # what is recorded is what the controls begin with


@both_languages
def test_the_recorded_table_stands_in_the_section(language: str) -> None:
    _, lab = built("quantization", curve)
    section = lab.sections["prunecurve"]
    (table,) = section.draw(lab.value("prunecurve", language=language)).values()
    assert Page(table).count("tr") == 1 + sum(len(one.rules) for one in KINDS.values())


def test_what_is_left_can_be_taken_away_and_plain_transformers_loads_it(key: str, tmp_path: Path) -> None:
    path = download("tiny-llama:nf4", pruning_of("width-max_min", 20))
    with ZipFile(path) as packed:
        packed.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "tiny-llama-width-20-max_min"
    read, left = AutoModelForCausalLM.from_pretrained(folder), BASES.get("tiny-llama:width-20-max_min").model
    assert read.config.intermediate_size == 103
    assert all(torch.equal(one, left.state_dict()[name]) for name, one in read.state_dict().items())
    with pytest.raises(PlaygroundError) as error:
        download("tiny-llama", pruning_of("bypass-last", 50))
    assert error.value.key == "pruned_not_saved"


def test_what_is_too_large_is_not_packed(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_MODEL_BYTES", 1000)
    with pytest.raises(PlaygroundError) as error:
        download("tiny-llama", pruning_of("width-max_min", 20))
    assert error.value.key == "model_too_large"
