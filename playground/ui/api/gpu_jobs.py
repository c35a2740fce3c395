"""
The endpoints for a recipe on a GPU that is rented: what it would cost, the job, its adapter.
"""

# No postponed annotations here: see endpoints.py.
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from playground.actions import gpu_jobs
from playground.bounds import finite
from playground.locales import choose
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import accepted, gone


def plan_gpu_job(
    adapter: str, request: gr.Request, base: str = gpu_jobs.BASE, flavor: str = gpu_jobs.FLAVOR
) -> dict[str, Any]:
    """
    What it would take to train an adapter's recipe on another base as a Hugging Face job; nothing is started.

    Args:
        adapter: an adapter id of this session, or of a ready-made one
        base: an id of the Hugging Face hub (owner/name)
        flavor: a machine with one GPU: l4x1, a10g-small, l40sx1, a100-large, rtx-pro-6000 or h200

    Returns:
        {base, flavor, gpu, gpu_bytes, dollars_an_hour, prices, source, read, steps, tokens_a_step, parameters, needed_bytes,
            begin_seconds, step_seconds, minutes, limit_minutes, dollars, most_dollars, share_of_peak, peak}: prices is hub
            where the hub told them now, published where they are those of source on the day read; dollars is the estimated
            total, most_dollars what it costs at its limit, where it is stopped; peak is in operations a second

    Raises:
        an unknown adapter or flavor, an adapter that no recipe makes again on another base, a base that is not on the hub or
            too large for the GPU
    """
    return gpu_jobs.plan(key_of(request), adapter, base, flavor).json()


def run_gpu_job(  # type: ignore[misc]
    adapter: str,
    repository: str,
    token: str,
    request: gr.Request,
    base: str = gpu_jobs.BASE,
    flavor: str = gpu_jobs.FLAVOR,
) -> dict[str, Any]:
    """
    Train an adapter's recipe on another base as a Hugging Face job, which your account pays for, and follow it. Cancelling
    or closing the stream ends the job; where the hub does not answer, it goes on, and follow_gpu_job finds it.

    Args:
        adapter: as for plan_gpu_job
        repository: name or owner/name of a model repository: the script, the examples and then the adapter lie there; it is
            made, private, where there is none
        token: yours, that may write repositories and run jobs; it is not kept
        base: as for plan_gpu_job
        flavor: as for plan_gpu_job

    Returns:
        a stream of {job, address, repository, base, method, stage, message, step, steps, losses, seconds, dollars, log,
            ended}: losses are [step, nats a token], dollars what it has cost so far, log the last lines; stage is
            SCHEDULING, RUNNING, and at last COMPLETED, CANCELED, ERROR or DELETED

    Raises:
        as plan_gpu_job; no network, a token that the hub does not know or that may not, an account without credit, while
            another job of this session goes on
    """
    key = key_of(request)
    plan = gpu_jobs.plan(key, adapter, base, flavor)
    sent = gpu_jobs.start(key, plan, repository, token, choose(accepted(request)))
    try:
        yield from _followed(key, token)
    except GeneratorExit:  # where only the hub did not answer, the job goes on
        gpu_jobs.end(sent, token)
        raise
    if gone():
        gpu_jobs.end(sent, token)


def follow_gpu_job(token: str, request: gr.Request, stop: bool = False) -> dict[str, Any]:  # type: ignore[misc]
    """
    Follow this session's latest job again, where the hub did not answer for a while. Closing the stream leaves the job.

    Args:
        token: yours, that may see the job; it is not kept
        stop: end the job

    Returns:
        a stream as that of run_gpu_job

    Raises:
        no job; no network, a token that the hub does not know or that may not
    """
    key = key_of(request)
    if stop:
        gpu_jobs.stop(key)
    yield from _followed(key, token)


def _followed(key: str, token: str) -> Iterator[dict[str, Any]]:
    for view in gpu_jobs.follow(key, token):
        if gone():
            return
        yield finite(view)


def fetch_gpu_job(token: str, request: gr.Request) -> dict[str, Any]:
    """
    The adapter that this session's latest job has made, added to the session.

    Args:
        token: yours, that may read the job's repository; it is not kept

    Returns:
        the adapter, as in /adapters

    Raises:
        no job, one that has made no adapter, a base that is not loaded here
    """
    return gpu_jobs.bring_back(key_of(request), token)


ENDPOINTS: Mapping[str, Callable[..., Any]] = {
    "plan_gpu_job": plan_gpu_job,
    "run_gpu_job": run_gpu_job,
    "follow_gpu_job": follow_gpu_job,
    "fetch_gpu_job": fetch_gpu_job,
}
