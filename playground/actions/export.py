"""
What a visitor or a program takes home of an adapter: PEFT's folder with its README, the code that makes it again, the merged
model, a GGUF file; and the way to a repository on the hub.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playground import locales, settings
from playground.actions.adapters import held_out_task, plain_name
from playground.adapt import adapters, tasks
from playground.adapt.adapters import STEP_MARK, Adapter, file_stem
from playground.adapt.own import as_lines
from playground.bounds import shown
from playground.disk import explained, whole
from playground.errors import PlaygroundError
from playground.export import card, gguf_lora, hub, merged
from playground.model.bases import BASES
from playground.model.catalogue import in_floats
from playground.train import recipe
from playground.train.notebook import notebook
from playground.work.sessions import SESSIONS

SCRIPT, NOTEBOOK = "recipe.py", "recipe.ipynb"
DOWNLOADS = tempfile.TemporaryDirectory(prefix="peft-playground-")  # goes with the process
BIG = tempfile.TemporaryDirectory(prefix="peft-playground-models-")  # goes with the process; one model at a time
_PACKING = threading.Lock()


def download(key: str, adapter_id: str, name: str = "", language: str = locales.DEFAULT) -> str:
    """
    The path of a zip of one adapter of the session, with the name that the page has for it: uploaded again, it keeps that.
    Gradio copies it at once, so only the latest few are kept.
    """
    adapter = _named(key, adapter_id, name)
    with _new_folder() as folder:
        return str(adapters.pack(adapter, folder, beside(key, adapter, language)))


def beside(key: str, adapter: Adapter, language: str) -> dict[str, str]:
    """
    The files that explain an adapter: README, and where a run made it the code for that, with the examples of a task, but
    never with a visitor's own.
    """
    found = {card.README: card.card(adapter, _worth(key, adapter), language)}
    if card.reproducible(adapter):
        found |= {SCRIPT: recipe.python(adapter, language), NOTEBOOK: notebook(adapter, language)}
        if adapter.record.task in tasks.TASK_IDS:  # a visitor's own examples go nowhere unless they are asked for
            found[f"{adapter.record.task}.jsonl"] = as_lines(tasks.task(adapter.record.task))
    return found


def _worth(key: str, adapter: Adapter) -> Mapping[str, float | None]:
    """What the session has measured of it."""
    past = SESSIONS.get(key).past if key else []
    return next((one.worth._asdict() for one in past if one.adapter == adapter.id), {})


def download_examples(key: str, adapter_id: str) -> str | None:
    """
    The path of the file that the Python reads: a visitor's own examples as they were understood. None where an adapter was
    made with others, or elsewhere. Raises PlaygroundError if the session has no such adapter.
    """
    found = SESSIONS.get(key).library.get(adapter_id).examples
    return None if found is None else _text(tasks.OWN_FILE, as_lines(found))


def examples(key: str, adapter_id: str, name: str = "", language: str = locales.DEFAULT) -> str:
    """The examples that an adapter was made with, also a task's, as its Python reads them. Raises PlaygroundError."""
    adapter = SESSIONS.get(key).library.get(adapter_id)
    found = held_out_task(adapter)
    if found is None:
        raise PlaygroundError("no_held_out")
    return _text(recipe.examples_file(adapter.record), as_lines(found))


def python(key: str, adapter_id: str, name: str = "", language: str = locales.DEFAULT) -> str:
    return _text(SCRIPT, recipe.python(SESSIONS.get(key).library.get(adapter_id), language))


def as_notebook(key: str, adapter_id: str, name: str = "", language: str = locales.DEFAULT) -> str:
    return _text(NOTEBOOK, notebook(SESSIONS.get(key).library.get(adapter_id), language))


def _text(name: str, content: str) -> str:
    with _new_folder() as folder, whole(folder / name) as written:
        written.write_text(content, encoding="utf-8")
    return str(folder / name)


def model(key: str, adapter_id: str, name: str = "", language: str = locales.DEFAULT) -> str:
    """Raises PlaygroundError for a method that leaves the weights as they are, and for a model that is too large."""
    adapter = _named(key, adapter_id, name)
    merged.check(adapter)
    base = BASES.get(in_floats(adapter.record.base))
    with _PACKING, explained(BIG.name, 2 * merged.check_size(base.model)):
        for old in Path(BIG.name).iterdir():
            old.unlink()
        with whole(Path(BIG.name) / f"{_stem(adapter)}-merged.zip") as written:
            merged.write(adapter, base, written)
        return str(Path(BIG.name) / written.name)


def gguf(key: str, adapter_id: str, name: str = "", language: str = locales.DEFAULT) -> str:
    """Raises PlaygroundError for what is no plain LoRA, and for a family that is not known."""
    adapter = _named(key, adapter_id, name)
    base = BASES.get(in_floats(adapter.record.base))
    with _new_folder() as folder, whole(folder / f"{_stem(adapter)}.gguf") as written:
        gguf_lora.write(adapter, base, written)
    return str(folder / written.name)


@dataclass(frozen=True)
class Kind:
    """A file of an adapter: who writes it, from the session's key, the adapter's id, its name and a language."""

    write: Callable[[str, str, str, str], str]


KINDS = {
    "adapter": Kind(download), "python": Kind(python), "notebook": Kind(as_notebook), "examples": Kind(examples),
    "model": Kind(model), "gguf": Kind(gguf),
}  # fmt: skip


def export(key: str, adapter_id: str, kind: str, name: str = "", language: str = locales.DEFAULT) -> str:
    """The path of a file of an adapter, of one of KINDS. Raises PlaygroundError with the reason where there is none."""
    if kind not in KINDS:
        raise PlaygroundError("unknown_export", kind=shown(kind), known=", ".join(KINDS))
    return KINDS[kind].write(key, adapter_id, name, language)


def push(key: str, adapter_id: str, repository: str, token: str, private: bool, name: str = "", language: str = "en") -> str:
    """Put PEFT's folder with its README into a repository; its address. The token is used once. Raises PlaygroundError."""
    adapter = _named(key, adapter_id, name)
    with tempfile.TemporaryDirectory() as made:
        adapters.save(adapter, folder := Path(made) / "adapter", beside(key, adapter, language))
        return hub.push(folder, repository, token, private)


def _named(key: str, adapter_id: str, name: str) -> Adapter:
    adapter = SESSIONS.get(key).library.get(adapter_id)
    return replace(adapter, name=(name or plain_name(adapter))[: settings.MAX_ADAPTER_NAME])


def _stem(adapter: Adapter) -> str:
    return file_stem(adapter.name) or adapter.id.replace(STEP_MARK, "-step-")


def _made(folder: Path) -> float:
    """When; long ago if another download, which failed or made room, has taken it away meanwhile."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextmanager
def _new_folder() -> Iterator[Path]:
    """For one download; it goes if that fails. Raises PlaygroundError where the disk is full."""
    folders = sorted(Path(DOWNLOADS.name).iterdir(), key=_made)
    for old in folders[: 1 - settings.MAX_SESSIONS]:
        shutil.rmtree(old, ignore_errors=True)
    with explained():
        folder = Path(tempfile.mkdtemp(dir=DOWNLOADS.name))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
