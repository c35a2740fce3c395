"""
How endpoints are served to programs: values checked by their kinds, what is left out filled in, every error a sentence.

Knows nothing about what the endpoints are for.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import gradio as gr
from anyio import to_thread
from gradio.block_function import BlockFunction
from gradio.context import LocalContext

from playground import locales
from playground.bounds import check_text, shown
from playground.errors import PlaygroundError, disk_is_full, unexpected
from playground.model import libraries
from playground.ui.api.first import ASKED, Said, spoken
from playground.ui.api.mcp import in_json
from playground.ui.api.newest import CHANGING, newest
from playground.ui.api.reference import flat
from playground.ui.kit.events import alarm
from playground.ui.kit.locks import guarded
from playground.ui.kit.numbers import Numbers
from playground.work.jobs import Run

TYPED = ("input", "change")  # events of what is typed or moved, not pressed
JSON_KINDS = {str: "string", dict: "object", list: "array"}  # what is not named as in Python
log = logging.getLogger(__name__)


class ServedBlocks(gr.Blocks):
    """
    Blocks whose handlers run once the heavy libraries are there. Public endpoints take their defaults for what a program
    leaves out at the end, also over plain HTTP, and say what they take where values are too many or unreadable. What a
    browser sends for the components of `sound`, by id, passes through that function first; then `numbers` looks at it:
    what is wrong with it is said where the handler would have answered. Of lists whose choices were replaced while it was on
    its way it says what can be chosen now (`newest`). `locks` is the id of the state that names the held
    controls (`Wish.fixed`): handlers change none of them, those of the `opening` only their values. What components are
    `said` to show in a language is in the page from the first.
    """

    sound: Mapping[int, Callable[[Any], Any]] = {}
    numbers: Numbers | None = None
    locks: int | None = None
    opening: Collection[int] = ()
    said: Said | None = None

    @property
    def config(self) -> Any:
        """What gradio writes into the page, in the language of the request that is answered."""
        language = ASKED.get()
        if self.said is None or language == locales.DEFAULT:
            return self._config
        if language not in self._spoken:
            self._spoken[language] = spoken(self._config, self.said, language)
        return self._spoken[language]

    @config.setter
    def config(self, config: Any) -> None:
        self._config, self._spoken = config, dict[str, Any]()

    @property
    def mcp_server_obj(self) -> Any:
        """Gradio makes it when the page is served."""
        return self._mcp

    @mcp_server_obj.setter
    def mcp_server_obj(self, server: Any) -> None:
        self._mcp = server and in_json(server)

    async def process_api(
        self, block_fn: BlockFunction | int, inputs: list[Any], *more: Any, **named: Any
    ) -> dict[str, Any]:
        await to_thread.run_sync(libraries.import_all, limiter=self.limiter)
        one = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        given = [self.sound.get(block._id, _same)(value) for block, value in zip(one.inputs, inputs, strict=False)]
        request, state = named.get("request"), named.get("state")
        if not _is_public(one) or one.fn is None:
            wrong = self.numbers.wrong(one.inputs, given, state or {}, accepted(request)) if self.numbers else ""
            if self.numbers and wrong:
                return await self._refuse(one, wrong, self.numbers.places, state)
            with full_disk_explained(request):
                return await super().process_api(block_fn, given, *more, **named)
        name, listed = f"/{one.api_name}", ", ".join(parameters(one.fn))
        if len(inputs) > len(one.inputs):
            error = PlaygroundError("too_many_values", found=len(inputs), endpoint=name, parameters=listed)
            raise said_to(request, error)
        defaults: list[Any] = list(one.inputs[len(inputs) :])
        try:
            with full_disk_explained(request):
                return await super().process_api(block_fn, [*given, *(one.value for one in defaults)], *more, **named)
        except gr.Error:
            raise
        except Exception as reason:  # what an endpoint raises is a gr.Error: gradio could not read a value
            log.warning("%s: %s", name, shown(reason))
            raise said_to(request, PlaygroundError("values_unreadable", endpoint=name, parameters=listed)) from reason

    async def preprocess_data(self, block_fn: BlockFunction, inputs: list[Any], state: Any, *more: Any) -> Any:
        if _is_public(block_fn) or state is None:
            return await super().preprocess_data(block_fn, inputs, state, *more)
        while True:
            there = _changing(block_fn.inputs, state)
            given = [newest(block, value, state) for block, value in zip(block_fn.inputs, inputs, strict=False)]
            try:
                return await super().preprocess_data(block_fn, given, state, *more)
            except gr.Error:  # gradio waits between two values: another handler may have replaced some meanwhile
                if all(one is now for one, now in zip(there, _changing(block_fn.inputs, state), strict=True)):
                    raise

    async def postprocess_data(self, block_fn: BlockFunction, predictions: Any, state: Any) -> list[Any]:
        fixed = state[self.locks] if state is not None and self.locks is not None else None
        if fixed:
            predictions = guarded(block_fn.outputs, predictions, fixed, block_fn._id in self.opening)
        return await super().postprocess_data(block_fn, predictions, state)

    async def _refuse(self, one: BlockFunction, wrong: str, places: Collection[int], state: Any) -> dict[str, Any]:
        """
        The answer of a handler that is not called. What was pressed says what is `wrong` where it has a place for that, by
        raising gr.Error where it has none; what follows what is typed stays as it is: beside the field it is said already.
        """
        place = next((shown for shown in one.outputs if shown._id in places), None)
        pressed = not any(event in TYPED for _, event in one.targets)
        if pressed and place is None:
            raise gr.Error(wrong, print_exception=False)
        told: list[Any] = [alarm(wrong) if pressed and shown is place else gr.skip() for shown in one.outputs]
        data = await self.postprocess_data(one, told[0] if len(told) == 1 else told, state)  # as a handler returns them
        return {"data": data, "is_generating": False, "iterator": None, "duration": 0.0, "average_duration": 0.0}


def _same(value: Any) -> Any:
    return value


def _is_public(one: BlockFunction) -> bool:
    return one.api_visibility == "public" and bool(one.api_name)


def _changing(blocks: Sequence[Any], state: Any) -> list[Any]:
    """The lists and sliders among `blocks` as this session has them; whoever changes one puts another in its place."""
    return [state[block._id] for block in blocks if isinstance(block, CHANGING) and block._id in state]


def parameters(endpoint: Callable[..., Any]) -> list[str]:
    """The names of an endpoint's values, in their order."""
    hints = get_type_hints(endpoint)
    return [name for name in inspect.signature(endpoint).parameters if hints.get(name) is not gr.Request]


