"""What a take folder is: names, columns, the header and its JSON (docs/take_format.md is the specification)."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid as uuid_module
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import HmdiffError

FORMAT = "hmdiff-take"
VERSION = (1, 2)
MANIFEST = "manifest.json"
BODY_FILE = "body.npz"
STATE_FILE = "state.json"
VERSION_FILE = "version.json"
VERSIONS = "versions"
CHUNKS = "chunks"
TRACKS = "tracks"
N_BETAS = 10

STATUS_NAMES = ("absent", "ok", "held", "tiny", "truncated")
ABSENT, OK, HELD, TINY, TRUNCATED = range(5)
STATUS_CODE = {name: code for code, name in enumerate(STATUS_NAMES)}

Shape = tuple[int, ...]
ROW_FIELDS: dict[str, Shape] = {
    "box": (4,), "betas": (N_BETAS,), "pose": (72,), "transl": (3,),
    "joints": (24, 3), "joints_2d": (24, 2), "landmarks_2d": (33, 3),
}  # fmt: skip
HYPOTHESIS_FIELDS: dict[str, Shape] = {"pose": (72,), "transl": (3,), "joints": (24, 3), "score": ()}
MOTION_FIELDS: dict[str, Shape] = {"pose": (72,), "transl": (3,), "joints": (24, 3), "joints_2d": (24, 2)}

Columns = dict[str, tuple[int, int]]
SourceKind = Literal["video", "image", "sequence"]
RunStatus = Literal["running", "complete", "cancelled", "failed"]


def size_of(shape: Shape) -> int:
    """Numbers in one value of that shape; 1 for a scalar."""
    return int(np.prod(shape, dtype=np.int64))


def columns_of(layout: dict[str, Shape]) -> tuple[Columns, int]:
    """Where each field lies in a packed row -> ({name: (first, end)}, width)."""
    columns: Columns = {}
    at = 0
    for name, shape in layout.items():
        columns[name] = (at, at + size_of(shape))
        at += size_of(shape)
    return columns, at


@dataclass(frozen=True)
class TakeHeader:
    """What a run knows before its first frame.

    width, height: pixels of the upright image, ``rotation`` (degrees counter-clockwise, already applied) being what the
    file's metadata asked for. fps is nominal; true times are stored per frame. n_frames is the source's own estimate.
    focal in pixels and ``focal_source`` (``exif``, ``user``, ``image_size`` ...). up: unit vector of world-up in camera
    axes (x right, y down, z forward), (0,-1,0) for a level camera. settings: anything JSON can hold. source_mark: tells
    whether footage is still the one the run began with, "" where nothing does.
    """

    source_path: str
    source_kind: SourceKind
    width: int
    height: int
    fps: float
    n_frames: int | None
    body_name: str
    preset: str
    n_hypotheses: int
    seed: int
    focal: float
    focal_source: str
    tool_version: str
    rotation: int = 0
    up: tuple[float, float, float] = (0.0, -1.0, 0.0)
    up_source: str = "assumed_level"
    body_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    source_mark: str = ""
    uuid: str = field(default_factory=lambda: str(uuid_module.uuid4()))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TakeHeader:
        """Unknown keys are left out: newer minor versions stay readable. Raises KeyError, TypeError or ValueError."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        x, y, z = (float(value) for value in known["up"])
        for key in ("width", "height"):
            if int(known[key]) <= 0:
                raise ValueError(f"{key} is {known[key]}")
        return cls(**{**known, "up": (x, y, z)})


@dataclass(frozen=True, eq=False)
class PersonFrame:
    """One person in one frame (docs/architecture.md, "Rows of a take"); V vertices, N hypotheses, N may be 0.

    status: a name from STATUS_NAMES but ``absent``. box (4,) x0 y0 x1 y1 pixels; betas (10,); pose (72,) axis-angle,
    global_orient first; transl (3,); joints (24,3) camera space, metres; joints_2d (24,2) pixels; landmarks_2d (33,3)
    x, y, confidence; hypotheses_pose (N,72), hypotheses_transl (N,3), hypotheses_joints (N,24,3),
    hypotheses_score (N,); vertex_std (V,) metres, or (0,) where there is none; vertices (V,3) camera space, or None
    to decode them from the pose.
    """

    track_id: int
    status: str
    box: NDArray[Any]
    betas: NDArray[Any]
    pose: NDArray[Any]
    transl: NDArray[Any]
    joints: NDArray[Any]
    joints_2d: NDArray[Any]
    landmarks_2d: NDArray[Any]
    hypotheses_pose: NDArray[Any]
    hypotheses_transl: NDArray[Any]
    hypotheses_joints: NDArray[Any]
    hypotheses_score: NDArray[Any]
    vertex_std: NDArray[Any]
    vertices: NDArray[Any] | None = None


