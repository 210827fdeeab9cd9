"""States, events and messages to try in every combination."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hmdiff_blender_core.events import (
    AddonClosed,
    BackendLooked,
    CancelAsked,
    Dismissed,
    DragEnded,
    DragMoved,
    Event,
    Imported,
    ImportFailed,
    MessageIn,
    NoBackend,
    ProcessEnded,
    ProcessReady,
    RunAsked,
    SetUpAsked,
    SetUpEnded,
    SetUpProgressed,
    SourceClosed,
    StartAsked,
    StopAsked,
    Tick,
)
from hmdiff_blender_core.setup_rules import NOT_INSTALLED
from hmdiff_blender_core.state import BACKEND_PHASES, JOB_PHASES, AppState, Backend, Drag, Job, Problem, Request
from hmdiff_wire.messages import (
    Accepted,
    Attached,
    Cancelled,
    Credit,
    Error,
    FrameResult,
    Heartbeat,
    JobDone,
    JobFailed,
    Meshes,
    Message,
    Piece,
    Pong,
    Progress,
    Uploaded,
    Welcome,
)
from hmdiff_wire.version import PROTOCOL_VERSION

READY = {"ready": True, "port": 40000, "token": "t", "protocol": list(PROTOCOL_VERSION), "pid": 1}
OLD = {**READY, "protocol": [PROTOCOL_VERSION[0] + 1, 0]}
OOPS = {"kind": "memory", "message": "The computer ran out of memory.", "fix": "Try fewer.", "detail": ""}
PROBLEM = Problem("some.kind", "Something went wrong.", "Do something.")
BROKE_OFF = Problem("setup.network", "The internet connection broke off.", "Press Go On.")
CLIP = Request("animate", "/clips/walk.mp4", {"preset": "preview"}, label="walk", frames=60)
PHOTO = Request("pose", "/clips/photo.jpg")
PEOPLE = Request("people", "/clips/walk.mp4")
AGAIN = Request("animate", "/clips/walk.mp4", take="/clips/walk.take", resume=True)
QUEUED = Request("animate", "/clips/run.mp4", {"preset": "preview"}, "/clips/run.take", label="run", in_scene=False)
LIVE = {"refine_qualities": ["live", "fast"]}
"""Of a backend that answers drags."""
ASK = {"edits": [{"frame": 3, "track_id": 0, "joint": "left_wrist", "x": 9.0, "y": 8.0}], "write": False}
DRAG = Drag("drag", "/clips/walk.take", ASK)
ASKED = replace(DRAG, sent="drag-4", count=5)
KNOWN = ("unknown", "token", "exists", "other")


def error(kind: str) -> dict[str, str]:
    return {**OOPS, "kind": kind}


def frame(job: str, index: int) -> FrameResult:
    return FrameResult(job, index, index / 30, {"pose": np.zeros((1, 72), np.float32)})


def about(job: str) -> list[Message]:
    """Every message that names a job, with and without something in its take."""
    take, empty = f"/clips/{job}.take", {}
    return [
        Accepted(job, 2, take), Progress(job, "bodies", 16, 60, 3.0), Progress(job, "starting", 0, 0), frame(job, 0),
        frame(job, 7), JobDone(job, take, 60, (0,), ("One frame was odd.",)), JobDone(job, "", 1, (0,)),
        JobFailed(job, OOPS, take), JobFailed(job, OOPS), JobFailed(job, error("server.stopping"), take),
        Cancelled(job, take), Cancelled(job), Error(error("job.unknown"), job), Error(error("job.exists"), job),
        Error(error("input.outside_roots"), job), Attached(job, "queued", take), Attached(job, "done", take),
        Attached(job, "running", take, "bodies", 32, 60, 2.0), Uploaded(job, 0, 0), Credit(job, 1),
        Meshes(job, 0, -1, True, empty), Piece(job, "a", 0, 0, empty),
    ]  # fmt: skip


GENERAL: list[Message] = [
    Welcome("hmdiff 1", {"device": "cpu"}), Heartbeat({"cpu": "busy"}, 0, ("one",)), Pong(1, "idle", 0),
    Error(error("protocol.malformed")), Error(error("protocol.version")), Error(error("protocol.token")), Error({}),
]  # fmt: skip
CHOICES: list[Event] = [
    RunAsked(CLIP, "two"), RunAsked(PHOTO, "three"), RunAsked(PEOPLE, "four"), RunAsked(AGAIN, "five"),
    RunAsked(QUEUED, "six"), CancelAsked(), CancelAsked(force=True), StartAsked(), StopAsked(), Dismissed(),
    NoBackend(PROBLEM), ProcessReady(READY),
    ProcessReady(READY, attached=True), ProcessReady(OLD), ProcessReady({}), ProcessEnded(1, "No module named hmdiff"),
    ProcessEnded(-9, ""), ProcessEnded(None), Tick(0.0), Tick(3.0), Tick(10.0), Tick(1000.0),
    Tick(1000.0, listening=False), SourceClosed(), AddonClosed(), SetUpAsked(online=True), SetUpAsked(online=False),
    SetUpAsked(online=True, anew=True), SetUpProgressed("Fetching torch", 0.4, 30.0), SetUpEnded(None),
    SetUpEnded(BROKE_OFF), NoBackend(NOT_INSTALLED), BackendLooked(None), BackendLooked(NOT_INSTALLED),
    DragMoved("drag", "/clips/walk.take", ASK), DragMoved("drag", "/clips/walk.take", {**ASK, "edits": []}),
    DragMoved("other", "/clips/walk.take", ASK), DragEnded("drag"), DragEnded("other"),
]  # fmt: skip
JOB_IDS = ("one", "stranger", ASKED.sent)


def events(job_ids: tuple[str, ...] = JOB_IDS) -> list[Event]:
    found = [*CHOICES, *(MessageIn(one) for one in GENERAL)]
    for job in job_ids:
        found += [MessageIn(one) for one in about(job)]
        found += [Imported(job), ImportFailed(job, PROBLEM)]
    return found


def _works(job: Job | None) -> bool:
    return job is not None and job.active


def all_states() -> list[AppState]:
    """Every phase of the backend (ours, attached, silent) with every phase of every kind of job, fresh or not, and with
    drags that have asked, are to ask, or must not.
    """
    found: list[AppState] = []
    for phase in BACKEND_PHASES:
        for capabilities in ({}, LIVE):
            backend = Backend(phase, None, 1.0, 1.0, capabilities, False, READY)
            jobs = [None, *(Job("one", CLIP, job_phase, take="/clips/one.take") for job_phase in JOB_PHASES)]
            for drag in (DRAG, replace(DRAG, fresh=True), replace(DRAG, fresh=True, broken=True)):
                found += [AppState(backend, job, 2.0, drag=drag) for job in jobs]
            if phase == "ready":
                asked = [ASKED, replace(ASKED, fresh=True)]
                found += [AppState(backend, job, 2.0, drag=drag) for drag in asked for job in jobs if not _works(job)]
    for phase in BACKEND_PHASES:
        problem = PROBLEM if phase in ("failed", "absent") else None
        for attached, since in ((False, 1.0), (True, 1.0), (False, -100.0), (True, -100.0), (False, -6.0)):
            backend = Backend(phase, problem, since, since, {}, attached, READY)
            found.append(AppState(backend, None, 2.0))
            found.append(AppState(backend, None, 2.0, PROBLEM))
            for job_phase in JOB_PHASES:
                for request in (CLIP, PHOTO, PEOPLE, AGAIN, QUEUED):
                    fresh = Job("one", request, job_phase, take=request.take)
                    going = replace(
                        fresh, take="/clips/one.take", last_index=4, frames=5, done=5, total=60,
                        preview=request.kind != "people" and request.in_scene,
                        ending="cancelled" if job_phase == "importing" else "",
                        problem=problem if job_phase == "failed" else None,
                    )  # fmt: skip
                    found += [AppState(backend, job, 2.0) for job in (fresh, going)]
    return found
