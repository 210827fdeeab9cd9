"""The skinned body linearised: how vertices and joints move with every joint's turn, the betas and the translation.

Turns are small rotations omega_k in world axes about joint k's posed place, carrying all of its descendants, so that
d v_i = sum_k omega_k x a_ik with a_ik = sum over descendants j of w_ij (v_ij - p_k). Every normal equation is then made
of second moments of the arms a_ik; no (3V x 72) Jacobian is ever formed. Pose-dependent corrections (posedirs) enter
the vertices, not the derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from hmdiff.bodies.model import BodyModel, forward_kinematics


@dataclass(frozen=True)
class Tree:
    """carries[k, j] = 1 where joint j is k or below it (24,24); levels: joints by depth, parents first."""

    carries: Tensor
    levels: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Linear:
    """The body at a point. vertices (B,V,3), joints (B,24,3), world (B,24,3,3); vertex_arms (B,V,3,24);
    joint_arms (B,24,3,24); vertex_shape (B,V,3,S) and joint_shape (B,24,3,S), None where betas are not asked for.
    """

    vertices: Tensor
    joints: Tensor
    world: Tensor
    vertex_arms: Tensor
    joint_arms: Tensor
    vertex_shape: Tensor | None
    joint_shape: Tensor | None


@cache
def kinematic_tree(parents: tuple[int, ...]) -> Tree:
    """parents (J,), -1 for the root, every parent before its children."""
    carries = torch.eye(len(parents))
    depth = [0] * len(parents)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            carries[:, joint] += carries[:, parent]
            depth[joint] = depth[parent] + 1
    levels = tuple(tuple(j for j, d in enumerate(depth) if d == level) for level in range(max(depth) + 1))
    return Tree(carries=carries, levels=levels)


def linearise(
    body: BodyModel, tree: Tree, betas: Tensor, rotations: Tensor, transl: Tensor, with_shape: bool
) -> Linear:
    """betas (B,S), local rotations (B,24,3,3), transl (B,3) -> Linear. Costs about two skinnings."""
    count = len(rotations)
    rest, rest_joints = body.rest(betas)
    world, joints = forward_kinematics(body.parents, rest_joints, rotations)
    joints = joints + transl[:, None]
    if body.posedirs is not None:
        feature = (rotations[:, 1:] - torch.eye(3, device=rotations.device)).flatten(1)
        rest = rest + torch.einsum("vcp,np->nvc", body.posedirs, feature)
    offsets = joints - (world @ rest_joints[..., None]).squeeze(-1)

    affine = torch.cat([world, offsets[..., None]], -1).permute(0, 3, 2, 1)
    homogeneous = torch.cat([rest, torch.ones_like(rest[..., :1])], -1)
    bound = (homogeneous @ affine.flatten(2)).unflatten(-1, (3, -1)).mul_(body.weights[:, None])
    carried = (bound.view(-1, len(body.parents)) @ tree.carries.T).view(bound.shape)
    share = body.weights @ tree.carries.T
    places = joints.transpose(1, 2)[:, None]
    vertices = carried[..., 0].clone()
    vertex_arms = carried.addcmul_(share[:, None], places, value=-1)
    joint_arms = (joints[..., None] - places) * tree.carries.T[:, None]
    if not with_shape:
        return Linear(vertices, joints, world, vertex_arms, joint_arms, None, None)

    joint_shape = _joint_shape(body, world)
    turned = world @ body.joint_shapedirs
    per_vertex = torch.cat([world.flatten(2), (joint_shape - turned).flatten(2)], -1)
    blended = body.weights @ per_vertex
    size = body.n_betas
    vertex_shape = blended[..., :9].unflatten(-1, (3, 3)) @ body.shapedirs + blended[..., 9:].view(count, -1, 3, size)
    return Linear(vertices, joints, world, vertex_arms, joint_arms, vertex_shape, joint_shape)


def _joint_shape(body: BodyModel, world: Tensor) -> Tensor:
    moved: list[Tensor] = []
    for joint, parent in enumerate(body.parents):
        if parent < 0:
            moved.append(body.joint_shapedirs[joint].expand(len(world), -1, -1))
        else:
            bone = body.joint_shapedirs[joint] - body.joint_shapedirs[parent]
            moved.append(moved[parent] + world[:, parent] @ bone)
    return torch.stack(moved, 1)
