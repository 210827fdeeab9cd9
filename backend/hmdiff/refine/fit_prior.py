"""`python -m hmdiff.refine.fit_prior`: the pose prior from motion capture (training subjects only)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..bodies.rotations import matrix_to_6d
from ..synthesis.people import make_setup
from ..synthesis.poses import apply_collar_correction, load_pose_pool, sample_rotations
from ..training.assemble import assemble_body
from .pose_prior import JOINTS, PRIOR_FILE


def training_poses(data: Path, count: int, seed: int) -> Tensor:
    """(count,126) 6D body poses of the free body, mirrored and recombined as in training."""
    parts = assemble_body()
    setup = make_setup(load_pose_pool(data, "train"), parts.body, parts.hierarchy, parts.maps, "cpu")
    generator = torch.Generator().manual_seed(seed)
    rotations = apply_collar_correction(sample_rotations(setup.pool, count, generator), setup.collar)
    return matrix_to_6d(rotations[:, 1 : 1 + JOINTS]).flatten(1)


def fit_mixture(points: Tensor, components: int, seed: int, rounds: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """Expectation-maximisation. points (N,R) -> log_weight (M,), centre (M,R), covariance (M,R,R)."""
    generator = torch.Generator().manual_seed(seed)
    count, size = points.shape
    centre = points[torch.randperm(count, generator=generator)[:components]].clone()
    for _ in range(15):  # k-means for a start
        owner = torch.cdist(points, centre).argmin(1)
        for k in range(components):
            if bool((owner == k).any()):
                centre[k] = points[owner == k].mean(0)
    share = torch.nn.functional.one_hot(owner, components).to(points)
    log_weight = covariance = torch.empty(0)
    for _ in range(rounds):
        total = share.sum(0).clamp_min(1e-6)
        log_weight = (total / count).log()
        centre = (share.T @ points) / total[:, None]
        apart = points[None] - centre[:, None]
        covariance = torch.einsum("nm,mnr,mns->mrs", share, apart, apart) / total[:, None, None]
        # a hundredth of the overall variance at least, so that no component closes on a single clip
        covariance = covariance + 0.01 * torch.diag(points.var(0)) + 1e-6 * torch.eye(size)
        factor = torch.linalg.cholesky(covariance)
        white = torch.linalg.solve_triangular(factor, apart.transpose(1, 2), upper=False)
        log = -0.5 * white.square().sum(1) - torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)[:, None]
        share = torch.softmax((log + log_weight[:, None]).T, 1)
    return log_weight, centre, covariance


def fit_prior(data: Path, out: Path, components: int = 8, rank: int = 48, count: int = 20_000, seed: int = 0) -> str:
    """Write the prior; returns a sentence about it."""
    poses = training_poses(data, count, seed).double()
    mean = poses.mean(0)
    _, singular, vt = torch.linalg.svd(poses - mean, full_matrices=False)
    variance = singular**2 / len(poses)
    basis = vt[:rank].T
    log_weight, centre, covariance = fit_mixture((poses - mean) @ basis, components, seed)
    root = torch.linalg.cholesky(torch.linalg.inv(covariance))
    half = torch.linalg.slogdet(covariance).logabsdet / 2
    np.savez_compressed(
        out, mean=mean.float().numpy(), basis=basis.float().numpy(), left=variance[rank:].mean().float().numpy(),
        log_weight=(log_weight - half).float().numpy(), centre=centre.float().numpy(),
        precision_root=root.float().numpy(),
    )  # fmt: skip
    kept = float(variance[:rank].sum() / variance.sum())
    return f"{components} components, {rank} directions with {100 * kept:.1f} % of the variance, {count} poses -> {out}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hmdiff.refine.fit_prior", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="motion capture bundle or folder")
    parser.add_argument("--out", type=Path, default=PRIOR_FILE)
    args = parser.parse_args(arguments)
    print(fit_prior(args.data, args.out))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
