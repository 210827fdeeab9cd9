"""What the picture itself says of the joints: the pose distribution U that m does not know already.

m and the regressor's own U come from one look of one network, so that DAT towards that U wins nothing (measured,
docs/training.md). The detector's landmarks do say more: m falls beside them by 1.5 % of the crop even where they are
sure, which is more than they are wrong by. Across the viewing ray U is therefore as narrow as the detector is good
there; along it the picture says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bodies.joint_maps import J14_NAMES
from ..detect.observation import BLAZEPOSE_SLOT
from .inputs import ModelInputs
from .regressor import Regression

J14_SLOTS = tuple(BLAZEPOSE_SLOT.get(name, -1) for name in J14_NAMES)
"""The detector's landmark of each of the 14 joints, -1 where it has none (neck, head)."""

_SHARP = 0.003
"""Standard deviation of a landmark that is as sure as can be, in sides of the crop (0.8 px of 256)."""
_PEAK_POWER = 4
_CONFIDENCE_POWER = 1
_PLAUSIBLE = 1.5
"""Standard deviations beyond which a miss speaks against the landmark rather than against m."""
_ALONG = 1.0
"""Metres that a joint may be nearer or farther: nothing is known."""
_ITERATIONS = 4
# The four numbers of width were chosen on the frames of ``rendered``'s clips, among 25 settings.


@dataclass(frozen=True)
class SeenPose:
    """One Gaussian per joint. mean (B,14,3) metres about m's pelvis, camera axes; covariance (B,14,3,3)."""

    mean: Tensor
    covariance: Tensor


@torch.no_grad()
def seen_pose(inputs: ModelInputs, regression: Regression, joint_map: Tensor, landmark_map: Tensor) -> SeenPose:
    """joint_map (14,431), landmark_map (33,431): f for joints, and for where the detector means its landmarks.

    The pelvis is placed where m's landmarks fall onto the detected ones best, misses that no detector makes by noise
    alone counting less (Cauchy weights); each joint then moves across its ray as its landmark asks for. Joints without
    a landmark stay where m has them, with a variance that lets them.
    """
    rows = [joint for joint, slot in enumerate(J14_SLOTS) if slot >= 0]
    slots = [J14_SLOTS[joint] for joint in rows]
    side = inputs.crop[:, 2:]
    rays = inputs.crop[:, None, :2] + inputs.landmarks[:, slots, :2] * side[:, None] / 2
    body = torch.einsum("kv,nvc->nkc", landmark_map[slots], regression.mesh.float())
    width = _width(inputs, slots)
    doubt = torch.ones_like(width)
    away, depth = torch.zeros_like(rays), torch.ones_like(width)
    for _ in range(_ITERATIONS):
        pelvis = _place(body, rays, 1 / (width.square() * doubt), _first_pelvis(inputs, regression), side)
        placed = body + pelvis[:, None]
        depth = placed[..., 2].clamp_min(0.1)
        away = rays * depth[..., None] - placed[..., :2]
        doubt = 1 + ((away / depth[..., None]).square().sum(-1) / width.square()) / _PLAUSIBLE**2
    joints = torch.einsum("jv,nvc->njc", joint_map, regression.mesh.float())
    mean = joints.clone()
    mean[:, rows, :2] += away
    ray = torch.cat([rays, torch.ones_like(rays[..., :1])], -1)
    ray = torch.nn.functional.normalize(ray, dim=-1)
    along = ray[..., :, None] * ray[..., None, :]
    unit = torch.eye(3, device=mean.device)
    covariance = (100 * _ALONG**2 * unit).expand(*joints.shape, 3).clone()
    covariance[:, rows] = (width * depth)[..., None, None].square() * doubt[..., None, None] * (unit - along)
    covariance[:, rows] += _ALONG**2 * along
    return SeenPose(mean, covariance)


def _width(inputs: ModelInputs, slots: list[int]) -> Tensor:
    """(B,K) standard deviation on the plane z = 1. A low peak of the heatmap tells a poor landmark better than the
    confidence does, which says whether it is to be seen.
    """
    confidence, peak = inputs.landmarks[:, slots, 2], inputs.landmarks[:, slots, 3]
    sure = confidence.clamp_min(0.02) ** _CONFIDENCE_POWER * peak.clamp_min(0.05) ** _PEAK_POWER
    return (_SHARP / sure).clamp_max(1.0) * inputs.crop[:, 2:]


def _first_pelvis(inputs: ModelInputs, regression: Regression) -> Tensor:
    """(B,3) metres: where the regressor's camera puts it (``regressor_task.camera_target``)."""
    camera, crop = regression.camera.float(), inputs.crop
    depth = torch.exp(camera[:, 2:]) / crop[:, 2:].clamp_min(1e-3)
    return torch.cat([crop[:, :2] + camera[:, :2] * crop[:, 2:] / 2, torch.ones_like(depth)], 1) * depth


def _place(body: Tensor, rays: Tensor, weight: Tensor, first: Tensor, side: Tensor) -> Tensor:
    """The pelvis (B,3) for which body (B,K,3) falls onto rays (B,K,2) at z = 1, weight (B,K); held to ``first`` as by
    one landmark as wide as the crop, so that there is always an answer.
    """
    count, points, _ = body.shape
    system = body.new_zeros(count, points, 2, 3)
    system[:, :, 0, 0] = system[:, :, 1, 1] = 1
    system[..., 2] = -rays
    wanted = rays * body[..., 2:] - body[..., :2]
    weighted = system * weight[..., None, None]
    held = torch.eye(3, device=body.device) / side[..., None].square()
    normal = torch.einsum("bkai,bkaj->bij", weighted, system) + held
    right = torch.einsum("bkai,bka->bi", weighted, wanted) + torch.einsum("bij,bj->bi", held, first)
    return torch.linalg.solve(normal, right)
