import dataclasses
import math
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch

from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.formats.statistics import errors
from playground.model.bases import Base, load
from playground.model.catalogue import CATALOGUE, FORMS, BaseSpec
from playground.model.modules import linear_layers
from playground.model.neutral import TEXT, WINDOW, text_windows
from playground.model.weights import held_bytes
from playground.quantize import wholemodel
from playground.quantize.wholemodel import WholeJob, log_probabilities, survey
from tests.families import one_thread, tiny_base  # noqa: F401

SOME = ("int8", "int4", "nf4", "ternary")


@pytest.fixture(scope="module")
def get_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Base]]:
    """A tiny random base on disk, as PLAYGROUND_LOCAL_BASE makes one, and its forms; each is loaded once."""
    folder = tmp_path_factory.mktemp("local")
    tiny_base("llama", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "local", BaseSpec("local", "model", "local", str(folder), None))
        yield cache(load)


@pytest.fixture(scope="module")
def found(get_base: Callable[[str], Base]) -> Any:
    *_, last = survey(WholeJob("local", SOME), get_base)
    return {one.format: one for one in last.found}


def test_the_base_comes_first_and_then_the_formats_as_asked(found: Any) -> None:
    assert list(found) == ["float32", *SOME]


def test_the_loss_is_the_one_that_transformers_gives(get_base: Callable[[str], Base], found: Any) -> None:
    for name, one in found.items():
        model = get_base("local" if name == "float32" else f"local:{name}").model
        total = tokens = 0
        for window in text_windows(get_base("local")):
            with torch.no_grad():
                loss = model(input_ids=window[None], labels=window[None]).loss
            total, tokens = total + loss.item() * (len(window) - 1), tokens + len(window) - 1
        assert (one.reading.tokens, one.reading.loss) == (tokens, pytest.approx(total / tokens, rel=1e-5))
        assert one.reading.perplexity == pytest.approx(math.exp(one.reading.loss))


def test_windows_are_the_whole_text_and_overlap_nowhere(get_base: Callable[[str], Base]) -> None:
    base = get_base("local")
    text = TEXT.read_text(encoding="utf-8")
    windows = text_windows(base)
    assert torch.equal(torch.cat(windows), base.tokenizer(text, return_tensors="pt")["input_ids"][0])
    assert {len(window) for window in windows[:-1]} == {WINDOW}


def test_kl_and_the_same_word_are_measured_from_the_base(get_base: Callable[[str], Base], found: Any) -> None:
    assert (found["float32"].reading.kl_from_base, found["float32"].reading.same_top) == (0.0, 1.0)
    window = text_windows(get_base("local"))
    here, there = (torch.cat([log_probabilities(get_base(name), one) for one in window]) for name in ("local:int4", "local"))
    expected = torch.nn.functional.kl_div(there, here, log_target=True, reduction="batchmean")
    assert found["int4"].reading.kl_from_base == pytest.approx(expected.item(), rel=1e-4)
    assert found["int4"].reading.same_top == pytest.approx((here.argmax(-1) == there.argmax(-1)).float().mean().item())


def test_fewer_bits_lose_more(found: Any) -> None:
    assert found["int8"].sqnr_db > found["nf4"].sqnr_db > found["ternary"].sqnr_db
    assert found["int8"].reading.kl_from_base < found["nf4"].reading.kl_from_base < found["ternary"].reading.kl_from_base


def test_every_module_has_the_error_of_its_round_trip(get_base: Callable[[str], Base], found: Any) -> None:
    layers = linear_layers(get_base("local").model)
    for name in SOME:
        expected = [
            errors(layer.weight, format_of(name).round_trip(layer.weight).values).sqnr_db for layer in layers.values()
        ]
        assert [module.sqnr_db for module in found[name].modules] == pytest.approx(expected)
    first = found["int8"].modules[0]
    assert (first.kind, first.layer) == ("q_proj", 0)
    assert {module.sqnr_db for module in found["float32"].modules} == {None}
    assert found["float32"].sqnr_db is None


