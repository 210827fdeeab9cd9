"""What each agreement of ``models.ranking`` is worth, fitted on training people once the networks are trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from ..models.config import SPEEDS
from ..models.ranking import TERMS, rank_terms
from ..models.weights import LoadedModel
from ..synthesis.batch import Batch

HYPOTHESES = 8
RIDGE = 1e-3


@torch.no_grad()
def fit_ranking(loaded: LoadedModel, batches: Iterable[Batch]) -> dict[str, float]:
    """Least squares of a hypothesis' gain (mm of vertex error below the picture's average) on its terms.

    -> {term: mm per unit}. Only differences within a picture enter, for nothing else can be chosen between.
    """
    sampler = replace(SPEEDS["default"], hypotheses=HYPOTHESES)
    terms, gains = [], []
    for number, batch in enumerate(batches):
        keys = torch.arange(len(batch.inputs)) + number * len(batch.inputs)
        samples = loaded.model.sample(batch.inputs, keys, 0, sampler)
        found = rank_terms(loaded, batch.inputs, samples)
        terms.append(torch.stack([found[name] for name in TERMS], -1).cpu())
        error = 1000 * (samples.samples - batch.people.vertices[:, None]).norm(dim=-1).mean(-1)
        gains.append(-error.cpu())
    x, y = torch.cat(terms).double(), torch.cat(gains).double()
    x = (x - x.mean(1, keepdim=True)).flatten(0, 1)
    y = (y - y.mean(1, keepdim=True)).flatten()
    scale = x.std(0).clamp_min(1e-9)
    white = x / scale
    matrix = white.T @ white + RIDGE * len(white) * torch.eye(len(TERMS), dtype=torch.float64)
    weights = torch.linalg.solve(matrix, white.T @ y) / scale
    return {name: round(float(value), 3) for name, value in zip(TERMS, weights, strict=True)}
