"""From the free body, which the model is trained on, to a body the user brought: same pose, fitting proportions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.body import load_body, save_body
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame
from numpy.typing import NDArray

from ..bodies.model import BodyModel, body_model
from ..bodies.sources import load_body_any
from ..fitting import project

Array = NDArray[np.float32]
_PRIOR = 0.02
"""How strongly the user's betas are held to zero against bone lengths in metres."""


@dataclass(frozen=True)
class BodyTransfer:
    """free, own: the two bodies, both on the 24 SMPL joints. focal px and principal px of the run's camera."""

    free: BodyModel
    own: BodyModel
    focal: float
    principal: tuple[float, float]

    def betas(self, betas: Array) -> Array:
        """Free body's betas (10,) -> the own body's, by least squares on the bone lengths at rest."""
        _, target = self.free.rest(torch.from_numpy(betas)[None])
        parents = list(self.own.parents[1:])
        wanted = (target[0, 1:] - target[0, parents]).norm(dim=-1)
        bones = self.own.joint_template[1:] - self.own.joint_template[parents]
        unit = torch.nn.functional.normalize(bones, dim=-1)
        slopes = torch.einsum("jc,jcb->jb", unit, self.own.joint_shapedirs[1:] - self.own.joint_shapedirs[parents])
        system = slopes.T @ slopes + _PRIOR**2 * torch.eye(slopes.shape[1])
        solved = torch.linalg.solve(system, slopes.T @ (wanted - bones.norm(dim=-1)))
        return np.pad(solved.numpy(), (0, max(0, 10 - len(solved))))[:10].astype(np.float32)

    def motion(self, betas: Array, pose: Array, joints: Array) -> tuple[Array, Array, Array]:
        """own betas, pose (F,72), free joints (F,24,3) -> transl (F,3), joints (F,24,3), joints_2d (F,24,2)."""
        shape = torch.from_numpy(betas[: self.own.n_betas]).expand(len(pose), -1)
        some = self.own.subset(torch.zeros(1, dtype=torch.long))
        _, own = some.from_axis_angle(shape, torch.from_numpy(np.ascontiguousarray(pose, np.float32)))
        # The trunk and the limbs' roots carry the place; hands and feet may differ in reach.
        anchor = [0, 1, 2, 12, 16, 17]
        transl = (torch.from_numpy(np.asarray(joints, np.float32))[:, anchor] - own[:, anchor]).mean(1)
        moved = own + transl[:, None]
        picture = project(
            moved, torch.full((len(pose),), self.focal), torch.tensor(self.principal).expand(len(pose), 2)
        )
        return transl.numpy(), moved.numpy(), picture.numpy()

    def row(self, row: PersonFrame) -> PersonFrame:
        """A row of the free body as a row of the own one. Per-vertex data of the free body is left out."""
        betas = self.betas(np.asarray(row.betas, np.float32))
        transl, joints, picture = self.motion(betas, row.pose[None], row.joints[None])
        guess_transl, guess_joints, _ = self.motion(betas, row.hypotheses_pose, row.hypotheses_joints)
        return replace(
            row, betas=betas, transl=transl[0], joints=joints[0], joints_2d=picture[0], hypotheses_transl=guess_transl,
            hypotheses_joints=guess_joints, vertex_std=np.zeros(0, np.float32), vertices=None,
        )  # fmt: skip


def prepare_body(
    path: Path, free: BodyModel, folder: Path, focal: float, principal: tuple[float, float]
) -> tuple[BodyTransfer, Path]:
    """Load the user's body and store it as the take's body file in folder.

    Errors: those of ``load_body_any``, and ``body.not_a_person`` for hands.
    """
    data = load_body_any(path)
    if len(data.parents) != 24:
        raise HmdiffError(
            "body.not_a_person", f"{path.name} is not a whole body: it has {len(data.parents)} joints instead of 24.",
            "Give --body an SMPL body such as SMPL_NEUTRAL.npz.",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / "own_body.npz"
    save_body(stored, data)
    # As it will be read from the take: a run that is resumed there must see the same numbers.
    return BodyTransfer(free, body_model(load_body(stored)), focal, principal), stored
