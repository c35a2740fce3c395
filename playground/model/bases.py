"""
Base models: the catalogue, finding their weights, loading them, and private views of them.

A base is loaded once and never written to. Heavy libraries are imported inside the functions that load, so that the
page can be built from the catalogue before they are there. Knows nothing about adapters.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.disk import explained
from playground.errors import PlaygroundError, unexpected
from playground.model import embedded, hub
from playground.model.architecture import architecture_of, holds_experts
from playground.model.beside import beside
from playground.model.catalogue import in_floats, is_simulated, split_id, steps_of
from playground.model.checksum import checksum as checksum
from playground.model.loading import compute_dtype, load_folder
from playground.model.memory import STORE, Store
from playground.model.needed import added_bytes, check_machine, check_memory, expected_bytes, pick_device
from playground.model.tokens import context_of
from playground.model.weights import is_quantized, own_bytes, view_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from playground.model.architecture import Architecture
    from playground.model.catalogue import BaseSpec
    from playground.model.pruning import Pruning


Report = Callable[[str, float | None], None]  # (stage, fraction done or None)
Prune = Callable[["Base", "Pruning"], "Base"]  # a base with less of it, over the same tensors


@dataclass(frozen=True, eq=False)
class Base:
    """A loaded model that nobody writes to; `loaded_checksum` was taken right after loading."""

    id: str
    spec: BaseSpec
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    architecture: Architecture
    folder: Path
    device_name: str
    loaded_checksum: str
    notes: tuple[str, ...] = ()  # what the page has to say of it (ui/kit/html.py)
    products: tuple[float, float] | None = None  # seconds for four rows, as `kernels.measured`

    @property
    def device(self) -> torch.device:
        return self.model.device

    def untouched(self) -> bool:
        """Whether every weight is still what was loaded."""
        return self.checksum() == self.loaded_checksum

    @property
    def dtype(self) -> str:
        return str(self.model.dtype).removeprefix("torch.")

    def view(self) -> PreTrainedModel:
        """A copy of the module tree over the same tensors: PEFT may inject into it, the base does not notice."""
        return view_of(self.model)

    def checksum(self) -> str:
        return checksum(self.model)

    def pack(self) -> None:
        """Have its weights ready for a few rows at once (`kernels.pack`), as long as nothing else needs the memory."""
        from playground.model import kernels

        size = kernels.packed_bytes(self.model)
        if size and STORE.find(("packed", self)) is None and STORE.held() + size <= STORE.budget():
            STORE.keep(("packed", self), kernels.pack(self.model), size, of=(self,))

    @property
    def context(self) -> int | None:
        """How many tokens it can read and write together; None without a limit."""
        return context_of(self.model)

    def check_room(self, tokens: int) -> None:
        """Raises PlaygroundError if it cannot read so many."""
        if self.context is not None and tokens > self.context:
            raise PlaygroundError("beyond_context", base=self.spec.name, found=tokens, maximum=self.context)


@dataclass(frozen=True)
class Status:
    """
    How a base is: "waiting", "downloading", "converting", "loading", "pruning", "rounding", "ready", "failed" (with
    the error).
    """

    state: str = "waiting"
    fraction: float | None = None
    device: str = ""
    dtype: str = ""
    error: PlaygroundError | None = None
    notes: tuple[str, ...] = ()  # the base's own
    products: tuple[float, float] | None = None  # the base's own


class Bases:
    """
    The bases that are loaded. They are kept in the store, from which what was not used for longest goes first. How one is
    pruned, `prune` is told by whoever knows.
    """

    def __init__(self, store: Store = STORE) -> None:
        self._store = store
        self.prune: Prune | None = None
        self._status: dict[str, Status] = {}
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)  # one's download holds up no other
        self._wanted: Counter[str] = Counter()  # how many wait for each
        self._counting = threading.Lock()

    def is_loaded(self, base_id: str) -> bool:
        return self._store.holds(base_id)

    def status(self, base_id: str) -> Status:
        status = self._status.get(base_id, Status())
        return Status() if status.state == "ready" and not self.is_loaded(base_id) else status  # it gave way meanwhile

    def get(self, base_id: str) -> Base:
        """The base, loading it if need be. Raises PlaygroundError with what to do when it cannot be had."""
        base = self._store.find(base_id)  # without the lock: one that is being loaded holds up none that is there
        if base is None:
            with self._wanting(base_id):
                base = self._get(base_id)
        return base

    def forked(self, base: Base) -> None:
        """In a process that was forked: find this base alone, load others anew, and wait for no thread of the other one."""
        self._locks, self._counting = defaultdict(threading.RLock), threading.Lock()
        self._store.forked()
        self._store.keep(base.id, base, own_bytes(base.model))

    def follow(self, base_id: str) -> Iterator[Status]:
        """
        How the loading of a base goes, until it is there. A download that nobody waits for any more stops. Raises
        PlaygroundError as `get`.
        """
        if self._store.find(base_id) is not None:
            return
        with self._wanting(base_id):
            yield from beside(lambda: self._get(base_id), lambda: self.status(base_id))

    @contextmanager
    def _wanting(self, base_id: str) -> Iterator[None]:
        with self._counting:
            self._wanted[base_id] += 1
        try:
            yield
        finally:
            with self._counting:
                self._wanted[base_id] -= 1

    def _get(self, base_id: str) -> Base:
        with self._locks[split_id(base_id)[0].id]:
            found: Base = self._store.find(base_id) or self._load(base_id)
        return found

    def _load(self, base_id: str) -> Base:
        def report(stage: str, fraction: float | None) -> None:
            if not self._wanted[base_id]:
                raise PlaygroundError("loading_stopped", base=split_id(base_id)[0].name)
            self._status[base_id] = Status(stage, fraction)

        try:
            base = self._made(base_id, report)
        except BaseException as error:  # nothing is loading any more
            stopped = isinstance(error, PlaygroundError) and error.key == "loading_stopped"
            self._status[base_id] = Status() if stopped else Status("failed", error=unexpected(error))
            raise
        self._status[base_id] = Status(
            "ready", device=base.device_name, dtype=base.dtype, notes=base.notes, products=base.products
        )
        return base

    def _made(self, base_id: str, report: Report) -> Base:
        """Load a base and keep it. A form shares what it does not change with the plain base, if that is here or needed."""
        spec, pruning, form = steps_of(base_id)
        if pruning is not None:
            return self._less(base_id, pruning, form, report)
        plain = self.get(spec.id) if is_simulated(form) else self._store.find(spec.id) if form else None
        base = load(base_id, report, plain, self._store.make_room)
        shared = (plain.model,) if plain else ()
        self._store.keep(base_id, base, own_bytes(base.model, *shared), of=(plain,) if plain else ())
        return base

    def _less(self, base_id: str, pruning: Pruning, form: str | None, report: Report) -> Base:
        """A base of which something was pruned, rounded afterwards if it is in a form; it goes with its plain base."""
        from playground.model.forms import in_form

        assert self.prune is not None, "nobody has said how a base is pruned"
        plain = self.get(split_id(base_id)[0].id)
        self._store.make_room(added_bytes(base_id, plain.spec, plain.architecture))
        report("pruning", None)
        if form:
            base = replace(in_form(self.get(in_floats(base_id)), form, report), id=base_id)
        else:
            base = replace(self.prune(plain, pruning), id=base_id)
        self._store.keep(base_id, base, own_bytes(base.model, plain.model), of=(plain,))
        return base


BASES = Bases()


def load(
    base_id: str,
    report: Report = lambda stage, fraction: None,
    plain: Base | None = None,
    make_room: Callable[[int], None] = lambda size: None,
) -> Base:
    """
    Find the weights of `base_id` and load them, to be computed with in `loading.compute_dtype`. In one of FORMS its linear
    layers (without the head) hold fewer bits: as bitsandbytes' modules where it has them; otherwise simulated, that is
    rounded, read back and computed with in float. What a form does not change (embeddings, norms) it shares with `plain`,
    the base as it is. `make_room` is told how many bytes are needed once the files are there: nothing gives way to a base
    that cannot be had.

    Raises PlaygroundError: unknown id, no network, gated or unknown repository, too little memory, disk full, wrong hash.
    """
    from playground.model import kernels
    from playground.model.forms import simulated

    spec, form = split_id(base_id)
    if is_simulated(form):
        plain = plain or load(spec.id, report, make_room=make_room)
        needed = expected_bytes(spec, form, plain.architecture)
        make_room(needed)
        check_memory(spec.name, needed, plain.device.type)
        return simulated(plain, form or "", base_id, report)
    if spec.source == "hub" and spec.architecture:
        check_machine(spec, form)
    folder = _find(spec, report)
    report("loading", None)
    device, device_name = pick_device()
    needed = expected_bytes(spec, form, plain.architecture if plain else None)
    make_room(needed)
    check_memory(spec.name, needed, device)
    model, tokenizer = load_folder(folder, spec, device, form)
    if plain:
        _share(model, plain.model)
    known = None if spec.source == "local" else spec.architecture  # a folder may have changed since somebody looked
    architecture = known or architecture_of(model)
    notes = tuple(filter(None, (compute_dtype(device, spec)[1], "experts" if holds_experts(model) else "")))
    loaded, products = checksum(model), kernels.measured(model)
    return Base(base_id, spec, model, tokenizer, architecture, folder, device_name, loaded, notes, products)


def _share(model: Any, plain: Any) -> None:
    """Put the plain base's own parameters where the model has equal ones."""
    import torch

    theirs = dict(plain.named_parameters(remove_duplicate=False))
    for path, module in model.named_modules():
        for name, parameter in list(module._parameters.items()):
            same = theirs.get(f"{path}.{name}" if path else name)
            if same is None or is_quantized(parameter) or parameter.dtype != same.dtype:
                continue
            if parameter.shape == same.shape and torch.equal(parameter, same):
                module._parameters[name] = same


def _find(spec: BaseSpec, report: Report) -> Path:
    """The folder with the model's files: prepared once, downloaded once, or the visitor's own."""
    if spec.source == "embedded":
        return embedded.prepare(report)
    if spec.source == "hub":
        return _hub_folder(spec, report)
    folder = Path(spec.repository)
    if not (folder / "config.json").is_file():
        raise PlaygroundError("no_local_base", folder=spec.repository)
    return folder


def _hub_folder(spec: BaseSpec, report: Report) -> Path:
    folder = "~/.cache/huggingface"
    try:
        with explained(folder, 4 * (spec.parameters or 1e9)):
            return hub.download(spec.repository, report, spec.revision)
    except PlaygroundError:
        raise
    except OSError as error:
        raise PlaygroundError("base_unreadable", base=spec.id, folder=folder, reason=str(error)[:200]) from error