@dataclass(frozen=True)
class Manifest:
    """manifest.json as data. tracks: {track_id: folder in tracks/}; next_frame: first frame index not yet on disk."""

    header: TakeHeader
    status: RunStatus
    n_chunks: int
    n_frames: int
    next_frame: int
    n_vertices: int
    tracks: dict[int, str] = field(default_factory=dict)
    message: str = ""


def damaged(folder: Path, detail: str) -> HmdiffError:
    return HmdiffError(
        "take.damaged", f"The take in {folder} is damaged.",
        "Run the clip again, or copy the whole folder anew from where it was made.", detail,
    )  # fmt: skip


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace manifest.json in one step: a reader sees the old one or the new one, never half of one."""
    row_columns, hypothesis_columns, motion_columns = (
        columns_of(layout)[0] for layout in (ROW_FIELDS, HYPOTHESIS_FIELDS, MOTION_FIELDS)
    )
    data = {
        "format": FORMAT, "version": list(VERSION), "status": manifest.status, "message": manifest.message,
        "n_chunks": manifest.n_chunks, "n_frames": manifest.n_frames, "next_frame": manifest.next_frame,
        "n_vertices": manifest.n_vertices,
        "tracks": {str(track): name for track, name in sorted(manifest.tracks.items())},
        "status_names": list(STATUS_NAMES),
        "columns": {"rows": row_columns, "hypotheses": hypothesis_columns, "motion": motion_columns},
        "header": manifest.header.to_dict(),
    }  # fmt: skip
    text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    temporary = folder / (MANIFEST + ".tmp")
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    replace(temporary, folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Errors: ``take.not_found``, ``take.foreign`` (not ours), ``take.newer`` (a later version's), ``take.damaged``."""
    path = Path(folder) / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise HmdiffError(
            "take.not_found",
            f"There is no take in {folder}.",
            "Choose the folder that holds manifest.json.",
            repr(error),
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(Path(folder), repr(error)) from error
    try:
        data = json.loads(text)
    except ValueError as error:
        raise damaged(Path(folder), f"manifest.json: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise HmdiffError(
            "take.foreign", f"{folder} is not a take of HMDiff.", "Choose a folder made by `hmdiff animate`."
        )
    try:
        if int(data["version"][0]) > VERSION[0]:
            raise HmdiffError(
                "take.newer",
                f"The take in {folder} was made by a newer HMDiff ({data['header'].get('tool_version')}).",
                "Update HMDiff to open it.",
                f"format {data['version']}, this program reads {list(VERSION)}",
            )
        return Manifest(
            header=TakeHeader.from_dict(data["header"]), status=data["status"], message=str(data.get("message", "")),
            n_chunks=int(data["n_chunks"]), n_frames=int(data["n_frames"]), next_frame=int(data["next_frame"]),
            n_vertices=int(data["n_vertices"]),
            tracks={int(track): _plain_name(name) for track, name in data["tracks"].items()},
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise damaged(Path(folder), f"manifest.json: {error!r}") from error


def _plain_name(name: str) -> str:
    if not name.replace("_", "").isalnum():
        raise ValueError(f"bad folder name {name!r}")
    return name


def chunk_name(number: int) -> str:
    return f"{number:06d}"


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace(source: Path, target: Path) -> None:
    """os.replace that waits out a reader or virus scanner holding the target, which only Windows minds."""
    for wait in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(wait)
    os.replace(source, target)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write one .npy (little-endian, C order) and hand it to the disk before returning."""
    whole = np.ascontiguousarray(array)
    if whole.dtype.hasobject:
        raise ValueError(f"{path.name}: {whole.dtype} is not numbers")
    with open(path, "wb") as file:
        # numpy's own writing to a file does not tell a full disk from any other failure.
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
        file.write(whole.reshape(-1).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())


def load_array(path: Path, mapped: bool = False) -> NDArray[Any]:
    """Read one .npy, memory-mapped if asked. Raises OSError, ValueError or EOFError for a damaged one."""
    if not mapped:
        return np.load(path, allow_pickle=False)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        # An empty array cannot be mapped; a damaged file fails here again.
        return np.load(path, allow_pickle=False)
