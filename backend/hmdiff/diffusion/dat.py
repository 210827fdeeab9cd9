"""Distribution Alignment Technique: pull the mesh distribution towards the pose distribution U (paper 4.2, Alg. 1).

All functions work on hypotheses h (B,N,V,3), pose samples u (B,S,J,3) and the linear map f = R (J,V), in metres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Mode = Literal["none", "full", "detached", "posterior", "direct"]


@dataclass(frozen=True)
class DATConfig:
    """mode: ``full`` is the paper's gradient through g; ``detached`` takes d h0/d h_k = 1/sqrt(alpha) (note A8);
    ``posterior`` is the closed-form Gaussian step (A9); ``direct`` is Table 5's L2 on h_k itself; ``none`` is off.

    gamma, threshold (r): the paper's. reduction: D_k summed (A6; ``mean`` over samples is the reading that aligns
    nothing). residual: R_k from the part of D_k that can shrink, or the ``literal`` D_k (A7). activation: the paper's
    strategy (once off it stays off); False keeps DAT on to the end. target: U's samples, or the ``single`` most likely
    pose u_c (Table 5), or for ``posterior`` one ``sample`` of U per hypothesis, or what is ``seen``: U from the picture
    instead of from the regressor (``models.evidence``), which moves a picture's hypotheses together, since their spread
    is calibrated and landmarks err by more than they seem to. use_depth=False aligns x and y alone
    (A11 b). clip: largest gradient step per hypothesis, metres. limit_gamma: for ``detached`` and ``direct``, whose
    Jacobian is known, keep gamma at half of ``stable_gamma``, beyond which steps overshoot (A6). trust: divides U's
    covariance; below 1 leaves the hypotheses more of their own spread.
    """

    mode: Mode = "posterior"
    gamma: float = 0.2
    threshold: float = 0.05
    reduction: Literal["sum", "mean"] = "sum"
    residual: Literal["reducible", "literal"] = "reducible"
    activation: bool = True
    target: Literal["distribution", "single", "sample", "seen"] = "distribution"
    use_depth: bool = True
    clip: float | None = None
    limit_gamma: bool = True
    trust: float = 1.0

    def __post_init__(self) -> None:
        if self.target in ("sample", "seen") and self.mode not in ("posterior", "none"):
            raise ValueError(f"Only the posterior form of DAT can aim at target={self.target!r}.")


PAPER_DAT = DATConfig(mode="full", residual="literal", limit_gamma=False)


def joints_of(mesh: Tensor, joint_map: Tensor) -> Tensor:
    """f: (...,V,3) -> (...,J,3)."""
    return torch.einsum("jv,...vc->...jc", joint_map, mesh)


def _axes(difference: Tensor, config: DATConfig) -> Tensor:
    return difference if config.use_depth and config.target != "seen" else difference[..., :2]


def alignment_gap(joints: Tensor, u: Tensor, config: DATConfig) -> Tensor:
    """D_k per hypothesis: sum over samples of U and joints of squared distances (Eq. 8).

    joints (B,N,J,3), u (B,S,J,3) -> (B,N), square metres.
    """
    difference = _axes(joints[:, :, None] - u[:, None], config)
    squared = (difference**2).sum((-1, -2))
    return squared.sum(-1) if config.reduction == "sum" else squared.mean(-1)


def reducible_gap(joints: Tensor, u: Tensor, config: DATConfig) -> Tensor:
    """The part of D_k that moving the mesh can shrink: S ||mean(u) - f||^2 (note A7). -> (B,N)."""
    difference = _axes(joints - u.mean(1, keepdim=True), config)
    squared = (difference**2).sum((-1, -2))
    return squared * u.shape[1] if config.reduction == "sum" else squared


def activation_gap(joints: Tensor, u: Tensor, config: DATConfig) -> Tensor:
    """The quantity whose ratio to its first value is R_k."""
    measure = alignment_gap if config.residual == "literal" else reducible_gap
    return measure(joints, u, config)


def active(gap: Tensor, first_gap: Tensor, config: DATConfig, before: Tensor | None = None) -> Tensor:
    """Activation strategy: DAT is on while R_k = D_k / D_K >= r, per hypothesis; at k = K it is 1, hence on (A22).

    before (B,N) bool: where it was on a step ago. Once off, it stays off (Alg. 1, lines 8 to 11).
    """
    if not config.activation:
        return torch.ones_like(gap, dtype=torch.bool)
    on = gap / first_gap.clamp_min(1e-12) >= config.threshold
    return on if before is None else on & before


def gap_gradient(joints: Tensor, u: Tensor, joint_map: Tensor, config: DATConfig) -> Tensor:
    """d D_k / d h0 in closed form: 2 S R^T (f - mean(u)), (B,N,V,3). D_k is quadratic, so this is exact."""
    difference = joints - u.mean(1, keepdim=True)
    if not config.use_depth:
        difference = difference * torch.tensor([1.0, 1.0, 0.0], device=difference.device, dtype=difference.dtype)
    scale = 2.0 * (u.shape[1] if config.reduction == "sum" else 1)
    return scale * torch.einsum("jv,bnjc->bnvc", joint_map, difference)


def clip_step(step: Tensor, limit: float | None) -> Tensor:
    """Limit the norm of each hypothesis' step (B,N,V,3)."""
    if limit is None:
        return step
    norm = step.flatten(2).norm(dim=-1)
    return step * (limit / norm.clamp_min(limit))[..., None, None]


