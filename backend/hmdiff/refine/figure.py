"""A body reduced to what losses look at: its joints and a few named points, posed quickly and differentiably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..bodies.model import BodyModel


@dataclass(frozen=True)
class Figure:
    """body: reduced to the vertices that ``points`` (K,V') reads; any joint map onto any keypoints will do.

    Under plain linear blend skinning a point is a fixed sum of places on bones, so no vertex is ever made: tables
    carry (K,24,3), carry_shape (K,24,3,S) and share (K,24). A body with pose corrections is skinned in full.
    with_joints: the 24 joints follow the points as further ones, so K is 24 more than the rows of ``points``; kept:
    those of them that ``select`` left.
    """

    body: BodyModel
    points: Tensor
    jumps: tuple[Tensor, ...]
    carry: Tensor
    carry_shape: Tensor
    share: Tensor
    with_joints: bool = False
    kept: Tensor | None = None

    def select(self, which: Tensor) -> Figure:
        """The same figure with only some of its points: which (K,) bool."""
        at = torch.nonzero(which).flatten()
        kept = at if self.kept is None else self.kept[at]
        return replace(self, carry=self.carry[at], carry_shape=self.carry_shape[at], share=self.share[at], kept=kept)

    @classmethod
    def of(cls, body: BodyModel, points: Tensor, with_joints: bool = False) -> Figure:
        """points (K,V) from all vertices of ``body``."""
        support = torch.nonzero(points.abs().sum(0) > 0).flatten()
        reduced, matrix = body.subset(support), points[:, support]
        joint = torch.einsum("kv,vj->kj", matrix, reduced.weights)
        carry = torch.einsum("kv,vj,vc->kjc", matrix, reduced.weights, reduced.template)
        carry = carry - joint[..., None] * body.joint_template
        shape = torch.einsum("kv,vj,vcs->kjcs", matrix, reduced.weights, reduced.shapedirs)
        shape = shape - joint[..., None, None] * body.joint_shapedirs
        if with_joints:
            # a joint is where its own bone begins: nothing is carried, all of it is the bone's
            carry = torch.cat([carry, carry.new_zeros(24, *carry.shape[1:])])
            shape = torch.cat([shape, shape.new_zeros(24, *shape.shape[1:])])
            joint = torch.cat([joint, torch.eye(24)])
        return cls(reduced, matrix, _jumps(body.parents), carry, shape, joint, with_joints)

    def tables(self, betas: Tensor) -> Shaped:
        """betas (B,S) -> the rest pose of B shapes; differentiable."""
        size = betas.shape[1]
        rest = self.body.joint_template + torch.einsum("jcs,ns->njc", self.body.joint_shapedirs[..., :size], betas)
        carry = self.carry + torch.einsum("kjcs,ns->nkjc", self.carry_shape[..., :size], betas)
        return Shaped(betas, rest, carry.flatten(2))

    def pose(self, shaped: Shaped, rotations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """rotations (B,24,3,3) local -> world rotations (B,24,3,3), joints (B,24,3), points (B,K,3), metres, before
        ``transl``."""
        world, joints = self._chain(shaped.rest_joints, rotations)
        if self.body.posedirs is not None:
            vertices, _ = self.body(shaped.betas, rotations)
            points = self.points @ vertices
            points = torch.cat([points, joints], 1) if self.with_joints else points
            return world, joints, points if self.kept is None else points[:, self.kept]
        # carry's columns are (joint, axis at rest), and so are the rows that turn them into axes of the frame
        points = shaped.carry @ world.transpose(-1, -2).reshape(len(rotations), 72, 3) + self.share @ joints
        return world, joints, points

    def _chain(self, rest: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
        """Forward kinematics by doubling: every bone takes in the one above it, then the two above those, then four.
        Four rounds reach the root from any hand; for one body that is six times as quick as level after level.
        """
        count = len(rotations)
        world = torch.cat([rotations, torch.eye(3, device=rotations.device).expand(count, 1, 3, 3)], 1)
        place = torch.cat([rest, rest.new_zeros(count, 1, 3)], 1)
        place = (place - place.index_select(1, self.jumps[0]))[..., None]
        for jump in self.jumps:
            above = world.index_select(1, jump)
            place = above @ place + place.index_select(1, jump)
            world = above @ world
        return world[:, :-1], place[:, :-1, :, 0]


def _jumps(parents: Sequence[int]) -> tuple[Tensor, ...]:
    """For 1, 2, 4, ... steps up the tree where each of the joints comes to; one more entry stands above the root."""
    outside = len(parents)
    above = [outside if parent < 0 else int(parent) for parent in parents] + [outside]
    found = []
    while any(one != outside for one in above):
        found.append(torch.tensor(above))
        above = [above[one] for one in above]
    return tuple(found)


@dataclass(frozen=True)
class Shaped:
    """B bodies at rest: betas (B,S), rest_joints (B,24,3), carry (B,K,72): the bones' shares in every point."""

    betas: Tensor
    rest_joints: Tensor
    carry: Tensor


@dataclass(frozen=True)
class Posed:
    """B bodies before the camera, as losses see them. code (B,D); rotations and world (B,24,3,3), local and global;
    joints (B,24,3) and points (B,K,3) in the frame of refinement (a camera's axes, or the world's), metres;
    betas (B,S); transl (B,3); focal (B,) px.
    """

    code: Tensor
    rotations: Tensor
    world: Tensor
    joints: Tensor
    points: Tensor
    betas: Tensor
    transl: Tensor
    focal: Tensor
