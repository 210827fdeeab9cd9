"""The paper's five losses (4.4; supplement Eq. 3-6) on the clean estimate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.config import LossConfig


@dataclass(frozen=True)
class MeshTopology:
    """faces (T,3) of the 431-vertex mesh, joint_map (J,431)."""

    faces: Tensor
    joint_map: Tensor


def vertex_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """L_v: L1 norm per vertex, averaged. (N,V,3) -> (N,)."""
    return (estimate - truth).abs().sum(-1).mean(-1)


def joint_loss(estimate: Tensor, truth: Tensor, topology: MeshTopology) -> Tensor:
    """L_j on f(mesh). -> (N,)."""
    difference = torch.einsum("jv,nvc->njc", topology.joint_map, estimate - truth)
    return difference.abs().sum(-1).mean(-1)


def _edges(mesh: Tensor, faces: Tensor) -> Tensor:
    corners = mesh[:, faces]
    return corners - corners.roll(-1, 2)


def normal_loss(estimate: Tensor, truth: Tensor, topology: MeshTopology, reduction: str) -> Tensor:
    """L_n: estimated edge directions against true face normals. -> (N,)."""
    edges = torch.nn.functional.normalize(_edges(estimate, topology.faces), dim=-1, eps=1e-6)
    true_edges = _edges(truth, topology.faces)
    normals = torch.linalg.cross(true_edges[:, :, 0], true_edges[:, :, 1])
    normals = torch.nn.functional.normalize(normals, dim=-1, eps=1e-9)
    return _reduce((edges * normals[:, :, None]).sum(-1).abs(), reduction)


def edge_loss(estimate: Tensor, truth: Tensor, topology: MeshTopology, reduction: str) -> Tensor:
    """L_e: differences of edge lengths. -> (N,)."""
    lengths = (_edges(estimate, topology.faces) ** 2).sum(-1).clamp_min(1e-12).sqrt()
    true_lengths = _edges(truth, topology.faces).norm(dim=-1)
    return _reduce((lengths - true_lengths).abs(), reduction)


def _reduce(values: Tensor, reduction: str) -> Tensor:
    flat = values.flatten(1)
    return flat.sum(1) if reduction == "sum" else flat.mean(1)


def geometry_losses(
    estimate: Tensor, truth: Tensor, gate: Tensor, topology: MeshTopology, config: LossConfig
) -> tuple[Tensor, dict[str, float]]:
    """Weighted L_v + L_j + L_n + L_e over samples where gate (N,) is 1; and each term for the log."""
    terms = {
        "L_v": (config.vertex, vertex_loss(estimate, truth)),
        "L_j": (config.joint, joint_loss(estimate, truth, topology)),
        "L_n": (config.normal, normal_loss(estimate, truth, topology, config.reduction)),
        "L_e": (config.edge, edge_loss(estimate, truth, topology, config.reduction)),
    }
    share = gate.sum().clamp_min(1)
    total = torch.stack([weight * (value * gate).sum() / share for weight, value in terms.values()]).sum()
    return total, {name: ((value * gate).sum() / share).item() for name, (_, value) in terms.items()}
