"""The take: the folder a run leaves (docs/take_format.md). This is the door; the parts are in ``take_*``."""

from .take_format import (
    ABSENT,
    HELD,
    OK,
    STATUS_NAMES,
    TINY,
    TRUNCATED,
    PersonFrame,
    TakeHeader,
    read_manifest,
)
from .take_reader import Take, read_take
from .take_rows import LazyRows
from .take_writer import TakeWriter

__all__ = [
    "ABSENT", "HELD", "OK", "STATUS_NAMES", "TINY", "TRUNCATED",
    "LazyRows", "PersonFrame", "Take", "TakeHeader", "TakeWriter", "read_manifest", "read_take",
]  # fmt: skip
