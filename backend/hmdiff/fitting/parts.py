"""The closed-form start: every body part's rotation by weighted Procrustes, from the pelvis outwards."""

from __future__ import annotations

import torch
from torch import Tensor

from hmdiff.bodies.model import BodyModel
from hmdiff.bodies.rotations import nearest_rotation

from .linear import Tree

_NOISE = 0.02
"""How far a vertex may be off, metres; sets what a part must show to leave its parent's direction."""


def rotations_by_parts(body: BodyModel, tree: Tree, vertices: Tensor, betas: Tensor, spread: Tensor) -> Tensor:
    """vertices (B,V,3), betas (B,S), spread (24,3) of the joints in radians -> local rotations (B,24,3,3).

    A part's vertices count by their skinning weights. Parts with few or collinear vertices (wrists, collars, a limb's
    twist) follow their parent: Procrustes with a prior rotation as pseudo-measurement.
    """
    rest, _ = body.rest(betas)
    weights = body.weights.T
    total = weights.sum(1).clamp_min(1e-6)[:, None]
    outer = (vertices[..., :, None] * rest[..., None, :]).flatten(2)
    centre, rest_centre = weights @ vertices / total, weights @ rest / total
    moments = (weights @ outer).unflatten(-1, (3, 3))
    moments = moments - total[..., None] * centre[..., :, None] * rest_centre[..., None, :]
    pull = _NOISE**2 / spread.square().mean(1)

    world = torch.empty_like(moments)
    for depth, level in enumerate(tree.levels):
        joints = list(level)
        if depth == 0:
            # The trunk is the one part big enough to tell the body's facing; hips alone may be hidden in noise.
            trunk = [j for j in (0, 1, 2, 3, 6, 9) if j < len(body.parents)]
            target = _trunk_moment(vertices, rest, weights[trunk].sum(0))[:, None]
        else:
            above = [body.parents[j] for j in joints]
            target = moments[:, joints] + pull[joints, None, None] * world[:, above]
        world[:, joints] = nearest_rotation(target)
    local = world.clone()
    for joint, parent in enumerate(body.parents):
        if parent >= 0:
            local[:, joint] = world[:, parent].transpose(-1, -2) @ world[:, joint]
    return local


def _trunk_moment(vertices: Tensor, rest: Tensor, weight: Tensor) -> Tensor:
    share = weight / weight.sum()
    centred = vertices - (share[:, None] * vertices).sum(1, keepdim=True)
    rest_centred = rest - (share[:, None] * rest).sum(1, keepdim=True)
    return (centred * share[:, None]).transpose(-1, -2) @ rest_centred
