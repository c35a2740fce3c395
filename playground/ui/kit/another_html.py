"""
What is known of a base before it is loaded, as a visitor reads it. Pure: plain values and a language in, HTML out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from html import escape
from typing import Any

from playground.adapt.methods import METHODS
from playground.locales import counted, number, size, text
from playground.ui.kit.events import alarm
from playground.ui.kit.html import words

TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}  # as safetensors and torch call them


def findings(found: Mapping[str, Any], language: str) -> str:
    """Size, licence, architecture, memory, and what will work on it; what will not, with its reasons."""
    lines = [
        ("another.licence", _licence(found, language)),
        ("another.architecture", _architecture(found, language)),
        ("another.size", _size(found, language)),
        ("another.memory", _memory(found, language)),
        ("another.chat", words(language, "another.chat.yes" if found["chat"] else "another.chat.no")),
        ("another.works", _works(found, language)),
    ]
    listed = "".join(f"<dt>{words(language, key)}</dt><dd>{said}</dd>" for key, said in lines)
    if lacks := _lacks(found, language):
        listed += f"<dt>{words(language, 'another.not')}</dt>" + "".join(f"<dd>{one}</dd>" for one in lacks)
    wrong = found["too_large"]
    return f'<dl class="pp-found">{listed}</dl>{alarm(wrong.message(language)) if wrong else ""}'


def _licence(found: Mapping[str, Any], language: str) -> str:
    without = "another.licence.no_card" if found["licence"] is None else "another.licence.none"
    named = found["licence"] or text(language, without)
    return words(language, "another.gated", licence=named) if found["gated"] else escape(named)


def _architecture(found: Mapping[str, Any], language: str) -> str:
    width = number(language, found["width"])
    said = [counted(language, "another.layers", found["layers"], kind=found["kind"], width=width)]
    if found["context"]:
        said.append(text(language, "another.context", tokens=number(language, found["context"])))
    return escape(" · ".join(said))


def _size(found: Mapping[str, Any], language: str) -> str:
    types = ", ".join(TYPES.get(one, one) for one in found["stored"])
    told = {"parameters": number(language, found["parameters"]), "bytes": size(language, found["bytes"]), "types": types}
    said = [text(language, "another.sizes", **told)]
    if found["here"] and found["source"] == "hub":
        said.append(text(language, "another.fetched"))
    return escape(" · ".join(said))


def _memory(found: Mapping[str, Any], language: str) -> str:
    told = {"memory": found["memory"], "nf4": found["memory_nf4"], "kept": found["kept"]}
    return words(language, "another.memory.said", **{name: size(language, one) for name, one in told.items()})


def _works(found: Mapping[str, Any], language: str) -> str:
    without = found["without"]
    methods, every = len(METHODS) - len(without["methods"]), number(language, len(METHODS))
    if not without["methods"] and not without["labs"]:
        return words(language, "another.works.all", methods=every)
    return words(language, "another.works.most", methods=number(language, methods), all=every)


def _lacks(found: Mapping[str, Any], language: str) -> list[str]:
    """What will not work, those with the same reason together."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for kind, key in (("methods", "methods.{}.name"), ("labs", "section.{}")):
        for one, error in found["without"][kind].items():
            names[error.message(language)].append(text(language, key.format(one)))
    return [f"<b>{escape(', '.join(each))}</b>: {escape(reason)}" for reason, each in names.items()]
