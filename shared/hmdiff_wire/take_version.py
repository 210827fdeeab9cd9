"""Versions of a take: whole takes below the original, made of links to what did not change (docs/take_format.md)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .errors import HmdiffError
from .take_disk import chunk_path, disk_errors
from .take_format import (
    BODY_FILE,
    MANIFEST,
    MOTION_FIELDS,
    TRACKS,
    VERSION_FILE,
    VERSIONS,
    chunk_name,
    damaged,
    read_manifest,
    replace,
    save_array,
    write_manifest,
)
from .take_pack import block, padded_betas

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class TrackMotion:
    """betas (10,); frames (n,) rising frame indices; pose (n,72), transl (n,3), joints (n,24,3), joints_2d (n,24,2): as
    ``TakeWriter.set_track`` takes them. All frames of the track, those that did not change too.
    """

    betas: Array
    frames: Array
    pose: Array
    transl: Array
    joints: Array
    joints_2d: Array


@dataclass(frozen=True)
class VersionRecord:
    """What makes a take a version. number: 1 is an original; parent: path of the take it was made from, relative to
    this one's folder where both lie in one original, "" for an original; parent_uuid; edits: all that are in force;
    wishes: the other options it was made with, as JSON.
    """

    number: int = 1
    parent: str = ""
    parent_uuid: str = ""
    edits: tuple[Mapping[str, Any], ...] = ()
    wishes: Mapping[str, Any] = field(default_factory=dict)


def original_of(folder: Path) -> Path:
    """The take whose version this folder is, by where it lies; itself for an original."""
    folder = Path(folder)
    return folder.parent.parent if folder.parent.name == VERSIONS else folder


def parent_of(folder: Path) -> Path | None:
    """The take a version was made from, None for an original. Errors: ``take.damaged``."""
    parent = read_version(folder).parent
    return Path(os.path.normpath(Path(folder) / parent)) if parent else None


def next_version(folder: Path, taken: Callable[[Path], bool] = lambda path: False) -> Path:
    """Where the next version of this take (or of its original) goes. taken: is somebody about to write there?"""
    versions = original_of(folder) / VERSIONS
    there = [int(one.name) for one in versions.iterdir() if one.name.isdecimal()] if versions.is_dir() else []
    number = max([1, *there]) + 1
    while taken(versions / version_name(number)):
        number += 1
    return versions / version_name(number)


def version_name(number: int) -> str:
    return f"{number:06d}"


def read_version(folder: Path) -> VersionRecord:
    """An original has a record too: number 1 and nothing else. Errors: ``take.damaged``."""
    try:
        data = json.loads((Path(folder) / VERSION_FILE).read_text(encoding="utf-8"))
        return VersionRecord(
            int(data["version"]), str(data["parent"]), str(data["parent_uuid"]),
            tuple(dict(one) for one in data["edits"]), dict(data["wishes"]),
        )  # fmt: skip
    except FileNotFoundError:
        return VersionRecord()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(Path(folder), f"{VERSION_FILE}: {error!r}") from error


def write_version(
    source: Path, target: Path, motions: Mapping[int, TrackMotion], edits: tuple[Mapping[str, Any], ...] = (),
    wishes: Mapping[str, Any] | None = None,
) -> VersionRecord:  # fmt: skip
    """Make ``target`` a take like ``source`` but for the motion of some tracks. It appears in one step or not at all.

    Errors: ``take.exists``, ``take.running``, ``take.not_writable``, ``disk.full``, those of ``read_manifest``.
    """
    source, target = Path(os.path.abspath(source)), Path(os.path.abspath(target))
    manifest = read_manifest(source)
    if manifest.status == "running":
        raise HmdiffError(
            "take.running", f"The take in {source} is still being written.", "Wait until its run has ended."
        )
    if (target / MANIFEST).exists():
        raise HmdiffError("take.exists", f"{target} already holds a take.", "Choose another folder.")
    inside = original_of(source) == original_of(target)
    record = VersionRecord(
        int(target.name) if inside and target.name.isdecimal() else read_version(source).number + 1,
        Path(os.path.relpath(source, target)).as_posix() if inside else str(source), manifest.header.uuid,
        edits, dict(wishes or {}),
    )  # fmt: skip
    beside = target.with_name(f"{target.name}.{uuid4().hex[:8]}.tmp")
    with disk_errors(target):
        try:
            beside.mkdir(parents=True)
            _link(source / BODY_FILE, beside / BODY_FILE)
            for number in range(manifest.n_chunks):
                _link_folder(chunk_path(source, number), beside / "chunks" / chunk_name(number))
            tracks = dict(manifest.tracks)
            for track, name in manifest.tracks.items():
                if track not in motions:
                    _link_folder(source / TRACKS / name, beside / TRACKS / name)
            for track, motion in motions.items():
                before = manifest.tracks.get(track)
                tracks[track] = f"{track}_{int(before.rpartition('_')[2]) + 1 if before else 0}"
                _write_track(beside / TRACKS / tracks[track], motion)
            _write_record(beside, record)
            header = with_changes(manifest.header, uuid=str(uuid4()))
            write_manifest(beside, with_changes(manifest, header=header, tracks=tracks))
            if target.is_dir():
                target.rmdir()  # an empty folder is no one's
            replace(beside, target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    return record


def _write_track(folder: Path, motion: TrackMotion) -> None:
    indices = np.asarray(motion.frames, np.int64)
    parts = [
        block(getattr(motion, name), (len(indices), *shape), name).reshape(len(indices), -1)
        for name, shape in MOTION_FIELDS.items()
    ]
    values = np.concatenate(parts, axis=1)
    if not np.isfinite(values).all() or (np.diff(indices) <= 0).any():
        raise ValueError("a motion holds numbers that are not finite, or frames that do not rise")
    folder.mkdir(parents=True)
    save_array(folder / "frames.npy", indices.astype("<i4"))
    save_array(folder / "betas.npy", padded_betas(motion.betas))
    save_array(folder / "motion.npy", values.astype("<f4"))


def _write_record(folder: Path, record: VersionRecord) -> None:
    data = {
        "version": record.number, "parent": record.parent, "parent_uuid": record.parent_uuid,
        "edits": list(record.edits), "wishes": dict(record.wishes),
    }  # fmt: skip
    with open(folder / VERSION_FILE, "w", encoding="utf-8", newline="\n") as file:
        json.dump(data, file, ensure_ascii=False, indent=1, allow_nan=False)


def _link_folder(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for one in sorted(source.iterdir()):
        if one.is_file():
            _link(one, target / one.name)


def _link(source: Path, target: Path) -> None:
    """A second name for a file that never changes any more, or a copy where the disk knows no such thing."""
    try:
        os.link(source, target)
    except (OSError, NotImplementedError):
        shutil.copyfile(source, target)
