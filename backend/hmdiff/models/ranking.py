"""Which hypothesis to believe, without knowing the truth: how well each agrees with what was seen.

ScoreHypo trains a network for this; here a few agreements are weighed by a linear fit (``training/rank_fit.py``, kept
in the card of the weights), so that one can be told why a hypothesis came first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..bodies.joint_maps import J14_OF_24
from ..synthesis.rasterise import draw_mask, splat_points
from .hmdiff import MeshSamples
from .inputs import HEATMAP_SLOTS, ModelInputs
from .weights import LoadedModel

TERMS = ("landmarks", "heatmaps", "mask", "pose", "central")
USUAL_WEIGHTS = {"landmarks": 9.0, "heatmaps": 2.0, "mask": 12.0, "pose": 8.5, "central": 26.0}
"""mm of error (MPVE) that one unit of a term is worth; for weights whose card names none."""
ROBUST = 0.06
"""Landmark misses beyond this share of the crop's half side hardly count: the detector errs, not the body."""


@torch.no_grad()
def rank_scores(loaded: LoadedModel, inputs: ModelInputs, samples: MeshSamples) -> Tensor:
    """(B,N): expected gain in mm over the usual hypothesis of the picture; higher is better. Only differences within
    a picture mean something.
    """
    if samples.samples.shape[1] == 1:
        return torch.zeros(samples.samples.shape[:2])
    terms = rank_terms(loaded, inputs, samples)
    weights = loaded.card.get("ranking", USUAL_WEIGHTS)
    score = torch.stack([weights[name] * terms[name] for name in TERMS]).sum(0)
    return score - score.mean(1, keepdim=True)


@torch.no_grad()
def rank_terms(loaded: LoadedModel, inputs: ModelInputs, samples: MeshSamples) -> dict[str, Tensor]:
    """What speaks for each hypothesis, (B,N) each, higher is better:

    landmarks, heatmaps: where the body's landmarks fall, against those detected; mask: overlap of the outlines;
    pose: log density under U; central: distance from the mean of all, dm. 0 where the detector gave nothing to compare
    with. (Its own 3D was tried too: it says nothing here that U does not, measured.)
    """
    vertices = samples.samples
    count, n = vertices.shape[:2]
    landmark_map = torch.from_numpy(loaded.maps.coarse_landmarks).to(vertices)
    body = torch.einsum("kv,bnvc->bnkc", landmark_map, vertices)
    placed, outline = _place(inputs, samples, body)
    heat_flag, mask_flag = inputs.flags[:, 1, None], inputs.flags[:, 2, None]
    seen, confidence = inputs.landmarks[:, None, :, :2], inputs.landmarks[:, None, :, 2]
    miss = ((placed - seen) / ROBUST).square().sum(-1)
    landmarks = -(confidence * miss / (1 + miss)).sum(-1) / confidence.sum(-1).clamp_min(1e-3)

    slots = list(HEATMAP_SLOTS)
    maps = inputs.grid[:, :-1].flatten(0, 1)[:, None]
    at = placed[:, :, slots].transpose(1, 2).flatten(0, 1)[:, None]
    value = torch.nn.functional.grid_sample(maps, at, align_corners=False).view(count, len(slots), n)
    peak = inputs.landmarks[:, slots, 3, None]
    heatmaps = (peak * torch.log((value / peak.clamp_min(0.05)).clamp(0.02, 1.0))).mean(1)

    whole = torch.tensor([-1e6, -1e6, 1e6, 1e6], device=vertices.device).expand(count * n, 4)
    faces = torch.from_numpy(loaded.hierarchy.faces[1]).to(vertices.device)
    zero, two = torch.zeros(count * n, 2, device=vertices.device), torch.full((count * n,), 2.0, device=vertices.device)
    drawn = draw_mask(splat_points(outline.flatten(0, 1), faces), zero, two, whole).unflatten(0, (count, n))
    mask = inputs.grid[:, None, -1]
    overlap = (drawn * mask).sum((2, 3)) / torch.maximum(drawn, mask).sum((2, 3)).clamp_min(1.0)

    joint_map = torch.from_numpy(loaded.maps.coarse_joints[list(J14_OF_24)]).to(vertices)
    joints = torch.einsum("jv,bnvc->bnjc", joint_map, vertices)
    u = samples.regression.u
    pose = torch.stack([u.log_prob(joints[:, k]).clamp_min(-12).mean(-1) for k in range(n)], 1)

    central = -10.0 * (vertices - vertices.mean(1, keepdim=True)).norm(dim=-1).mean(-1)
    return {
        "landmarks": landmarks, "heatmaps": heatmaps * heat_flag, "mask": overlap * mask_flag, "pose": pose,
        "central": central,
    }  # fmt: skip


def _place(inputs: ModelInputs, samples: MeshSamples, body: Tensor) -> tuple[Tensor, Tensor]:
    """Landmarks (B,N,33,2) and vertices (B,N,431,2) in the crop (-1..1): seen by the regressed camera, then shifted and
    scaled onto the detected landmarks, since the finished body is placed by them too.
    """
    camera, crop = samples.regression.camera.float(), inputs.crop
    depth = torch.exp(camera[:, 2]) / crop[:, 2].clamp_min(1e-3)
    middle = crop[:, :2] + camera[:, :2] * crop[:, 2:] / 2
    pelvis = torch.cat([middle, torch.ones_like(depth)[:, None]], 1) * depth[:, None]

    def project(points: Tensor) -> Tensor:
        moved = points + pelvis[:, None, None]
        flat = moved[..., :2] / moved[..., 2:].clamp_min(0.2)
        return (flat - crop[:, None, None, :2]) / (crop[:, None, None, 2:] / 2)

    points, outline = project(body), project(samples.samples)
    weight = inputs.landmarks[:, None, :, 2:3] + 1e-3
    weight = weight / weight.sum(2, keepdim=True)
    seen = inputs.landmarks[:, None, :, :2]
    from_here, to_here = (weight * points).sum(2, keepdim=True), (weight * seen).sum(2, keepdim=True)
    away, wanted = points - from_here, seen - to_here
    scale = (weight * away * wanted).sum((2, 3), keepdim=True) / (weight * away.square()).sum((2, 3), keepdim=True)
    scale = scale.clamp(0.7, 1.4)
    return scale * away + to_here, scale * (outline - from_here) + to_here
