"""One thread for what touches the disk or decodes bodies, so that the router never waits for either.

Work is done in steps, each giving one message. Every lane (a client, or one of its jobs) has at most one message made
and not yet handed over, and lanes take turns, so a client that asks for much delays nobody and fills no memory.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import zmq
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Message

from .failures import as_error
from .sockets import Sent

LONGEST_LANE = 16
_WAKE = "inproc://hmdiff-background"


@dataclass(frozen=True, eq=False)
class Task:
    """steps: gone through in the thread. The others are called by the router: deliver hands a message over and may say
    ``full`` to be asked again; ended hears None, or what went wrong.
    """

    lane: Hashable
    steps: Iterator[Message]
    deliver: Callable[[Message], Sent]
    ended: Callable[[HmdiffError | None], None]


_End = HmdiffError | None
_Result = tuple[Task, Message | None, _End]


class Background:
    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.PULL)
        self.socket.bind(_WAKE)
        self._lanes: dict[Hashable, deque[Task]] = {}
        self._held: dict[Hashable, _Result] = {}
        self._turns: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=(context,), daemon=True)
        self._thread.start()

    def add(self, task: Task) -> None:
        """Errors: ``server.busy`` when the lane is full."""
        lane = self._lanes.setdefault(task.lane, deque())
        if len(lane) >= LONGEST_LANE:
            raise HmdiffError(
                "server.busy", "Too much was asked for at once.", "Wait for some of the answers and ask again."
            )
        lane.append(task)
        if len(lane) == 1:
            self._turns.put(task)

    def hand_over(self) -> None:
        """Deliver what has been made, as far as its clients take it."""
        while self.socket.poll(0):
            self.socket.recv()
        while not self._results.empty():
            result = self._results.get()
            self._held[result[0].lane] = result
        for lane, (task, message, error) in list(self._held.items()):
            if message is not None:
                sent = task.deliver(message)
                if sent == "full":
                    continue
                del self._held[lane]
                if sent == "sent":
                    self._turns.put(task)
                else:
                    del self._lanes[lane]
                continue
            del self._held[lane]
            tasks = self._lanes[lane]
            tasks.popleft()
            if tasks:
                self._turns.put(tasks[0])
            else:
                del self._lanes[lane]
            task.ended(error)

    def close(self) -> bool:
        """False when the thread hangs in a step, on a network disk perhaps."""
        self._turns.put(None)
        self._thread.join(5.0)
        self.socket.close(0)
        return not self._thread.is_alive()

    def _work(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        wake = context.socket(zmq.PUSH)
        wake.setsockopt(zmq.LINGER, 0)
        wake.connect(_WAKE)
        while (task := self._turns.get()) is not None:
            try:
                self._results.put((task, next(task.steps, None), None))
            except Exception as error:
                self._results.put((task, None, as_error(error)))
            wake.send(b"")
        wake.close()
