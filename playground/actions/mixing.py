"""
Asking for a mix of adapters: how much they get into each other's way, the mix as one more adapter of the session, its
answers beside theirs, and what is left of each task in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from playground import locales, settings
from playground.actions import catalogue
from playground.actions.adapters import examined, list_adapters, plain_name
from playground.actions.catalogue import have
from playground.actions.compare import start_answers
from playground.actions.lanes import LAB, MEASURE, TRAIN
from playground.actions.scores import length_of
from playground.adapt import tasks
from playground.adapt.variant import Variant
from playground.bounds import finite
from playground.errors import PlaygroundError
from playground.lowrank.mix import RULES, Mix, mixable
from playground.model.bases import BASES
from playground.work.jobs import NOTHING
from playground.work.sessions import SESSIONS
from playground.work.waiting import NONE

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.lowrank.interference import Interference
    from playground.model.bases import Base
    from playground.work.jobs import Run
    from playground.work.sessions import Place

MIX, ANSWERS, SCORES, SPREAD = "mix", "mix-answers", "mix-scores", "mix-spread"  # places of the session's runs


@dataclass(frozen=True)
class Made:
    """A mix as the session has it, without its tensors, and how far its updates lie from the weighted sum of the others'."""

    adapter: Adapter
    distance: float


def offered(key: str, base_id: str | None) -> list[dict[str, Any]]:
    """The session's adapters that can be mixed, and the ready-made ones."""
    return [one for one in list_adapters(key, base_id) if mixable(one)]


def mix_of(key: str, adapters: Sequence[str], weights: Sequence[float], **values: Any) -> Mix:
    """The mix of adapters of a session, by their ids. Raises PlaygroundError as `Mix.checked`."""
    library = SESSIONS.get(key).library
    return Mix(tuple(library.get(one) for one in adapters), tuple(weights), **values).checked()


def interference(key: str, adapters: Sequence[str]) -> list[Interference]:
    """Of every pair in every module. Raises PlaygroundError for what cannot be mixed."""
    from playground.lowrank.interference import interference as between

    mix = mix_of(key, adapters, [1.0] * len(adapters))
    base, _ = examined(key, adapters[0])
    return between(base, mix.adapters)


def start_mix(key: str, mix: Mix, name: str, place: Place = MIX) -> Run:
    """Queue a checked mix; it becomes an adapter of the session, called so. Raises PlaygroundError at once."""
    SESSIONS.check_room(key, sum(4 * one.record.trainable_parameters for one in mix.adapters))
    base, _ = examined(key, mix.adapters[0].id)
    return SESSIONS.submit(key, LAB, lambda stop: _making(key, base, mix, name), mix.told(), place)


def _making(key: str, base: Base, mix: Mix, name: str) -> Iterator[Made | None]:
    from playground.lowrank.mixing import distance, mixing
    from playground.train.record import new_id

    for made in mixing(base, mix):
        if made is None:
            yield None
            continue
        adapter = replace(made, id=new_id(), name=name[: settings.MAX_ADAPTER_NAME])
        apart = distance(base, mix, adapter)
        SESSIONS.add(key, adapter)
        yield Made(SESSIONS.get(key).library.get(adapter.id).outline(), apart)


def latest_mix(key: str) -> Made | None:
    """The session's latest mix on the page, while it is there."""
    session = SESSIONS.get(key)
    run = session.runs.get(MIX)
    made: Made | None = run.events[-1] if run and run.state == "finished" else None
    return made if made and session.library.knows(made.adapter.id) else None


def mix_name(mix: Mix, language: str) -> str:
    """pirate 1 + JSON −0.5 · DARE (seed 3): by the tasks where they tell the adapters apart, else by their own names."""
    known = [one.record.task for one in mix.adapters]
    apart = len(set(known)) == len(known) and all(one in tasks.TASK_IDS for one in known)
    names = [locales.text(language, f"tasks.{one.record.task}.name") if apart else plain_name(one) for one in mix.adapters]
    parts = [
        f"{name} {locales.trimmed(language, weight).replace('-', '−')}"
        for name, weight in zip(names, mix.weights, strict=True)
    ]
    rule = locales.text(language, f"mix.short.{RULES[mix.rule].family}")
    if "seed" in RULES[mix.rule].takes:
        rule = locales.text(language, "mix.drawn", rule=rule, seed=locales.number(language, mix.seed))
    return f"{' + '.join(parts)} · {rule}"


