"""The command line, `hmdiff pose | animate | serve | train ...`: parse, check early, dispatch, explain."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from hmdiff_wire.errors import HmdiffError

from . import __version__
from .commands import arguments, checks
from .commands.output import print_json
from .commands.refine_arguments import add_refine, check_refine
from .server.arguments import add_keys, add_serve

OK, INTERNAL, BAD_INPUT, NOTHING_FOUND, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = (
    "exit codes: 0 done, 1 something broke inside hmdiff or its installation, 2 wrong use or unusable input, "
    "3 nobody found, 4 some clips of a batch are not done, 130 interrupted"
)


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one sentence with a fix, like every other error a person may see."""

    def error(self, message: str) -> Any:
        sentence = message[:1].upper() + message[1:].rstrip(".") + "."
        raise HmdiffError("usage", sentence, f"`{self.prog} --help` lists what is possible.")


def build_parser() -> Parser:
    parser = Parser(prog="hmdiff", description="Animated human bodies from photos and videos.", epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"hmdiff {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str, add: Callable[[argparse.ArgumentParser], None]) -> None:
        sub = commands.add_parser(name, help=summary, description=summary, epilog=EXIT_CODES)
        sub.add_argument("--debug", action="store_true", help="show the traceback when something breaks")
        add(sub)

    command("pose", "A photo in, posed bodies out.", arguments.add_pose)
    command("animate", "A video in, animated bodies out.", arguments.add_animate)
    command("batch", "Many videos and photos, one after another.", arguments.add_batch)
    command("refine", "A take in, a corrected version of it out.", add_refine)
    command("serve", "Be the backend of Blender and other programs.", add_serve)
    command("keys", "Make the keys for a backend on another computer.", add_keys)
    command("train", "Train the models on synthetic people.", arguments.add_train)
    command("eval", "Measure the models on a benchmark.", arguments.add_eval)
    command("synth", "Draw synthetic people and see what the detector makes of them.", arguments.add_synth)
    command("body", "Build or look at the free body.", arguments.add_body)
    command("doctor", "What is installed, what is missing and how to get it.", arguments.add_doctor)
    return parser


def exit_code(error: HmdiffError) -> int:
    family = error.kind.split(".", 1)[0]
    return {
        "nothing": NOTHING_FOUND,
        "internal": INTERNAL,
        "install": INTERNAL,
        "detector": INTERNAL,
        "memory": INTERNAL,
    }.get(family, BAD_INPUT)


def as_hmdiff_error(error: Exception) -> HmdiffError:
    """An unforeseen exception as a sentence and a fix; the traceback goes into a log file named in the fix."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return HmdiffError(
            "memory", "The computer ran out of memory.",
            "Try fewer --hypotheses, a shorter --range, or --device cpu.", trace,
        )  # fmt: skip
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] != "hmdiff":
        return HmdiffError(
            "install.incomplete", f"The Python package {error.name} is not installed.",
            "`hmdiff doctor` says how to get what is missing.", trace,
        )  # fmt: skip
    handle, log = tempfile.mkstemp(prefix="hmdiff-crash-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"hmdiff {__version__}, Python {sys.version}\nhmdiff {' '.join(sys.argv[1:])}\n\n{trace}")
    return HmdiffError(
        "internal", f"Something broke inside hmdiff ({type(error).__name__}: {error}).",
        f"Please report it with the log {log}.", trace,
    )  # fmt: skip


def show_error(error: HmdiffError, *, as_json: bool, debug: bool) -> int:
    code = exit_code(error)
    if debug and error.detail:
        print(error.detail.rstrip(), file=sys.stderr)
    print(f"hmdiff: {error}", file=sys.stderr)
    if as_json:
        print_json({"error": error.to_dict(), "exit_code": code})
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. ``argv`` defaults to the process's own arguments."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:  # a console that cannot show a character of a file name must not end the run
            reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words and words[0] != "eval"  # there --json names a file
    debug = "--debug" in words
    try:
        args = build_parser().parse_args(words)
        checks.check_arguments(args)
        if args.command == "refine":
            check_refine(args)
        return int(importlib.import_module(f"hmdiff.commands.{args.command}").run(args))
    except HmdiffError as error:
        return show_error(error, as_json=as_json, debug=debug)
    except KeyboardInterrupt:
        print("\nhmdiff: Stopped. What was finished is kept.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`hmdiff doctor | head`); leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        return show_error(as_hmdiff_error(error), as_json=as_json, debug=debug)


if __name__ == "__main__":
    sys.exit(main())
