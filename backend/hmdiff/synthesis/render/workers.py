"""The same work for many shards, in this process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from hmdiff_wire.errors import HmdiffError

Answer = int | tuple[str, str, str, str]


def spread(work: Callable[[int], int], jobs: Sequence[int], workers: int, done: Callable[[int], None]) -> None:
    """Call work(job) for all jobs and done(result) in this process as they finish.

    work must be importable by name in a fresh process (a ``functools.partial`` of such a function will do). The first
    HmdiffError of a worker is raised here; jobs that had begun are finished before.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            done(work(job))
        return
    # an OpenGL context and the networks' threads do not survive a fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context) as pool:
        futures = [pool.submit(partial(_answer, work), job) for job in jobs]
        try:
            for future in as_completed(futures):
                answer = future.result()
                if not isinstance(answer, int):
                    raise HmdiffError(*answer)
                done(answer)
        finally:
            for future in futures:
                future.cancel()


def _answer(work: Callable[[int], int], job: int) -> Answer:
    """An error crosses processes as data: exceptions with arguments of their own do not."""
    try:
        return work(job)
    except HmdiffError as error:
        return error.kind, error.message, error.fix, error.detail
