"""The toy: arithmetic, the best approximation, the one that training finds, and pictures from outside."""

import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gradio as gr
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as laws
from hypothesis import strategies as st
from PIL import Image

from playground import settings
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES
from playground.lowrank import toy
from playground.lowrank.pictures import PICTURE, read_picture
from playground.plots.lowrank.toy import APART, bars, error_curve, spectrum
from playground.ui.lowrank import toy as page
from playground.ui.lowrank.toy_html import percent

LAW = laws(deadline=None, derandomize=True, database=None, max_examples=40)
every_kind = pytest.mark.parametrize("kind", toy.TARGETS)
ASKED = page.Asked("en", None, "random", 50, 50, 2, 0)
CARDS = page.Cards(gr.Slider(), gr.HTML(), gr.HTML(), gr.HTML(), gr.Slider(), gr.HTML())


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def error_of(target: Any, product: Any) -> Any:
    return np.linalg.norm(target - product) / np.linalg.norm(target)


# Arithmetic


def test_the_example_of_the_course() -> None:
    count = toy.parameters(50, 50, 2)
    assert (count.full, count.factors) == (2500, 200)
    assert count.saved == pytest.approx(92)


def test_factors_can_cost_more_than_they_replace() -> None:
    assert toy.parameters(50, 50, 25).saved == 0
    assert toy.parameters(50, 50, 50).saved == -100


def asked(rows: Any, columns: Any, rank: Any = 1, seed: Any = 0) -> Any:
    """Everything that a visitor may set."""
    return toy.decomposed("random", rows, columns, seed)[1].best(rank)


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ((1, 50), "out_of_range"),
        ((513, 50), "out_of_range"),
        ((50, 513), "out_of_range"),
        ((50, 50, 0), "out_of_range"),
        ((20, 50, 21), "toy_rank"),
        ((512, 512, 513), "out_of_range"),
        ((50.5, 50), "wrong_kind"),
        ((50, 50, None), "wrong_kind"),
        ((50, True), "wrong_kind"),
        ((50, 50, 2, -1), "out_of_range"),
        ((50, 50, 2, "0"), "wrong_kind"),
    ],
)
def test_what_is_no_shape_is_told_so(shape: tuple[Any, ...], key: str) -> None:
    with pytest.raises(PlaygroundError) as told:
        asked(*shape)
    assert told.value.key == key
    assert all(told.value.message(language) for language in LANGUAGES)


# Targets


@every_kind
@pytest.mark.parametrize("shape", [(50, 50), (2, 2), (7, 90), (90, 7), (512, 300)])
def test_a_target_has_its_shape_and_the_common_scale(kind: Any, shape: tuple[Any, ...]) -> None:
    matrix = toy.target(kind, *shape)
    assert matrix.shape == shape
    assert matrix.dtype == np.float32
    assert np.sqrt((matrix.astype(float) ** 2).mean()) == pytest.approx(1, abs=1e-5)


@every_kind
def test_a_target_is_decided_by_its_seed(kind: Any) -> None:
    assert np.array_equal(toy.target(kind, 30, 20, 3), toy.target(kind, 30, 20, 3))


@pytest.mark.parametrize("kind", ["random", "low_rank", "diagonal"])
def test_another_seed_gives_another_target(kind: str) -> None:
    assert not np.array_equal(toy.target(kind, 30, 20, 3), toy.target(kind, 30, 20, 4))


def test_the_frozen_weight_is_not_the_random_target() -> None:
    assert abs(np.corrcoef(toy.base_weight(50, 50, 0).ravel(), toy.target("random", 50, 50, 0).ravel())[0, 1]) < 0.1


def test_the_trained_target_is_a_corner_of_what_peft_would_add() -> None:
    from safetensors.torch import load_file

    tensors = load_file(settings.EXAMPLES / "adapters" / toy.TRAINED_ADAPTER / "adapter_model.safetensors")
    a, b = (tensors[toy.TRAINED.format(factor=factor)] for factor in "AB")
    update = (16 / 8 * (b @ a)).numpy()
    np.testing.assert_allclose(toy.trained_update(), update, atol=1e-6)
    corner = toy.target("trained", 40, 60)
    np.testing.assert_allclose(corner / corner[0, 0], update[:40, :60] / update[0, 0], rtol=2e-3, atol=1e-3)
    assert toy.decompose(corner).rank == 8


