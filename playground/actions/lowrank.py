"""
Asking what an adapter changed, and how it answers with less of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.actions.adapters import examined, held_out_task
from playground.actions.catalogue import have
from playground.actions.compare import start_answers
from playground.actions.lanes import LAB
from playground.actions.work import check_ended
from playground.adapt.variant import Variant
from playground.bounds import finite
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS, Place

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.adapt.cost import Measured
    from playground.adapt.tasks import Task
    from playground.lowrank.convert import Converted


# Places of the session's runs in the lab: those about the adapter that is looked at, and the calculator's
CUT, SWEEP, LEFT_OUT, IMPORTANCE = "edits-answers", "edits-sweep", "softprompt-answers", "softprompt-importance"
REPAIR, CONVERT = "repair", "convert"
COUNT = "arithmetic"
LOOKED_AT = "lowrank"  # among the session's forms


def run_about(key: str, place: str, adapter_id: str) -> Run | None:
    """The session's latest run of a place, if it is about this adapter at this checkpoint and nothing has replaced it."""
    run = SESSIONS.get(key).runs.get(place)
    return run if run and run.job == adapter_id and not run.replaced else None


def looked_at(key: str) -> str:
    """The adapter that the session turned to last, with its checkpoint; "" before."""
    found: str = SESSIONS.get(key).forms.get(LOOKED_AT, "")
    return found


def turn_to(key: str, adapter_id: str) -> None:
    """From now on this adapter is looked at: what runs about another one stops, and whoever shows it looks away."""
    SESSIONS.get(key).forms[LOOKED_AT] = adapter_id
    for place, run in list(SESSIONS.get(key).runs.items()):
        if place in (CUT, SWEEP, LEFT_OUT, IMPORTANCE, REPAIR, CONVERT) and run.job != adapter_id and not run.ended:
            run.replaced = True
            SESSIONS.stop(key, place)


def low_rank(key: str, adapter_id: str, module: str) -> dict[str, Any]:
    """The numbers of one module's update; an empty module means the most changed one. Raises PlaygroundError."""
    from playground.lowrank import findings

    return asdict(findings.report(*examined(key, adapter_id), module))


def start_edited(
    key: str,
    place: Place,
    adapter_id: str,
    edit: Mapping[str, Any],
    prompt: str,
    decoding: Mapping[str, Any],
    names: tuple[str, str] = ("", ""),
) -> Run:
    """
    Queue a comparison of the base that an adapter runs on, the whole adapter and what `edit` (see `edits.Edit`) leaves
    of it, named as `names` say. Raises PlaygroundError at once.
    """
    from playground.lowrank.edits import Edit

    base, adapter = examined(key, adapter_id)
    whole = Variant(base.id, adapter)
    left = replace(whole, edit=Edit(**edit).checked(adapter))
    variants, titles = (Variant(base.id), whole, left), ("", *names)
    return start_answers(key, LAB, base.id, prompt, variants, decoding, titles=titles, place=place, subject=adapter_id)


def start_without(
    key: str,
    place: str,
    adapter_id: str,
    positions: Sequence[int],
    prompt: str,
    decoding: Mapping[str, Any],
    names: tuple[str, str] = ("", ""),
) -> Run:
    """
    Queue a comparison of the base, a soft prompt and what is left of it without the virtual tokens at `positions`, named
    as `names` say. Raises PlaygroundError at once.
    """
    from playground.lowrank.softprompt import LeftOut, without

    if not positions:
        raise PlaygroundError("nothing_left_out")
    adapter = SESSIONS.get(key).library.get(adapter_id)
    without(adapter, positions)  # raises if it makes no sense
    whole = Variant.of(adapter.record.base, adapter)
    variants = (Variant(whole.base), whole, replace(whole, edit=LeftOut(tuple(positions))))
    titles = ("", *names)
    return start_answers(key, LAB, whole.base, prompt, variants, decoding, titles=titles, place=place, subject=adapter_id)


def start_sweep(key: str, adapter_id: str, edits: Sequence[Mapping[str, Any]], place: Place) -> Run:
    """Queue the measuring of an adapter under several edits. Raises PlaygroundError at once."""
    from playground.lowrank.edits import Edit
    from playground.lowrank.sweep import SweepJob, sweep

    adapter = SESSIONS.get(key).library.get(adapter_id)
    task = _measurable(key, adapter)
    have(Variant.of(adapter.record.base, adapter).base)
    job = SweepJob(adapter.record.base, adapter, tuple(Edit(**edit).checked(adapter) for edit in edits), task)
    return SESSIONS.submit(key, LAB, lambda stop: sweep(job, BASES.get), adapter_id, place)