def stable_gamma(joint_map: Tensor, n_samples: int, alpha_bar: float) -> float:
    """Largest gamma for which the detached step contracts: 2 gamma S lambda_max(R R^T) / alpha < 2 (note A6)."""
    largest = float(torch.linalg.eigvalsh(joint_map.double() @ joint_map.double().T)[-1])
    return alpha_bar / (n_samples * largest)


def step_gamma(config: DATConfig, joint_map: Tensor, n_samples: int, alpha_bar: float) -> float:
    """gamma of one step: the configured one, or half of the stable bound where that is less and limit_gamma is on."""
    if not config.limit_gamma or config.mode not in ("detached", "direct"):
        return config.gamma
    counted = n_samples if config.reduction == "sum" else 1
    return min(config.gamma, 0.5 * stable_gamma(joint_map, counted, alpha_bar if config.mode == "detached" else 1.0))


@dataclass(frozen=True)
class MeshPrior:
    """Errors of the regressed mesh as a low-rank Gaussian: x0 ~ N(m, sum_i variance_i d_i d_i^T), d_i the columns of
    ``directions @ turn``.

    directions (V*3,r) orthonormal; variance (r,) or, where it depends on the picture, (B,r), square metres;
    joint_directions (J*3,r) or (B,J*3,r) = f(d); turn (B,r,r): a rotation of the directions in each picture, or None.
    """

    directions: Tensor
    variance: Tensor
    joint_directions: Tensor
    turn: Tensor | None = None

    @staticmethod
    def of(basis: Tensor, joint_map: Tensor, scale: Tensor | None = None) -> MeshPrior:
        """basis (V*3,r): orthogonal directions scaled by their standard deviations; scale (B,r) of the variance."""
        deviation, directions, joints = _split(basis, joint_map)
        variance = deviation**2 if scale is None else deviation**2 * scale
        return MeshPrior(directions, variance, joints)

    @staticmethod
    def of_covariance(basis: Tensor, joint_map: Tensor, factor: Tensor) -> MeshPrior:
        """factor (B,r,r): F with covariance F F^T of the basis' coefficients in each picture."""
        deviation, directions, joints = _split(basis, joint_map)
        scaled = (deviation[:, None] * factor).double()
        variance, turn = torch.linalg.eigh(scaled @ scaled.transpose(1, 2))
        turn = turn.to(basis)
        return MeshPrior(directions, variance.clamp_min(1e-10).to(basis), joints @ turn, turn)

    def widened(self, factor: float) -> MeshPrior:
        """The same with standard deviations ``factor`` times as large."""
        return replace(self, variance=self.variance * factor**2)

    def remaining_variance(self, alpha_bar: float) -> Tensor:
        """Variance of x0 along each direction once h_k is known: v (1 - a) / (a v + 1 - a)."""
        return self.variance * (1 - alpha_bar) / (alpha_bar * self.variance + 1 - alpha_bar)

    def repeat(self, count: int) -> MeshPrior:
        """Each picture's variance count times in a row, to match (B*N) hypotheses."""
        if self.variance.dim() == 1:
            return self
        turned = None if self.turn is None else self.turn.repeat_interleave(count, 0)
        joints = self.joint_directions
        joints = joints if joints.dim() == 2 else joints.repeat_interleave(count, 0)
        return MeshPrior(self.directions, self.variance.repeat_interleave(count, 0), joints, turned)

    def coefficients(self, meshes: Tensor) -> Tensor:
        """(B,N,V,3) -> (B,N,r) along the directions."""
        inside = meshes.flatten(2) @ self.directions
        return inside if self.turn is None else inside @ self.turn

    def meshes(self, coefficients: Tensor) -> Tensor:
        """(B,N,r) -> (B,N,V,3)."""
        inside = coefficients if self.turn is None else coefficients @ self.turn.transpose(1, 2)
        return (inside @ self.directions.T).unflatten(-1, (-1, 3))

    def draw(self, noise: Tensor, variance: Tensor) -> Tensor:
        """noise (B,N,r) standard normal, variance (r,) or (B,r) -> (B,N,V,3). By the symmetric root, so that the same
        noise gives nearly the same in two pictures that are nearly the same.
        """
        turned = noise if self.turn is None else noise @ self.turn
        return self.meshes(turned * (variance if variance.dim() == 1 else variance[:, None]).sqrt())