def test_an_unknown_target_is_told_what_there_is() -> None:
    with pytest.raises(PlaygroundError, match="low_rank"):
        toy.decomposed("nonsense", 50, 50)


# The best approximation


@every_kind
@pytest.mark.parametrize("rank", [1, 2, 7, 30])
def test_the_error_is_what_the_discarded_singular_values_say(kind: Any, rank: int) -> None:
    matrix = toy.target(kind, 40, 30, 1).astype(np.float64)
    best, values = toy.decompose(matrix).best(rank), np.linalg.svd(matrix, compute_uv=False)
    expected = np.linalg.norm(values[rank:]) / np.linalg.norm(values)
    assert best.error == pytest.approx(expected, abs=1e-9)
    assert error_of(matrix, best.b @ best.a) == pytest.approx(expected, abs=1e-9)
    assert best.energy == pytest.approx(1 - expected**2)
    assert best.b.shape == (40, rank)
    assert best.a.shape == (rank, 30)
    np.testing.assert_allclose(np.linalg.norm(best.b, axis=0), np.linalg.norm(best.a, axis=1), atol=1e-9)  # evenly split


@LAW
@given(seed=st.integers(0, 10**6), rank=st.integers(1, 5), noise=st.floats(0, 2), kind=st.sampled_from(list(toy.TARGETS)))
def test_no_factors_of_the_same_rank_do_better(seed: Any, rank: Any, noise: Any, kind: Any) -> None:
    """Neither random ones nor the best ones moved a little, even with the best A for their B."""
    matrix = toy.target(kind, 9, 12, seed).astype(np.float64)
    best, generator = toy.decompose(matrix).best(rank), np.random.default_rng(seed)
    b = best.b + noise * generator.standard_normal((9, rank))
    assert error_of(matrix, b @ (best.a + noise * generator.standard_normal((rank, 12)))) >= best.error - 1e-9
    assert error_of(matrix, b @ np.linalg.lstsq(b, matrix, rcond=None)[0]) >= best.error - 1e-9


def test_a_low_rank_target_is_held_exactly_from_its_rank_on() -> None:
    _, decomposition = toy.decomposed("low_rank", 50, 50)
    errors = [decomposition.best(rank).error for rank in (1, 2, 3, 4, 5, 50)]
    assert decomposition.rank == toy.LOW_RANK == 4
    assert min(errors[:3]) > 0.1
    assert max(errors[3:]) < 1e-6
    assert toy.decompose(toy.target("low_rank", 3, 50)).rank == 3


@every_kind
def test_energies_fall_and_sum_to_one(kind: Any) -> None:
    energies = toy.decompose(toy.target(kind, 33, 21)).energies
    assert energies.sum() == pytest.approx(1)
    assert (np.diff(energies) <= 0).all()


def test_a_matrix_of_zeros_has_nothing_to_lose() -> None:
    best = toy.decompose(np.zeros((5, 4), dtype=np.float32)).best(1)
    assert (best.error, best.energy) == (0, 1)
    assert toy.decompose(np.zeros((5, 4))).rank == 0


def test_a_rank_that_cannot_be_is_refused() -> None:
    with pytest.raises(PlaygroundError) as told:
        toy.decompose(toy.target("random", 5, 4)).best(5)
    assert told.value.key == "toy_rank"


# Training


@every_kind
def test_training_reaches_the_best_error(kind: Any) -> None:
    """Within 1 %, from LoRA's start: A is not 0, B is, hence BA is, and all is missing."""
    matrix, decomposition = toy.decomposed(kind, 50, 50)
    first, *_, last = frames = list(toy.fit(matrix, 2))
    assert first.step == 0
    assert first.error == 1.0
    assert first.a.all()
    assert not first.b.any()
    weight = toy.base_weight(50, 50)
    assert np.array_equal(weight + first.b @ first.a, weight)
    assert 15 <= len(frames) <= 25
    assert last.error == pytest.approx(error_of(matrix, last.b @ last.a), abs=1e-5)
    assert decomposition.best(2).error * 0.9999 <= last.error <= decomposition.best(2).error * 1.01
    assert [one.ended for one in frames] == [False] * (len(frames) - 1) + [True]


