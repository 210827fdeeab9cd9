"""How the server was started."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from .sockets import HOST


@dataclass(frozen=True)
class Settings:
    """roots: as ``access.check_roots`` gives them; jobs: ``module:function`` the workers run; port: 0 for a free one;
    devices: one worker each; parent_pid: end when that process does; address: an IP; curve: folder of ``hmdiff keys``;
    uploads: where uploaded files wait, None for the temporary folder.
    """

    roots: tuple[Path, ...]
    jobs: str
    port: int = 0
    devices: tuple[str, ...] = ("auto",)
    parent_pid: int | None = None
    address: str = HOST
    curve: Path | None = None
    uploads: Path | None = None


def check_address(address: str, curve: bool) -> str:
    """The IP to bind. Errors: ``usage`` for something else, ``server.open`` where others could connect unencrypted."""
    try:
        ip = ipaddress.ip_address(HOST if address == "localhost" else address)
    except ValueError:
        raise HmdiffError(
            "usage", f"{address[:100]!r} is not an IP address.", "Give one of this computer's, or 0.0.0.0 for all."
        ) from None
    if not ip.is_loopback and not curve:
        raise HmdiffError(
            "server.open", f"On {ip} others could listen in, since nothing is encrypted.",
            "Make keys with `hmdiff keys DIR` and add --curve DIR.",
        )  # fmt: skip
    return str(ip)
