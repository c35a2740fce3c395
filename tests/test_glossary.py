"""The glossary: both languages explain the same terms, each found by words of its own, with figures that hold."""

from __future__ import annotations

from collections import Counter

import pytest

from playground.formats.registry import FORMATS
from playground.locales import LANGUAGES, number, trimmed
from playground.locales.glossary import entries, place
from tests.ui.drawn import both_languages

# What a student could not look up on the page
WANTED = """
absmax accumulator activation adapter affine alpha amplification base_model bfloat16 block_size calibration crest_factor
db delta_w dora double_quantization eckart_young effective_rank embedding energy families few_shot float16 fp4 frobenius
full_fine_tuning gradient greedy held_out ia3 int8 kl learning_rate llm_int8 logit lora loss loss_scaling mae mantissa
merge mixed_precision nat nf4 optimizer_state outlier overflow pareto peft perplexity prompt_tuning qat qlora
quantization rank scale scaling seed singular_value soft_prompt sqnr step straight_through svd temperature ternary token
top_p virtual_tokens zero_point
""".split()


def test_every_language_explains_the_same_terms_and_all_that_are_wanted() -> None:
    for language in LANGUAGES:
        assert set(entries(language)) == set(entries("en")) >= set(WANTED)


@both_languages
def test_a_term_is_found_by_words_that_no_other_term_has(language: str) -> None:
    phrases = [phrase.lower() for one in entries(language).values() for phrase in (*one.forms, *one.otherwise)]
    assert [phrase for phrase, times in Counter(phrases).items() if times > 1 or "|" in phrase] == []


@both_languages
def test_what_is_meant_otherwise_is_one_of_the_terms_words_with_others(language: str) -> None:
    for one in entries(language).values():
        for phrase in one.otherwise:
            assert any(form in phrase and form != phrase for form in one.forms), phrase


@both_languages
def test_an_entry_is_one_or_two_sentences_and_no_translation_of_nothing(language: str) -> None:
    for name, one in entries(language).items():
        assert one.says.endswith("."), name
        assert one.says.count(". ") <= 2, name  # "b1.58." and the like aside
        assert len(one.says) < 240, name
        assert language == "en" or one.says != entries("en")[name].says


def test_terms_stand_in_the_alphabetical_order_of_their_language() -> None:
    spanish = list(entries("es"))
    assert spanish.index("virtual_tokens") < spanish.index("top_p") < spanish.index("outlier")  # tokens, top-p, valor
    assert spanish.index("scale") < spanish.index("optimizer_state")  # escala, estado
    assert (spanish[0], spanish[-1]) == ("absmax", "delta_w")
    accented = sorted(["paso", "párrafo", "parte"], key=place)
    assert accented == ["párrafo", "parte", "paso"]


WIDTH, RANK, TOKENS = 576, 8, 20  # of the embedded base's queries, and of the examples in the sentences


@both_languages
@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("lora", [RANK * (WIDTH + WIDTH), WIDTH * WIDTH]),
        ("prompt_tuning", [TOKENS * WIDTH]),
        ("float16", [FORMATS["float16"].largest]),
        ("double_quantization", [FORMATS[name].bits_per_parameter() for name in ("nf4", "nf4_double")]),
        ("fp4", [len(set(FORMATS["fp4"].levels))]),
        ("nf4", [len(FORMATS["nf4"].levels), FORMATS["nf4"].layout.block]),
    ],
)
def test_figures_in_the_sentences_hold(name: str, figures: list[float], language: str) -> None:
    written = [trimmed(language, figure) if figure < 1000 else number(language, figure) for figure in figures]
    assert [one for one in written if one not in entries(language)[name].says] == []