def test_sizes_are_measured_where_there_are_real_modules_and_computed_elsewhere(
    get_base: Callable[[str], Base], found: Any
) -> None:
    plain = get_base("local")
    assert [one.real for one in found.values()] == [True, False, False, True, False]
    assert found["float32"].memory == 4 * plain.architecture.parameters == held_bytes(plain.model)
    assert found["nf4"].memory == held_bytes(get_base("local:nf4").model)
    linear = sum(layer.weight.numel() for layer in linear_layers(plain.model).values())
    rest = 4 * (plain.architecture.parameters - linear)
    assert found["int4"].bits == 4.5
    assert found["int4"].memory == found["int4"].disk == linear * 4.5 / 8 + rest
    for name in ("float32", "nf4"):  # a file has a header of names too
        assert found[name].memory < found[name].disk < found[name].memory + 60_000


def test_what_was_measured_is_not_measured_again(get_base: Callable[[str], Base], found: Any) -> None:
    asked = []

    def noted(base_id: str) -> Base:
        asked.append(base_id)
        return get_base(base_id)

    *_, last = survey(WholeJob("local", ("int4", "nf4")), noted)
    assert asked == ["local"]
    assert last.found == (found["float32"], found["int4"], found["nf4"])
    assert (last.working, last.fraction) == (None, 1.0)


def test_the_map_streams_and_the_fraction_only_grows(get_base: Callable[[str], Base]) -> None:
    wholemodel._KNOWN.clear()
    seen = list(survey(WholeJob("local", ("int8", "int4")), get_base))
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    grown = [len(one.working.modules) for one in seen if one.working and one.working.format == "int4"]
    assert grown == sorted(grown)
    assert (grown[0], grown[-1]) == (0, 14)


def test_others_have_their_turn_while_a_form_is_loaded(get_base: Callable[[str], Base]) -> None:
    gate = threading.Event()

    def slow(base_id: Any) -> Any:
        assert base_id == "local" or gate.wait(60)
        return get_base(base_id)

    wholemodel._KNOWN.clear()
    running = survey(WholeJob("local", ("int4",)), slow)
    waiting = next(one for one in running if one.working and one.working.format == "int4")
    assert dataclasses.replace(next(running)) == waiting  # it yields, though the form is not there
    gate.set()
    *_, last = running
    assert last.found[-1].reading is not None


def test_a_survey_that_is_left_takes_nothing_with_it(get_base: Callable[[str], Base]) -> None:
    wholemodel._KNOWN.clear()
    running: Any = survey(WholeJob("local", ("int4",)), get_base)
    next(one for one in running if one.working and one.working.modules)
    running.close()
    *_, last = survey(WholeJob("local", ("int4",)), get_base)
    assert last.found[-1].reading is not None


@pytest.mark.parametrize(("base", "formats", "key"), [
    ("local", ("int5",), "not_a_choice"), ("local", ("int4", "nope"), "not_a_choice"), ("nope", ("int4",), "unknown_base"),
])  # fmt: skip
def test_a_format_or_a_base_that_does_not_exist_is_refused(
    get_base: Callable[[str], Base], base: Base, formats: tuple[Any, ...], key: str
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        next(survey(WholeJob(base, formats), get_base))
    assert refused.value.key == key


def test_every_format_is_measured_once_and_the_base_itself_anyway(get_base: Callable[[str], Base], found: Any) -> None:
    job = WholeJob("local:nf4", ("int4", "float32", "int4", "nf4")).checked()
    assert job == WholeJob("local", ("int4", "nf4"))


def test_a_base_without_linear_layers_is_refused_in_words(get_base: Callable[[str], Base]) -> None:
    model: Any = torch.nn.Module()
    model.get_output_embeddings, model.get_decoder = (lambda: None), (lambda: model)
    plain = dataclasses.replace(get_base("local"), model=model)
    with pytest.raises(PlaygroundError) as refused:
        wholemodel.bits_of(plain, "int4")
    assert refused.value.key == "no_linear_layers"


def test_every_form_can_be_measured(get_base: Callable[[str], Base]) -> None:
    *_, last = survey(WholeJob("local", FORMS), get_base)
    assert all(one.reading.kl_from_base > 0 for one in last.found[1:])
    assert get_base("local").untouched()
