"""Stage 1: the regressor (mesh m, camera, U)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..bodies.joint_maps import J14_OF_24
from ..evaluation.metrics.joints import pa_mpjpe
from ..models.regressor import Regression, Regressor
from ..synthesis.batch import Batch
from .loop import Stream

NAME = "regressor"


class RegressorTask:
    """L1 on vertices and joints, log-likelihood of U, camera."""

    name = NAME

    def __init__(self, module: Regressor, stream: Stream, held_out: Batch) -> None:
        self.module = module
        self.joints = stream.setup.coarse_joints
        self.held_out = held_out

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return regression_loss(self.module(batch.inputs), batch, self.joints)

    def validate(self, module: nn.Module) -> dict[str, float]:
        return regression_errors(module(self.held_out.inputs), self.held_out, self.joints)


def regression_loss(prediction: Regression, batch: Batch, joint_map: Tensor) -> tuple[Tensor, dict[str, float]]:
    """L1 on vertices and joints, likelihood of U, camera. joint_map (24,431)."""
    people = batch.people
    mesh = prediction.mesh.float()
    joints = torch.einsum("kv,nvc->nkc", joint_map, mesh)
    vertex = (mesh - people.vertices).norm(dim=-1).mean()
    joint = (joints - people.joints).norm(dim=-1).mean()
    # Depth of the pelvis from the crop: what a weak-perspective camera needs.
    camera = (prediction.camera.float() - camera_target(batch)).abs().mean()
    nll = -prediction.u.log_prob(people.joints[:, list(J14_OF_24)]).clamp_min(-12).mean()
    loss = vertex + joint + 0.1 * camera + 0.01 * nll
    return loss, {
        "vertex_mm": 1000 * vertex.item(),
        "joint_mm": 1000 * joint.item(),
        "nll": nll.item(),
        "camera": camera.item(),
    }


def regression_errors(prediction: Regression, batch: Batch, joint_map: Tensor) -> dict[str, float]:
    """mm about the pelvis, over the 14 joints and the 431 vertices."""
    picked = list(J14_OF_24)
    joints = torch.einsum("kv,nvc->nkc", joint_map, prediction.mesh)[:, picked]
    truth = batch.people.joints[:, picked]
    return {
        "pa_mpjpe_mm": float(pa_mpjpe(joints.cpu().numpy(), truth.cpu().numpy()).mean()),
        "mpjpe_mm": 1000 * float((joints - truth).norm(dim=-1).mean()),
        "mpve_mm": 1000 * float((prediction.mesh - batch.people.vertices).norm(dim=-1).mean()),
        "nll": -float(prediction.u.log_prob(truth).mean()),
    }


def camera_target(batch: Batch) -> Tensor:
    """(N,3): the pelvis in the crop (-1..1) and the log of depth times crop side at focal length 1 (metres)."""
    pelvis = batch.people.pelvis
    placed = (pelvis[:, :2] / pelvis[:, 2:] - batch.centre) / (batch.side[:, None] / 2)
    extent = (pelvis[:, 2:] * batch.side[:, None]).log()
    return torch.cat([placed.clamp(-3, 3), extent], 1)
