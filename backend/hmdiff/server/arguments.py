"""The arguments of `hmdiff serve` and `python -m hmdiff.server.fake`; nothing heavy is imported here."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", type=Path, action="append", default=[], metavar="DIR",
        help="a folder whose files clients may name; at least one, may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--address", default="127.0.0.1", metavar="IP", help="where to listen (%(default)s); others need --curve"
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="(default: a free one)")
    parser.add_argument("--curve", type=Path, metavar="DIR", help="encrypt with the keys that `hmdiff keys DIR` made")
    parser.add_argument(
        "--device", type=device, action="append", default=[], metavar="NAME",
        help="auto, cpu, cuda, cuda:N or mps; may be given several times, each gets a worker (default: auto)",
    )  # fmt: skip
    parser.add_argument("--uploads", type=Path, metavar="DIR", help="where uploads wait (default: temporary files)")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="also write the line with port and token here")
    parser.add_argument("--parent-pid", type=_pid, metavar="PID", help="end when this process does")
    parser.add_argument("--jobs", metavar="MODULE:FUNCTION", help=argparse.SUPPRESS)  # other work for the worker


def add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the keys are or shall be")
    parser.add_argument(
        "--client", action="append", default=[], metavar="NAME",
        help="make a key for this client; may be given several times (default: one called `client`)",
    )  # fmt: skip


def device(text: str) -> str:
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a device; there are auto, cpu, cuda, cuda:N and mps")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 65535")
    return int(text)


def _pid(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)
