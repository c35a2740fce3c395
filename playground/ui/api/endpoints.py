"""
The named endpoints that programs use: JSON in, JSON out, the same actions as the page.

A program's session is that of its client. What it gives up (by cancelling, or by closing its stream) stops.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them, of a stream that of what it yields
# (hence the `type: ignore[misc]`).
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr
from gradio.events import api

from playground import settings
from playground.actions import adapters as library
from playground.actions import catalogue, export, lowrank, runs
from playground.actions.compare import start_comparison
from playground.actions.lowrank import effects, start_edited
from playground.actions.own import asked
from playground.actions.scores import AFTER, scoring_of
from playground.actions.train import event_json, start_training
from playground.actions.work import check_ended, own_place, stop, stop_all
from playground.compare.job import Decoding
from playground.ui.api.mcp import session_of
from playground.ui.api.served import changes, gone, served
from playground.work.jobs import Run


def build_api(more: Mapping[str, Callable[..., Any]]) -> None:
    """Declare the endpoints, these and `more`, inside the current gr.Blocks."""
    endpoints: dict[str, Callable[..., Any]] = {
        "bases": bases,
        "methods": methods,
        "tasks": task_list,
        "adapters": adapters,
        "count_parameters": count_parameters,
        "train": train,
        "compare": compare,
        "low_rank": low_rank,
        "truncate": truncate,
        "soft_prompt": soft_prompt,
        "stop": stop_everything,
        "session": session,
        **more,
    }
    for name, endpoint in endpoints.items():
        api(served(name, endpoint), api_name=name, concurrency_limit=None)
    adapter, zip_out = gr.Textbox(visible=False, label="adapter"), gr.File(visible=False, label="file")
    kind = gr.Textbox("adapter", visible=False, label="kind")
    zip_in, base = (
        gr.File(visible=False, type="filepath", label="zip"),
        gr.Textbox(settings.DEFAULT_BASE, visible=False, label="base"),
    )
    uploaded = gr.JSON(visible=False, label="adapter")
    download, upload = served("download_adapter", download_adapter), served("upload_adapter", upload_adapter)
    adapter.submit(download, [adapter, kind], zip_out, api_name="download_adapter", concurrency_limit=None)
    zip_in.upload(upload, [zip_in, base], uploaded, api_name="upload_adapter", concurrency_limit=None)


def key_of(request: gr.Request) -> str:
    return session_of(request)


def bases(request: gr.Request) -> list[Any]:
    """
    The base models, those that this session has loaded last: id, name, parameters, source, and whether it is loaded.

    Returns:
        a list of {id, name, parameters, source, loaded}; parameters is null where it is not known before loading

    Raises:
        nothing
    """
    return catalogue.list_bases(key_of(request))


def methods() -> list[Any]:
    """
    The methods: id, name, family, paper, default steps, and the range of every hyperparameter.

    Returns:
        a list of {id, name, family, sentence, formula, paper, peft_type, front, merges, mixes, quantized, steps,
            hyperparameters: {name: {default, minimum, maximum, choices}}}

    Raises:
        nothing
    """
    return catalogue.describe_methods()


def task_list() -> list[Any]:
    """
    The tasks: id, name, and how many training and held-out examples each has.

    Returns:
        a list of {id, name, train, held_out}, the last two in examples

    Raises:
        nothing
    """
    return catalogue.describe_tasks()


def adapters(request: gr.Request) -> list[Any]:
    """
    This session's own adapters, newest first, and the ready-made ones.

    Returns:
        a list of {id, name, base, method, task, hyperparameters, steps, trainable_parameters, total_parameters,
            percent, bytes, own, made_for, undone, mixed, converted}

    Raises:
        nothing
    """
    return library.list_adapters(key_of(request))


def count_parameters(
    base: str,
    method: str,
    request: gr.Request,
    hyperparameters: dict[str, Any] = {},  # noqa: B006
) -> dict[str, Any]:
    """
    Trainable parameters before training, as PEFT counts them after wrapping.

    Args:
        base: a base id, with :nf4, :int8 … for its form in fewer bits
        method: a method id
        hyperparameters: what differs from the method's defaults

    Returns:
        {trainable, total, percent, bytes, memory}: numbers of the model, a percentage, bytes of the adapter, and
            bytes that training takes

    Raises:
        an unknown base or method, a hyperparameter that there is not, or one outside its range
    """
    return catalogue.count_parameters(base, method, hyperparameters)


def train(  # type: ignore[misc]
    base: str,
    method: str,
    task: str,
    request: gr.Request,
    hyperparameters: dict[str, Any] = {},  # noqa: B006
    steps: int = 0,
    seed: int = 0,
    score: bool = False,
    own: dict[str, Any] = {},  # noqa: B006
) -> dict[str, Any]:
    """
    Train an adapter and watch: a stream of events, the last one with the adapter's summary; with `score`, the scores of the
    base, of few-shot and of the adapter follow it. What was read of own examples comes first, as `examples` gives it.

    Args:
        base: a base id
        method: a method id
        task: a task id, or "own"
        hyperparameters: what differs from the method's defaults
        steps: optimizer steps; 0 takes the method's default
        seed: decides initialization and order; the same seed gives the same adapter
        score: whether the adapter is scored on the task's held-out examples, once it has made all its steps
        own: your own examples and how to read, split and score them, as /examples takes them; with the task "own" only

    Returns:
        a stream of {event, step, …}: started (with the precision of its products), step (loss in nats a token,
            seconds), evaluation (held_out_loss, nats a token), sample, and at last finished, stopped or failed with
            {adapter, seconds}; adapter is null where nothing was learned. With score, behind finished a score of the
            base, of few-shot and of the adapter, as /score gives them

    Raises:
        an unknown id, a hyperparameter, steps or a seed outside its range, and while another training of this
            session runs
    """
    key = key_of(request)
    learned, told = asked(task, own, base)
    run = start_training(key, base, method, learned, hyperparameters, steps=steps or None, seed=seed, scored=score)
    if told:
        yield told
    yield from events(run)
    scoring = scoring_of(key, AFTER) if score and run.state == "finished" and not gone() else None
    if scoring:
        yield from events(scoring)


def events(run: Run) -> Iterator[dict[str, Any]]:
    """All events of a run that keeps them, as they come; it stops with whoever follows. Raises the run's error."""
    sent = 0
    try:
        for _ in changes(run):
            for event in run.events[sent:]:
                yield event_json(event)
                sent += 1
    finally:
        stop(run)
    if run.error:
        raise run.error