def test_training_finds_a_target_that_its_rank_can_hold() -> None:
    assert list(toy.fit(toy.target("low_rank", 50, 50), 4))[-1].error < 0.01


def test_the_same_seed_trains_the_same_factors() -> None:
    runs = [list(toy.fit(toy.target("random", 20, 30), 3, 40, seed)) for seed in (5, 5, 6)]
    assert all(np.array_equal(one.a, two.a) and np.array_equal(one.b, two.b) for one, two in zip(*runs[:2], strict=True))
    assert not np.array_equal(runs[0][0].a, runs[2][0].a)


def test_a_frame_is_not_changed_by_the_steps_after_it() -> None:
    frames = toy.fit(toy.target("random", 10, 10), 2, 20)
    first = next(frames)
    before = first.a.copy()
    list(frames)
    assert np.array_equal(first.a, before)
    assert not first.b.any()


def test_large_matrices_get_fewer_steps_and_the_frames_say_so() -> None:
    assert toy.affordable(50, 50, 50) == settings.TOY_STEPS
    assert 50 <= toy.affordable(512, 512, 512) < settings.TOY_STEPS
    frame = next(toy.fit(toy.target("random", 512, 512), 512))
    assert frame.steps == toy.affordable(512, 512, 512)


def test_training_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_TOY_SECONDS", -1.0)
    (frame,) = toy.fit(toy.target("random", 10, 10), 2)
    assert frame.ended
    assert frame.step < frame.steps


@pytest.mark.parametrize(("rank", "steps", "key"), [(11, 10, "toy_rank"), (2, 0, "out_of_range"), (2, 501, "out_of_range")])
def test_training_refuses_what_it_cannot_do(rank: int, steps: int, key: str) -> None:
    with pytest.raises(PlaygroundError) as told:
        next(toy.fit(toy.target("random", 10, 10), rank, steps))
    assert told.value.key == key


# Pictures


LEVELS = np.add.outer(np.linspace(0, 0.5, 24), np.linspace(0, 0.5, 40))  # 0 top left to 1 bottom right


def written(tmp_path: Path, image: Any, name: Any = "picture.png", **options: Any) -> Any:
    path = tmp_path / name
    image.save(path, **options)
    return path


def eight_bits(levels: Any = LEVELS) -> Any:
    return Image.fromarray(np.rint(255 * levels).astype(np.uint8))


PICTURES = {
    "grey": (eight_bits(), {}),
    "RGB": (eight_bits().convert("RGB"), {}),
    "RGBA": (eight_bits().convert("RGBA"), {}),
    "grey and alpha": (eight_bits().convert("LA"), {}),
    "palette": (eight_bits().convert("RGB").quantize(256), {}),
    "16 bits": (Image.fromarray(np.rint(65535 * LEVELS).astype(np.uint16)), {}),
    "JPEG": (eight_bits(), {"name": "picture.jpg", "quality": 95}),
    "CMYK": (eight_bits().convert("CMYK"), {"name": "picture.jpg", "quality": 95}),
    "WebP": (eight_bits().convert("RGB"), {"name": "picture.webp", "lossless": True}),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_kind_of_picture_gives_its_grey_levels(tmp_path: Path, kind: str) -> None:
    image, options = PICTURES[kind]
    read = read_picture(written(tmp_path, image, **options))
    assert read.shape == LEVELS.shape
    assert read.dtype == np.float32
    assert read.min() >= 0
    assert read.max() <= 1
    assert np.abs(read - LEVELS).max() < 0.03


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 20))
    read = read_picture(written(tmp_path, image))
    assert read[:, :10].max() == 0
    assert read[:, 10:].min() == 1


