"""Where the body is while a joint is dragged, as part of ``transition``: one question at a time, always the newest.

A question is a refine job that writes nothing (docs/protocol.md, "While a drag goes on"). It is sent only where the
backend can answer it soon and has nothing of ours to do; whatever writes goes before. Trouble with it is nobody's news:
the drag goes on without answers, and the correction that follows it tells what is wrong.
"""

from __future__ import annotations

from dataclasses import replace

from hmdiff_wire.messages import Cancel, Cancelled, Error, FrameResult, JobDone, JobFailed, Message, Submit

from .effects import Effect, Send, ShowLive
from .events import DragEnded, DragMoved
from .state import AppState, Drag

Step = tuple[AppState, tuple[Effect, ...]]

QUALITY = "live"


def moved(state: AppState, event: DragMoved) -> Step:
    """The newest place; a drag that was not known begins with it, and ends the one before."""
    drag = state.drag
    if drag is None or drag.id != event.drag:
        drag = Drag(event.drag, event.source, event.options, fresh=True)
        return replace(state, drag=drag), _called_off(state.drag)
    if (drag.source, drag.options) == (event.source, event.options):
        return state, ()
    return replace(state, drag=replace(drag, source=event.source, options=event.options, fresh=True)), ()


def ended(state: AppState, event: DragEnded) -> Step:
    if state.drag is None or state.drag.id != event.drag:
        return state, ()
    return forget(state)


def forget(state: AppState) -> Step:
    """No drag any more; its question need not be answered."""
    return replace(state, drag=None), _called_off(state.drag)


def receive(state: AppState, message: Message) -> Step | None:
    """A message about the question that is on its way; None where it is about something else."""
    drag = state.drag
    if drag is None or not drag.sent or getattr(message, "job", "") != drag.sent:
        return None
    match message:
        case FrameResult():
            return state, (ShowLive(drag.sent, drag.id, message.index, message.arrays),)
        case JobDone() | Cancelled():
            return replace(state, drag=replace(drag, sent="")), ()
        case JobFailed() | Error():  # the next would not fare better
            return replace(state, drag=replace(drag, sent="", broken=True)), ()
    return state, ()


def go_on(state: AppState, effects: tuple[Effect, ...]) -> Step:
    """After everything that happens: ask, or make way."""
    drag = state.drag
    if drag is None:
        return state, effects
    if state.backend.phase != "ready":  # of a connection that is no more nothing is heard
        return replace(state, drag=_unsent(drag)), effects
    if state.active_job is not None:
        return replace(state, drag=_unsent(drag)), (*_called_off(drag), *effects)
    if not drag.fresh or drag.sent or drag.broken or QUALITY not in _qualities(state):
        return state, effects
    drag = replace(drag, sent=f"{drag.id}-{drag.count}", count=drag.count + 1, fresh=False)
    ask = Submit(drag.sent, "refine", drag.source, dict(drag.options))
    return replace(state, drag=drag), (*effects, Send(ask))


def _unsent(drag: Drag) -> Drag:
    """What was asked and will not be answered is asked again."""
    return replace(drag, sent="", fresh=True) if drag.sent else drag


def _called_off(drag: Drag | None) -> tuple[Effect, ...]:
    return (Send(Cancel(drag.sent)),) if drag is not None and drag.sent else ()


def _qualities(state: AppState) -> tuple[object, ...]:
    """What the backend offers; before protocol 1.3 it did not say."""
    known = state.backend.capabilities.get("refine_qualities", ())
    return tuple(known) if isinstance(known, list | tuple) else ()