def _split(basis: Tensor, joint_map: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Deviations (r,), directions (V*3,r) and f of them (J*3,r)."""
    deviation = basis.norm(dim=0).clamp_min(1e-8)
    directions = basis / deviation
    joints = joints_of(directions.T.reshape(basis.shape[1], -1, 3), joint_map)
    return deviation, directions, joints.reshape(basis.shape[1], -1).T.contiguous()


def linear_denoise(noisy: Tensor, mesh: Tensor, alpha_bar: Tensor, prior: MeshPrior) -> Tensor:
    """The best linear estimate of x0 from h_k under the prior around m: what the network improves upon.

    noisy, mesh (B,V,3), alpha_bar (B,) -> (B,V,3).
    """
    bar = alpha_bar.to(noisy)[:, None]
    residual = noisy - bar[..., None].sqrt() * mesh
    gain = bar.sqrt() * prior.variance / (bar * prior.variance + 1 - bar).clamp_min(1e-12)
    return mesh + prior.meshes(prior.coefficients(residual[:, None]) * gain[:, None])[:, 0]


def posterior_step(
    clean: Tensor,
    joints: Tensor,
    target: Tensor,
    covariance: Tensor,
    prior: MeshPrior,
    variance: Tensor,
    config: DATConfig,
) -> Tensor:
    """Note A9: h0' = h0 + C R^T (R C R^T + S)^-1 (u - R h0), C: the prior's directions with variance (r,) or (B,r).

    clean (B,N,V,3), joints (B,N,J,3) = f(clean), target (B,N or 1,J,3), covariance S (B,J,3,3) -> (B,N,V,3). With clean
    drawn from N(h0, C) and a target drawn from N(u, S) for each hypothesis the result is a draw from what both say.
    """
    batch, _, count, _ = joints.shape
    width = count * 3
    deviation = variance.sqrt().expand(batch, -1)[:, None]
    scaled = prior.joint_directions * deviation
    noise = torch.zeros(batch, width, width, device=clean.device, dtype=clean.dtype)
    for joint in range(count):
        place = slice(3 * joint, 3 * joint + 3)
        noise[:, place, place] = covariance[:, joint] / config.trust
    if not config.use_depth:
        noise[:, range(2, width, 3), range(2, width, 3)] += 1e4
    gain = torch.linalg.solve(scaled @ scaled.transpose(1, 2) + noise, scaled)
    change = torch.einsum("bjr,bnj->bnr", gain, (target - joints).flatten(2)) * deviation
    return clean + prior.meshes(change)