def test_black_and_white_stays(tmp_path: Path) -> None:
    read = read_picture(written(tmp_path, eight_bits(np.rint(LEVELS)).convert("1")))
    assert set(np.unique(read)) == {0, 1}


@pytest.mark.parametrize("name", ["large.png", "large.jpg"])
def test_a_large_picture_is_scaled_down_and_keeps_its_form(tmp_path: Path, name: str) -> None:
    large = np.add.outer(np.linspace(0, 0.5, 1200), np.linspace(0, 0.5, 2000))
    read = read_picture(written(tmp_path, eight_bits(large).convert("RGB"), name))
    assert read.shape == (154, 256)
    assert read.mean() == pytest.approx(0.5, abs=0.01)


def test_a_photo_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    assert read_picture(written(tmp_path, eight_bits(), "photo.jpg", exif=exif)).shape == (40, 24)


def png_header(width: Any, height: Any) -> Any:
    """A PNG that claims a size and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def half_a_picture() -> Any:
    return PICTURE.read_bytes()[:1500]


BAD = {
    "a text": (b"just words", "no_picture"),
    "nothing": (b"", "no_picture"),
    "half a picture": (half_a_picture(), "no_picture"),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no_picture"),
    "another kind": (b"GIF89a\x20\x00\x20\x00\x00\x00\x00;", "no_picture"),
    "a header and nothing": (png_header(100, 100), "no_picture"),
    "17 million pixels": (png_header(4200, 4200), "picture_pixels"),
    "a bomb": (png_header(50_000, 50_000), "picture_pixels"),
    "many bytes": (b"\x89PNG\r\n\x1a\n" + bytes(settings.MAX_PICTURE_BYTES), "picture_bytes"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_or_too_large_is_told_so(tmp_path: Path, kind: str) -> None:
    content, key = BAD[kind]
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(PlaygroundError) as told:
        read_picture(path)
    assert told.value.key == key
    assert all(told.value.message(language) for language in LANGUAGES)


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (4000, 20)])
def test_a_picture_with_too_few_rows_or_columns_is_told_so(tmp_path: Path, size: tuple[Any, ...]) -> None:
    with pytest.raises(PlaygroundError) as told:
        read_picture(written(tmp_path, Image.new("L", size)))
    assert told.value.key == "picture_too_small"


@LAW
@given(data=st.data())
def test_a_broken_picture_is_an_error_that_can_be_read_or_a_picture(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    content = bytearray(PICTURE.read_bytes())
    for place in data.draw(st.lists(st.integers(8, len(content) - 1), min_size=1, max_size=12)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "broken.png"
    path.write_bytes(content)
    try:
        levels = read_picture(path)
    except PlaygroundError:
        return
    assert levels.ndim == 2


def test_a_file_that_has_gone_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PlaygroundError) as told:
        read_picture(tmp_path / "gone.png")
    assert told.value.key == "no_picture"


def test_the_shipped_picture_is_what_its_script_draws() -> None:
    import runpy

    drawn = runpy.run_path(str(PICTURE.with_name("draw.py")))["ship"]()
    with Image.open(PICTURE) as shipped:
        assert np.abs(np.asarray(shipped, dtype=int) - np.asarray(drawn, dtype=int)).max() <= 1


def test_a_picture_is_rebuilt_from_all_its_directions() -> None:
    pixels, decomposition = toy.decomposed_picture()
    assert pixels.shape == (128, 128)
    best = decomposition.best(128)
    np.testing.assert_allclose(best.b @ best.a, pixels, atol=1e-6)


def test_ones_own_picture_becomes_the_target(tmp_path: Path) -> None:
    own = written(tmp_path, eight_bits())
    matrix, decomposition = toy.decomposed("picture", 24, 40, 0, own)
    np.testing.assert_allclose(matrix, (LEVELS - 0.5) / LEVELS.std(), atol=0.02)
    assert decomposition.best(2).error < 0.02
    assert not np.array_equal(matrix, toy.target("picture", 24, 40))


# Drawings


@pytest.mark.parametrize("count", [1, 2, 20, 50, APART + 1, 512])
def test_the_spectrum_is_well_formed_and_as_high_as_its_values(count: Any) -> None:
    values = np.linspace(10, 0, count).tolist() if count > 1 else [10.0]
    for rank in {1, count}:
        ElementTree.fromstring(spectrum(values, rank, "es", "<&>"))
    heights = [float(one) for one in re.findall(r"V([\d.]+)H", bars(values, 0, count, 10.0))]
    np.testing.assert_allclose(heights, [1000 * (1 - value / 10) for value in values], atol=0.06)


def test_drawings_of_nothing_are_well_formed() -> None:
    ElementTree.fromstring(spectrum([0.0, 0.0], 1, "en", ""))
    ElementTree.fromstring(error_curve([], 500, 0.0, "en", ""))
    ElementTree.fromstring(error_curve([(0, 1.0), (1, 3.0)], 89, 0.5, "en", ""))


# The page


@pytest.mark.parametrize("language", LANGUAGES)
@every_kind
def test_the_page_says_the_numbers(language: Any, kind: Any) -> None:
    changes = CARDS.draw_matrices(replace(ASKED, language=language, kind=kind))
    assert changes[CARDS.rank]["maximum"] == 50
    assert changes[CARDS.rank]["value"] == 2
    assert changes[CARDS.matrices].count("<img") == 6
    assert "92" in changes[CARDS.matrices]
    assert "200" in changes[CARDS.matrices]
    ElementTree.fromstring(changes[CARDS.spectrum])
    ElementTree.fromstring(changes[CARDS.curve])


def said(**asked: Any) -> Any:
    return CARDS.draw_matrices(replace(ASKED, **asked))[CARDS.matrices]


def test_a_rank_above_the_new_shape_is_lowered_and_said() -> None:
    slider = CARDS.draw_matrices(replace(ASKED, rows=20, rank=40))[CARDS.rank]
    assert (slider["maximum"], slider["value"]) == (20, 20)
    assert "lowered to 20" in said(rows=20, rank=40)


def test_the_page_says_when_nothing_is_lost_and_when_nothing_is_saved() -> None:
    assert "Error 0: this matrix has rank 4" in said(kind="low_rank", rank=4)
    assert "60\N{NO-BREAK SPACE}% more" in said(rank=40)
    assert "nothing is saved" in said(rank=25)


def test_training_on_the_page_starts_with_the_base_and_ends_at_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(page, "FRAME_SECONDS", 0.0)
    first, *_, last = frames = [changes[CARDS.matrices] for changes in CARDS.grow(ASKED)]
    assert 15 <= len(frames) <= 25
    assert "W + BA is W" in first
    w, *_, after = re.findall('src="([^"]+)"', first)
    assert w == after  # the same picture
    assert "Training has found" in last


def test_wrong_inputs_are_sentences_on_the_page(tmp_path: Path) -> None:
    text = tmp_path / "words.png"
    text.write_text("just words")
    assert "no picture" in CARDS.draw_picture(page.Compressed("en", str(text), 8))[CARDS.picture]
    assert "no picture" in said(kind="picture", file=str(text))
    assert "pp-error" in said(rows=None)
    assert "pp-error" in said(rank=None)
    assert "pp-error" in next(CARDS.grow(replace(ASKED, rows=20, rank=40)))[CARDS.matrices]


def test_an_answer_that_comes_late_does_not_move_the_slider_that_is_held() -> None:
    assert set(page.but(CARDS.rank, CARDS.draw_matrices)(ASKED)) == {CARDS.matrices, CARDS.spectrum, CARDS.curve}


def test_a_share_is_0_or_100_percent_only_if_it_is() -> None:
    written_ = [percent("en", value, 1).replace("\N{NO-BREAK SPACE}", "_") for value in (0, 100, 99.96, 0.004, 92.0)]
    assert written_ == ["0_%", "100_%", "99.96_%", "0.004_%", "92.0_%"]
    assert percent("en", 99.61) == "99.6\N{NO-BREAK SPACE}%"
