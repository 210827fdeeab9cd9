"""The frames of one job on their way to its owner, in order, each once, however slowly the owner reads.

The latest frames stay in memory. An owner who falls farther behind, or comes back later, gets the older ones from the
take on disk; only what is in neither is dropped.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace

from hmdiff_wire.messages import FrameResult, JobDone, Message, Progress

from .sockets import Clients, Sent

RECENT_BYTES = 64 * 1024**2
RECENT_FRAMES = 2000
NOBODY = b""

ReadStored = Callable[["Delivery", int, int], None]
"""Start to send the delivery's frames first..last from the take; each comes back through ``stored``."""


class Delivery:
    def __init__(self, owner: bytes) -> None:
        self.owner = owner
        self.dropped = 0
        self.visit = 0
        """Counts the owners, so that what was read for an earlier one is not taken for this one's."""
        self._news: Progress | None = None
        self._ending: Message | None = None
        self._told = False
        self._recent: OrderedDict[int, tuple[FrameResult, int]] = OrderedDict()
        self._unsent: deque[int] = deque()
        self._forgotten: array[int] = array("q")
        self._cursor: int | None = None
        self._behind = self._reading = False
        self.recent_bytes = 0

    def add(self, frame: FrameResult) -> None:
        if self._cursor is None:
            self._cursor = frame.index - 1
        nbytes = sum(one.nbytes for one in frame.arrays.values())
        self._recent[frame.index] = frame, nbytes
        self.recent_bytes += nbytes
        if frame.index > self._cursor:
            self._unsent.append(frame.index)
        while self.recent_bytes > RECENT_BYTES or len(self._recent) > RECENT_FRAMES:
            self.forget_oldest()

    def end(self, message: Message) -> None:
        """How the job ended; said after its frames."""
        self._ending = message

    def attach(self, owner: bytes, after: int) -> None:
        self.owner, self.visit, self.dropped, self._told = owner, self.visit + 1, 0, False
        self._cursor, self._behind, self._reading = after, True, False
        self._unsent = deque(index for index in self._recent if index > after)

    def leave(self) -> None:
        """The owner has gone; what it has not got is kept for the next one."""
        self.owner = NOBODY

    def forget_oldest(self) -> bool:
        """Make room in memory; False when there is nothing to forget."""
        if not self._recent:
            return False
        index, (_, nbytes) = self._recent.popitem(last=False)
        self.recent_bytes -= nbytes
        self._forgotten.append(index)
        if self._unsent and self._unsent[0] == index:
            self._unsent.popleft()
            self._behind = True
        return True

    def say(self, news: Progress) -> None:
        """Between the frames before and after it; where the owner reads slowly, only the latest."""
        self._news = news

    def pump(self, clients: Clients, read_stored: ReadStored, most: int = 20) -> bool:
        """Send what can be sent now; True where more could be."""
        for _ in range(most):
            if self.owner == NOBODY or self._told:
                return False
            if self._behind and self._cursor is not None and not self._reading:
                self._behind, self._reading = False, True
                last = next(iter(self._recent), 2**31) - 1
                read_stored(self, self._cursor + 1, last)
                continue
            message = self._next()
            if message is None:
                return False
            sent = clients.offer(self.owner, message)
            if sent == "gone":
                self.owner = NOBODY
            if sent != "sent":
                return False
            if isinstance(message, FrameResult):
                self._advance(message.index)
            elif isinstance(message, Progress):
                self._news = None
            else:
                self._told = True
        return True

    def _next(self) -> Message | None:
        if self._unsent and not self._reading:
            return self._recent[self._unsent[0]][0]
        if self._news is not None or self._reading:
            return self._news
        if isinstance(self._ending, JobDone):
            return replace(self._ending, frames_dropped=self.dropped)
        return self._ending

    def stored(self, clients: Clients, visit: int, message: Message) -> Sent:
        """A frame that was read from the take; one that is still in memory comes from there."""
        assert isinstance(message, FrameResult)
        if visit != self.visit or self.owner == NOBODY:
            return "gone"
        if self._cursor is not None and message.index <= self._cursor:
            return "sent"
        sent = clients.offer(self.owner, message)
        if sent == "gone":
            self.owner = NOBODY
        elif sent == "sent":
            self._advance(message.index)
        return sent

    def stored_ended(self, visit: int, last: int) -> None:
        """Nothing up to ``last`` comes from the take any more: what is not in memory either is lost to this owner."""
        if visit == self.visit:
            self._reading = False
            if self._forgotten:
                self._advance(min(last, self._forgotten[-1]), itself=True)

    def _advance(self, index: int, itself: bool = False) -> None:
        """The owner has all that can be had up to index. Forgotten frames before it (``itself``: it too) are lost."""
        if self._cursor is None or index <= self._cursor:
            return
        begin = bisect_left(self._forgotten, self._cursor + 1)
        self.dropped += max(0, bisect_left(self._forgotten, index + itself) - begin)
        self._cursor = index
        while self._unsent and self._unsent[0] <= index:
            self._unsent.popleft()