def compare(  # type: ignore[misc]
    base: str,
    prompt: str,
    adapters: list[Any],
    request: gr.Request,
    max_new_tokens: int = Decoding.max_new_tokens,
    temperature: float = Decoding.temperature,
    seed: int = Decoding.seed,
    top_p: float = Decoding.top_p,
    repetition_penalty: float = Decoding.repetition_penalty,
) -> dict[str, Any]:
    """
    Answer one prompt with several adapters at once: a stream of frames with all panes' texts, the last one measured.

    Args:
        base: a base id
        prompt: the question
        adapters: adapter ids; "base" is the plain base, "id@step" a checkpoint
        max_new_tokens: the longest answer
        temperature: 0 is greedy
        seed: decides sampling when the temperature is above 0
        top_p: nucleus sampling
        repetition_penalty: 1 is off

    Returns:
        a stream of {panes: [{adapter, text, tokens, finished, …}]}. The last one is measured: tokens_per_second,
            first_divergence (a token's place), kl_from_base (nats, of the first token), top_tokens; finish_reason is
            stop, length, or overflow for a pane whose numbers leave float32

    Raises:
        an unknown id, no question or one that is too long, no panes or too many, a value outside its range
    """
    decoding = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
    }
    key = key_of(request)
    with own_place(key) as place:
        yield from frames(start_comparison(key, base, prompt, adapters, decoding, place))


def frames(run: Run) -> Iterator[dict[str, Any]]:
    """A comparison's frames as they come. Raises the run's error."""
    sent = None
    for _ in changes(run):
        if run.events and run.events[-1] is not sent:
            sent = run.events[-1]
            yield sent.as_json()
    if not gone():
        check_ended(run)


