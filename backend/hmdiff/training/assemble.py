"""Put body, mocap and noise together into streams for training and for held-out checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..bodies.hierarchy import Hierarchy, load_hierarchy
from ..bodies.joint_maps import JointMaps, load_joint_maps
from ..bodies.model import BodyModel, load_free_body
from ..synthesis.batch import Batch, SyntheticStream
from ..synthesis.measured.tables import shipped_tables
from ..synthesis.noise import NoiseModel
from ..synthesis.people import make_setup
from ..synthesis.poses import load_pose_pool
from .loop import Stream

TRAINING_FOCAL_ERROR = 0.30
"""As ``NoiseModel.focal_error``, for training: the picture's diagonal, assumed where nothing is known, is off by about
0.36 for lenses of 24 to 85 mm, and cost 22 mm PA on rendered people with true landmarks (measured)."""
TRAINING_NOISE = NoiseModel(focal_error=TRAINING_FOCAL_ERROR, truncated=0.15, limb_removed=0.08)
"""More is cut off and hidden than by default: of the rendered people a fifth are close-ups, a quarter half hidden."""


@dataclass(frozen=True)
class Assembly:
    """The free body with everything derived from it."""

    body: BodyModel
    hierarchy: Hierarchy
    maps: JointMaps


def assemble_body() -> Assembly:
    """The free body, its hierarchy and its joint maps."""
    body = load_free_body()
    hierarchy = load_hierarchy(body.data)
    return Assembly(body, hierarchy, load_joint_maps(body, hierarchy))


def make_stream(
    parts: Assembly, data: Path, split: str, device: torch.device | str, heatmaps: bool, noise: NoiseModel | None = None
) -> SyntheticStream:
    """split ``train`` augments poses, and most people are read as the real detector was measured to read; ``test``
    (held-out subjects) does not, and all are read by the structured noise: the ruler stays what it was."""
    setup = make_setup(
        load_pose_pool(data, split), parts.body, parts.hierarchy, parts.maps, device, augment=split == "train"
    )
    faces = torch.from_numpy(parts.hierarchy.faces[1]).to(device)
    tables = shipped_tables(str(device)) if split == "train" else None
    usual = TRAINING_NOISE if split == "train" else NoiseModel()
    return SyntheticStream(setup, faces, noise or usual, heatmaps=heatmaps, tables=tables)


def held_out_batch(stream: SyntheticStream, count: int, seed: int = 12345) -> Batch:
    """A fixed batch of people for watching the training."""
    with torch.no_grad():
        return stream.draw(count, torch.Generator(device=stream.setup.device).manual_seed(seed))


def mean_mesh(stream: Stream, count: int = 4096) -> torch.Tensor:
    """Mean root-centred mesh (431,3) over people as the camera sees them."""
    generator = torch.Generator(device=stream.setup.device).manual_seed(7)
    with torch.no_grad():
        return torch.stack(
            [stream.draw(512, generator).people.vertices.mean(0) for _ in range(max(1, count // 512))]
        ).mean(0)
