"""The body in torch: betas and pose in, vertices and joints out, differentiable and batched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from hmdiff_wire.body import BodyData, load_body
from torch import Tensor

from .rotations import axis_angle_to_matrix

FREE_BODY = Path(__file__).parent.parent / "data" / "body.npz"


@dataclass(frozen=True)
class BodyModel:
    """Linear blend skinning over a BodyData (or a subset of its vertices) on one device.

    template (V,3), shapedirs (V,3,B), posedirs (V,3,207) or None, weights (V,24), joint_template (24,3),
    joint_shapedirs (24,3,B): the joints are linear in the betas, so a subset of vertices keeps exact joints.
    """

    data: BodyData
    template: Tensor
    shapedirs: Tensor
    posedirs: Tensor | None
    weights: Tensor
    joint_template: Tensor
    joint_shapedirs: Tensor
    parents: tuple[int, ...]

    @property
    def n_betas(self) -> int:
        return self.shapedirs.shape[-1]

    def to(self, device: torch.device | str) -> BodyModel:
        moved = {
            name: getattr(self, name).to(device)
            for name in ("template", "shapedirs", "weights", "joint_template", "joint_shapedirs")
        }
        posedirs = None if self.posedirs is None else self.posedirs.to(device)
        return BodyModel(data=self.data, posedirs=posedirs, parents=self.parents, **moved)

    def subset(self, indices: Tensor) -> BodyModel:
        """The same body with only the vertices in indices (n,): as exact, and cheaper."""
        return BodyModel(
            data=self.data,
            template=self.template[indices],
            shapedirs=self.shapedirs[indices],
            posedirs=None if self.posedirs is None else self.posedirs[indices],
            weights=self.weights[indices],
            joint_template=self.joint_template,
            joint_shapedirs=self.joint_shapedirs,
            parents=self.parents,
        )

    def rest(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        """betas (N,B) -> rest vertices (N,V,3), rest joints (N,24,3)."""
        count = betas.shape[-1]
        vertices = self.template + torch.einsum("vcb,nb->nvc", self.shapedirs[..., :count], betas)
        joints = self.joint_template + torch.einsum("jcb,nb->njc", self.joint_shapedirs[..., :count], betas)
        return vertices, joints

    def __call__(self, betas: Tensor, rotations: Tensor, transl: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """betas (N,B), local rotations (N,24,3,3), transl (N,3) -> vertices (N,V,3), joints (N,24,3), metres."""
        rest, rest_joints = self.rest(betas)
        world, joints = forward_kinematics(self.parents, rest_joints, rotations)
        offsets = joints - torch.einsum("njab,njb->nja", world, rest_joints)
        if self.posedirs is not None:
            feature = (rotations[:, 1:] - torch.eye(3, device=rotations.device)).flatten(1)
            rest = rest + torch.einsum("vcp,np->nvc", self.posedirs, feature)
        affine = torch.cat([world, offsets[..., None]], -1).flatten(2)
        per_vertex = (self.weights @ affine).unflatten(-1, (3, 4))
        vertices = (per_vertex[..., :3] @ rest[..., None]).squeeze(-1) + per_vertex[..., 3]
        if transl is not None:
            vertices, joints = vertices + transl[:, None], joints + transl[:, None]
        return vertices, joints

    def from_axis_angle(self, betas: Tensor, pose: Tensor, transl: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As calling the model, with pose (N,72) in axis-angle."""
        return self(betas, axis_angle_to_matrix(pose.reshape(len(pose), -1, 3)), transl)


def forward_kinematics(parents: tuple[int, ...], rest_joints: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
    """rest_joints (N,24,3), local rotations (N,24,3,3) -> world rotations (N,24,3,3), joints (N,24,3)."""
    world: list[Tensor] = []
    joints: list[Tensor] = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            world.append(rotations[:, joint])
            joints.append(rest_joints[:, joint])
            continue
        bone = rest_joints[:, joint] - rest_joints[:, parent]
        world.append(world[parent] @ rotations[:, joint])
        joints.append(joints[parent] + (world[parent] @ bone[..., None]).squeeze(-1))
    return torch.stack(world, 1), torch.stack(joints, 1)


def body_model(data: BodyData) -> BodyModel:
    """BodyData -> BodyModel on the CPU."""
    regressor = torch.from_numpy(data.joint_regressor)
    template, shapedirs = torch.from_numpy(data.v_template), torch.from_numpy(data.shapedirs)
    return BodyModel(
        data=data,
        template=template,
        shapedirs=shapedirs,
        posedirs=None if data.posedirs is None else torch.from_numpy(data.posedirs),
        weights=torch.from_numpy(data.weights),
        joint_template=regressor @ template,
        joint_shapedirs=torch.einsum("jv,vcb->jcb", regressor, shapedirs),
        parents=tuple(int(p) for p in data.parents),
    )


def load_free_body() -> BodyModel:
    """The body that ships with HMDiff."""
    return body_model(load_body(FREE_BODY))