def low_rank(adapter: str, request: gr.Request, module: str = "") -> dict[str, Any]:
    """
    The update that a LoRA made to one module: its singular values, energy, effective rank, norms, amplification.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        module: the module's path in the base; empty: the most changed one

    Returns:
        {module, shape: [out, in], rank, scaling, singular_values, energy (shares, growing to 1), effective_rank,
            frobenius_weight, frobenius_update, relative, within, amplification, …}

    Raises:
        an unknown adapter or module, and an adapter that has no low-rank update
    """
    return lowrank.low_rank(key_of(request), adapter, module)


def truncate(  # type: ignore[misc]
    adapter: str,
    prompt: str,
    request: gr.Request,
    rank: int = -1,
    strength: float = 1.0,
    layers: list[Any] = [],  # noqa: B006
    kinds: list[Any] = [],  # noqa: B006
    max_new_tokens: int = 40,
) -> dict[str, Any]:
    """
    Answer a prompt with the base, an adapter, and what is left of it: a stream of frames as in `compare`. The last one
    has `effects`: held-out loss and mean KL from the base, in nats, of the whole adapter and of what is left; null if
    the adapter's held-out examples are not here.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        prompt: the question
        rank: how many directions of every update stay (SVD); -1: all
        strength: what the update is scaled with, from -1 to 2
        layers: [first, last] layer that stays on; empty: all
        kinds: kinds of modules that stay on, such as "q_proj"; empty: all
        max_new_tokens: the longest answer

    Returns:
        a stream like that of /compare with the panes base, adapter, and what is left of it. The last one has
            effects: {base, whole, left: {held_out_loss, kl_from_base}}, null where numbers overflow

    Raises:
        an unknown adapter, an edit that this method cannot have, a value outside its range
    """
    edit = {
        "rank": None if rank == -1 else rank,
        "strength": strength,
        "layers": layers or None,
        "kinds": kinds or None,
    }
    key = key_of(request)
    with own_place(key) as place:
        last: dict[str, Any] = {}
        for last in frames(start_edited(key, place, adapter, edit, prompt, {"max_new_tokens": max_new_tokens})):
            yield last
        yield {**last, "effects": effects(key, adapter, edit, place, gone)}


def soft_prompt(adapter: str, request: gr.Request, nearest: int = 3) -> dict[str, Any]:
    """
    The virtual tokens of a prompt-tuning adapter: norms, nearest vocabulary tokens before and after training.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        nearest: how many vocabulary tokens for each

    Returns:
        {tokens: [{position, norm, nearest: [{token, cosine}], start_nearest, cosine_to_start, …}], …}

    Raises:
        an unknown adapter, one without virtual tokens, more than 10 nearest
    """
    return lowrank.soft_prompt(key_of(request), adapter, nearest)


def stop_everything(request: gr.Request) -> dict[str, Any]:
    """
    Stop whatever runs or waits for this session: how many jobs that were. A training keeps what it has learned.

    Returns:
        {stopped}: a number of jobs

    Raises:
        nothing
    """
    return {"stopped": stop_all(key_of(request))}


def session(request: gr.Request) -> dict[str, Any]:
    """
    All that this session has made: its adapters with their records, and its trainings.

    Returns:
        {adapters: [{id, …, record: {losses: [[step, nats]], held_out, samples, seed, versions, …}}], runs: [{base, task,
            rows, references}]}; without weights, and without your own examples

    Raises:
        nothing
    """
    return runs.session_record(key_of(request))


def download_adapter(adapter: str, request: gr.Request, kind: str = "adapter") -> str:
    """
    A file of an adapter, to take home.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        kind: "adapter": a zip that `PeftModel.from_pretrained` loads once unpacked, with a README that is a model card, and
            the code and the examples that make it again; "python" or "notebook": that code alone; "model": a zip of the base
            with the adapter merged, for plain transformers; "gguf": the LoRA for llama.cpp

    Returns:
        the file

    Raises:
        an unknown adapter or kind, and what this method has no such file of
    """
    return export.export(key_of(request), adapter, kind)


def upload_adapter(zip_file: str, request: gr.Request, base: str = settings.DEFAULT_BASE) -> dict[str, Any]:
    """
    Check a zip and add its adapter to this session.

    Args:
        zip_file: a file of gradio's upload, or its address; at most 32 MB
        base: the id of the base that it is for

    Returns:
        the adapter, as in /adapters

    Raises:
        a zip that is no adapter of this base, too large, or holds what has no place there
    """
    return library.upload(key_of(request), zip_file, base)