def served(name: str, endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`endpoint` as gradio is to call it; a generator function stays one."""
    taken, hints = inspect.signature(endpoint).parameters, get_type_hints(endpoint)

    def checked(values: tuple[Any, ...]) -> list[Any]:
        found = []
        for one, value in zip(taken.values(), values, strict=True):
            if value is None and one.default is inspect.Parameter.empty:
                listed = ", ".join(parameters(endpoint))
                raise PlaygroundError("value_missing", name=one.name, endpoint=f"/{name}", parameters=listed)
            found.append(_checked(one.name, hints[one.name], value))
        return found

    def asked_by(values: tuple[Any, ...]) -> Any:
        return next((value for value in values if isinstance(value, gr.Request)), None)

    @functools.wraps(endpoint)
    def answer(*values: Any) -> Any:
        with explained(asked_by(values)):
            return endpoint(*checked(values))

    @functools.wraps(endpoint)
    def stream(*values: Any) -> Iterator[Any]:
        with explained(asked_by(values)):
            yield from endpoint(*checked(values))

    found = stream if inspect.isgeneratorfunction(endpoint) else answer
    found.__name__, found.__doc__ = name, flat(endpoint)  # MCP calls it by its name
    return found


def _checked(name: str, hint: Any, value: Any) -> Any:
    """A value as its parameter's type. Raises PlaygroundError: `wrong_kind`, `half_character`."""
    kinds: list[Any] = [get_origin(one) or one for one in (get_args(hint) if isinstance(hint, UnionType) else (hint,))]
    kind = kinds[0]
    if kind is gr.Request or (value is None and NoneType in kinds):
        return value
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)  # JavaScript may write whole numbers so
    if not isinstance(value, int | float if kind is float else kind) or (kind is not bool and isinstance(value, bool)):
        wanted = JSON_KINDS.get(kind, kind.__name__)
        raise PlaygroundError("wrong_kind", name=name, value=_written(value), kind=wanted)
    if isinstance(value, str):
        check_text(name, value)
    return value


def _written(value: Any) -> str:
    """A value as JSON has it."""
    if isinstance(value, str):
        return shown(value)
    try:
        return shown(json.dumps(value))
    except (ValueError, RecursionError):  # an endless integer, an endless list
        return type(value).__name__


@contextmanager
def explained(request: Any) -> Iterator[None]:
    """A PlaygroundError leaves as gr.Error with its sentence, what nobody expected as the sentence that says so."""
    try:
        yield
    except PlaygroundError as error:
        raise said_to(request, error) from error
    except gr.Error:
        raise
    except Exception as error:
        log.exception("an endpoint failed")
        raise said_to(request, unexpected(error)) from error


@contextmanager
def full_disk_explained(request: Any) -> Iterator[None]:
    """The same for a disk that is full when gradio copies what a handler gives, or one does not say it by itself."""
    try:
        yield
    except Exception as error:
        if disk_is_full(error):
            raise said_to(request, unexpected(error)) from error
        raise


def said_to(request: Any, error: PlaygroundError) -> gr.Error:
    """The error for gradio, in the language that the request prefers."""
    return gr.Error(error.told(locales.choose(accepted(request))), print_exception=False)


def accepted(request: Any) -> str:
    """The languages that a request asks for, as its header has them."""
    return (getattr(request, "headers", None) or {}).get("accept-language") or ""


# What a program gives up


def changes(run: Run) -> Iterator[None]:
    """Those of a run, as long as the program follows them."""
    for _ in run.changes(seconds=1.0):
        if gone():
            return
        yield


def gone() -> bool:
    """Whether the program that this call answers has cancelled it or closed its stream; gradio closes only what yields."""
    blocks, call = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or call is None:
        return False
    active = [event for events in blocks._queue.active_jobs for event in events or ()]
    return not any(event._id == call and event.alive for event in active)