def parents(key: str, adapter_id: str) -> list[Adapter]:
    """The adapters that a mix was made of, of those that are still here. Raises PlaygroundError if it is gone itself."""
    library = SESSIONS.get(key).library
    named = [one["id"] for one in library.get(adapter_id).record.mix.get("adapters", [])]
    return [library.get(one) for one in named if library.knows(one)]


def _beside(key: str, adapter_id: str) -> tuple[Variant, ...]:
    """The base that a mix runs on, the adapters that it was made of, and itself. Raises PlaygroundError."""
    mix = SESSIONS.get(key).library.get(adapter_id)
    several = [Variant.of(one.record.base, one) for one in (*parents(key, adapter_id), mix)]
    return Variant(several[-1].base), *several


def start_mixed_answers(key: str, adapter_id: str, prompt: str, decoding: Mapping[str, Any]) -> Run:
    """Queue a comparison of the base, each adapter of a mix and the mix. Raises PlaygroundError at once."""
    variants = _beside(key, adapter_id)
    return start_answers(key, LAB, variants[0].base, prompt, variants, decoding, place=ANSWERS, subject=adapter_id)


# What is left of each task


@dataclass(frozen=True)
class Scoring:
    """What a table of scores is about, for whoever shows it. Holds no tensors."""

    adapter: str
    tasks: tuple[str, ...]
    panes: tuple[dict[str, Any], ...]  # what `Variant.summary` says of each


def start_mixed_scores(key: str, adapter_id: str) -> Run:
    """
    Queue scoring the base, each adapter of a mix and the mix, on every ready-made task that one of them has learned: events
    are (task, `Scored` or `Unscored`). Raises PlaygroundError at once.
    """
    from playground.compare.pool import LOOKS
    from playground.train.scoring import ScoreJob, score

    variants = _beside(key, adapter_id)
    learned = _learned(key, adapter_id)
    running = SESSIONS.get(key).runs.get(SCORES)
    if running and not running.ended:
        raise PlaygroundError("already_scoring")
    have(variants[0].base)

    jobs = [ScoreJob(tasks.task(task), variants) for task in learned]

    def events(stop: Callable[[], bool]) -> Iterator[Any]:
        for job in jobs:
            for event in score(job, BASES.get, stop, LOOKS):
                yield event and (job.task.id, event)

    count = catalogue.parameters(variants[0].base)
    subject = Scoring(adapter_id, learned, tuple(one.summary(count) for one in variants))
    return SESSIONS.submit(key, TRAIN, events, subject, SCORES, NOTHING, sum(map(length_of, jobs), NONE))


# How much of it is luck


def draws(mix: Mapping[str, Any]) -> bool:
    """Whether a mix, as its record tells it, depends on a seed."""
    return "seed" in RULES[mix["rule"]].takes


def start_spread(key: str, adapter_id: str) -> Run:
    """
    Queue measuring a mix that draws from three seeds, on the tasks of its adapters: events are `Spread`s. Raises
    PlaygroundError at once.
    """
    from playground.lowrank.spread import SpreadJob, spread

    told = SESSIONS.get(key).library.get(adapter_id).record.mix
    ids, weights = ([one[name] for one in told["adapters"]] for name in ("id", "weight"))
    values = {name: told[name] for name in RULES[told["rule"]].takes}
    mix = mix_of(key, ids, weights, rule=told["rule"], **values)
    base, _ = examined(key, adapter_id)
    job = SpreadJob(mix, tuple(tasks.task(one) for one in _learned(key, adapter_id)))
    return SESSIONS.submit(key, MEASURE, lambda stop: spread(base, job), adapter_id, SPREAD)


def _learned(key: str, adapter_id: str) -> tuple[str, ...]:
    """The ready-made tasks that the adapters of a mix have learned. Raises PlaygroundError if there are none."""
    known = {one.record.task for one in parents(key, adapter_id)}
    learned = tuple(one for one in tasks.TASK_IDS if one in known)
    if not learned:
        raise PlaygroundError("no_held_out")
    return learned


def scored(run: Run) -> dict[tuple[str, str], Any]:
    """What is known so far, by task and pane."""
    return {(event[0], event[1].pane): event[1] for event in run.events if event}


def interference_json(found: Sequence[Interference]) -> list[dict[str, Any]]:
    return finite([asdict(one) for one in found])  # type: ignore[no-any-return]
