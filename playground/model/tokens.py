"""
What a tokenizer and a model's configs say of the tokens that end an answer, pad a row, and of how many fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.errors import PlaygroundError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")  # a config's name for it
ANSWER = "answer"


def turn_end(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """
    The token that ends an answer: the first special one that the chat template writes after it, such as Gemma's
    `<end_of_turn>`; else the tokenizer's own end. None if there is neither. Raises jinja2's TemplateError.
    """
    if tokenizer.chat_template is not None:
        messages = [{"role": "user", "content": "question"}, {"role": "assistant", "content": ANSWER}]
        written: Any = tokenizer.apply_chat_template(messages, tokenize=False)
        after: Any = tokenizer(str(written).rpartition(ANSWER)[2], add_special_tokens=False)["input_ids"]
        special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        for token in after:
            if token in special:
                return int(token)
    end: Any = tokenizer.eos_token_id
    return None if end is None else int(end)


def complete(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, name: str) -> None:
    """
    Give a tokenizer without an end token the model's (of its generation config, then of its config), and one without a
    padding token its end, or whatever comes first: padding is masked. Raises PlaygroundError if the chat template fails.
    """
    from jinja2 import TemplateError

    if tokenizer.eos_token_id is None:
        known = [*_ids(model.generation_config.eos_token_id), *_ids(getattr(model.config, "eos_token_id", None))]
        ends: list[Any] = [tokenizer.convert_ids_to_tokens(one) for one in known]
        tokenizer.eos_token = next(filter(None, ends), None)
    if tokenizer.pad_token_id is None:
        first: Any = tokenizer.convert_ids_to_tokens(0)
        tokenizer.pad_token = tokenizer.eos_token or first
    try:
        turn_end(tokenizer)
    except TemplateError as error:
        raise PlaygroundError("base_template", base=name, reason=str(error)[:200]) from error


def ends_of(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> list[int]:
    """Every token that ends an answer: those of the generation config, the tokenizer's, the chat template's."""
    told = _ids(model.generation_config.eos_token_id)
    return list(dict.fromkeys([*told, *_ids(tokenizer.eos_token_id), *_ids(turn_end(tokenizer))]))


def context_of(model: PreTrainedModel) -> int | None:
    """How many tokens a model can read and write together; None where its config sets no limit."""
    config = model.config.get_text_config()
    found = (getattr(config, name, None) for name in CONTEXT)
    return next((int(one) for one in found if isinstance(one, int) and one > 0), None)


def _ids(value: Any) -> list[int]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
