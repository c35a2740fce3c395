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
from playground.actions import export, runs
from playground.actions.compare import start_comparison
from playground.actions.own import asked
from playground.actions.scores import AFTER, scoring_of
from playground.actions.train import event_json, start_training
from playground.actions.work import check_ended, own_place, stop, stop_all
from playground.compare.job import Decoding
from playground.ui.api.mcp import session_of
from playground.ui.api.served import changes, gone, served
from playground.work.jobs import Run


def build_api(more: Mapping[str, Callable[..., Any]]) -> None:
    """Declare the endpoints, `more` and these, inside the current gr.Blocks."""
    endpoints: dict[str, Callable[..., Any]] = {
        **more,
        "train": train,
        "compare": compare,
        "stop": stop_everything,
        "session": session,
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
        {adapters: [{id, name, base_name, …, record: {losses: [[step, nats]], held_out, samples, seed, versions, …}}], runs:
            [{base_name, base, task, rows, references}]}; without weights, and without your own examples

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
            the code that makes it again with a task's examples, but never a visitor's own; "python" or "notebook": that code
            alone; "examples": those it reads, own ones too; "model": a zip of the base with the adapter merged, for plain
            transformers; "gguf": the LoRA for llama.cpp

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
