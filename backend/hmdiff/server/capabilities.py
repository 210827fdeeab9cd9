"""What the backend can do, for its Welcome, and what it takes from a client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.codec import Limits
from hmdiff_wire.landmarks import LANDMARK_NAMES

from ..refine.request import QUALITIES
from . import options
from .background import LONGEST_LANE
from .feed import LARGEST_SIDE, MOST_CREDIT
from .job_queue import LONGEST_QUEUE, REMEMBERED
from .takes import MESH_BYTES, PIECE_BYTES
from .uploads import CHUNK_BYTES, LARGEST_UPLOAD, WINDOW_BYTES

OUTPUTS = (
    ".npz", ".amass.npz", ".png", ".mp4", ".blend", ".glb", ".fbx", ".bvh", ".abc", ".usd", ".usdc", ".usda", ".pc2",
)  # fmt: skip
"""As in ``video.outputs``, whose import costs the router memory."""
LARGEST_PART = 32 * 1024**2
"""A raw RGB frame of 4096 x 2160 is 26.5 MB; larger ones come as JPEG or PNG files. libzmq stores a part before anybody
can look for the token in its message, so this times ``sockets.IN_MESSAGES`` is what one hostile connection can make it
store in whole messages."""
CLIENT_LIMITS = Limits(arrays=1, array_bytes=LARGEST_PART, message_bytes=LARGEST_PART + 64 * 1024)


def capabilities(devices: tuple[str, ...], roots: tuple[Path, ...], curve: bool) -> dict[str, Any]:
    """docs/protocol.md describes each; ``device`` and ``longest_queue`` are what 1.0 called them."""
    return {
        "kinds": ["pose", "animate", "people", "refine"],
        "joints": list(JOINT_NAMES),
        "landmarks": list(LANDMARK_NAMES),
        "inputs": ["path", "upload", "frames"],
        "presets": list(options.PRESETS),
        "outputs": list(OUTPUTS),
        "refine_qualities": list(QUALITIES),
        "devices": list(devices),
        "device": devices[0],
        "roots": [str(root) for root in roots],
        "curve": curve,
        "longest_queue": LONGEST_QUEUE,
        "limits": {
            "queue": LONGEST_QUEUE, "remembered_jobs": REMEMBERED, "requests": LONGEST_LANE,
            "header_bytes": CLIENT_LIMITS.header_bytes, "array_bytes": LARGEST_PART,
            "upload_bytes": LARGEST_UPLOAD, "chunk_bytes": CHUNK_BYTES, "window_bytes": WINDOW_BYTES,
            "credit": MOST_CREDIT, "frame_side": LARGEST_SIDE, "piece_bytes": PIECE_BYTES, "meshes_bytes": MESH_BYTES,
        },
    }  # fmt: skip