def start_repair(key: str, adapter_id: str, settings: Mapping[str, Any], place: Place) -> Run:
    """Queue the repair of an adapter (see `intruders.Repair`) and its measuring. Raises PlaygroundError at once."""
    from playground.lowrank.intruders import Repair
    from playground.lowrank.repair import RepairJob, repair

    base, adapter = examined(key, adapter_id)
    job = RepairJob(base.id, adapter, Repair(**settings).checked(base, adapter), _measurable(key, adapter))
    return SESSIONS.submit(key, LAB, lambda stop: repair(job, BASES.get, stop), adapter_id, place)


def start_convert(key: str, adapter_id: str, rank: int | None, place: Place, name: str) -> Run:
    """
    Queue an adapter's conversion to LoRA of a rank, which becomes an adapter of the session, called so, and its measuring.
    Raises PlaygroundError at once.
    """
    from playground.lowrank.convert import ConvertJob, convert
    from playground.lowrank.settings import AS_RANK

    base, adapter = examined(key, adapter_id)
    job = ConvertJob(base.id, adapter, AS_RANK.check(rank), _measurable(key, adapter))

    def events(stop: Callable[[], bool]) -> Iterator[Converted]:
        kept = None
        for done in convert(job, BASES.get, stop):
            kept = kept or (done.made and _kept(key, done.made, name))
            yield replace(done, made=kept)

    return SESSIONS.submit(key, LAB, events, adapter_id, place)


def _kept(key: str, made: Adapter, name: str) -> Adapter:
    """What was converted as the session has it, once for the same, without its tensors. Raises PlaygroundError."""
    from playground.train.record import new_id

    library = SESSIONS.get(key).library
    there = next((one for one in library.own() if one.record.converted == made.record.converted), None)
    if there is None:
        SESSIONS.check_room(key, made.size())
        new = replace(made, id=new_id(), name=name[: settings.MAX_ADAPTER_NAME], number=0)
        SESSIONS.add(key, new)
        there = library.get(new.id)
    return there.outline()


def _measurable(key: str, adapter: Adapter) -> Task:
    """The task that an adapter is measured on. Raises PlaygroundError if its held-out examples are not here any more."""
    task = held_out_task(adapter)
    if task is None:
        raise PlaygroundError("no_held_out")
    return task


def effects(
    key: str, adapter_id: str, edit: Mapping[str, Any], place: Place, gone: Callable[[], bool]
) -> dict[str, Any] | None:
    """
    Losses and divergences of the base, the adapter and what `edit` leaves of it, None where numbers overflow; None
    without held-out examples, or as soon as whoever asked is `gone`.
    """
    if held_out_task(SESSIONS.get(key).library.get(adapter_id)) is None:
        return None
    run = start_sweep(key, adapter_id, [{}, edit], place)
    for _ in run.changes():
        if gone():
            return None
    check_ended(run)
    done = run.events[-1]
    plain = [{"held_out_loss": one.held_out_loss, "kl_from_base": one.kl_from_base} for one in done.effects]
    base = {"held_out_loss": done.base_loss, "kl_from_base": 0.0}
    return finite({"base": base, "whole": plain[0], "left": plain[1]})  # type: ignore[no-any-return]


def start_importance(key: str, adapter_id: str, place: str) -> Run:
    """Queue leaving every virtual token of a prompt-tuning adapter out once. Raises PlaygroundError at once."""
    from playground.lowrank import softprompt

    base, adapter = examined(key, adapter_id)
    held_out = _measurable(key, adapter).held_out
    return SESSIONS.submit(key, LAB, lambda stop: softprompt.importance(base, adapter, held_out), adapter_id, place)


def start_count(key: str, base_id: str, method_id: str, values: Mapping[str, Any], place: str) -> Run:
    """Queue PEFT's own count of a method on a base that is loaded. Raises PlaygroundError at once."""
    from playground.adapt import cost

    def events(stop: Any) -> Iterator[Measured]:
        yield cost.measured(BASES.get(base_id), method_id, values)

    return SESSIONS.submit(key, LAB, events, place=place)


def soft_prompt(key: str, adapter_id: str, nearest: int) -> dict[str, Any]:
    """The virtual tokens of a prompt-tuning adapter in numbers. Raises PlaygroundError."""
    from playground.lowrank import softprompt

    return asdict(softprompt.report(*examined(key, adapter_id), nearest))
