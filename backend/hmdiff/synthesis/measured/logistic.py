"""Probabilities that depend on how a person is seen: logistic regression by Newton's method."""

from __future__ import annotations

import torch
from torch import Tensor


def fit_logistic(features: Tensor, hit: Tensor, ridge: float = 1.0) -> Tensor:
    """features (M,K) with a leading 1, hit (M,) bool -> weights (K,). Rates of nothing at all become 1e-4."""
    x, y = features.double(), hit.double()
    weights = torch.zeros(x.shape[1], dtype=torch.float64)
    if not len(x) or not hit.any():
        weights[0] = -9.2
        return weights.float()
    mean = y.mean().clamp(1e-4, 1 - 1e-4)
    weights[0] = (mean / (1 - mean)).log()
    penalty = ridge * torch.eye(len(weights), dtype=torch.float64)
    penalty[0, 0] = 1e-3
    for _ in range(25):
        p = torch.sigmoid(x @ weights)
        gradient = x.T @ (y - p)
        gradient[1:] -= ridge * weights[1:]
        weights = weights + torch.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, gradient)
    return weights.float()
