"""A refinement as data: whose body, seen how, pulled by which losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .figure import Figure, Posed, Shaped
from .guide import Along
from .losses.reprojection import SCALE, Keypoints
from .losses.views import CalibratedViews
from .pose_code import PoseCode

DEPTH_RATE = 2e-3
"""Adam's step for the translation as a share of the distance: 1e-2 m at 5 m (method_notes 2.3)."""
FOCAL_RATE = 2e-3


@dataclass(frozen=True)
class Term:
    """One loss and what it counts for. loss: posed bodies -> (B,).

    What Gauss-Newton steps may know of it (``curvature``), before the weight: picture and scale, of a reprojection;
    code_curvature: bound on the second derivative by the code, one number or (B,144); joint_curvature: the same by the
    joints, per m^2.
    """

    name: str
    weight: float
    loss: Callable[[Posed], Tensor]
    picture: Keypoints | CalibratedViews | None = None
    scale: float | Tensor = SCALE
    code_curvature: float | Tensor = 0.0
    joint_curvature: float = 0.0


@dataclass(frozen=True)
class Problem:
    """B rows: frames, people and hypotheses in any order.

    betas (B,S): fixed unless the code holds them; transl (B,3) metres and focal (B,) px to start with; terms: losses
    added with their weights; solve_focal: one correction of the focal length per picture series, film (B,) long names
    the series (all one if None); solve_transl: False for bodies whose place is known (several calibrated cameras solve
    it too).
    """

    figure: Figure
    code: PoseCode
    betas: Tensor
    transl: Tensor
    focal: Tensor
    terms: tuple[Term, ...]
    solve_transl: bool = True
    solve_focal: bool = False
    film: Tensor | None = None

    def along(self) -> tuple[Along, ...]:
        """What ``guide`` solves beside the pose."""
        found: list[Along] = []
        if self.solve_transl:
            found.append(Along(self.transl, DEPTH_RATE * self.transl[:, 2:].abs().clamp_min(0.5)))
        if self.solve_focal:
            found.append(Along(torch.zeros_like(self.focal), FOCAL_RATE))
        return tuple(found)

    def unpack(self, along: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Values of ``along`` -> transl (B,3), focal (B,)."""
        values = list(along)
        transl = values.pop(0) if self.solve_transl else self.transl
        if not self.solve_focal:
            return transl, self.focal
        change = values.pop(0)
        film = torch.zeros(len(change), dtype=torch.long, device=change.device) if self.film is None else self.film
        many = int(film.max()) + 1
        total = change.new_zeros(many).index_add(0, film, change)
        size = change.new_zeros(many).index_add(0, film, torch.ones_like(change))
        return transl, self.focal * (total / size.clamp_min(1))[film].exp()

    def pose(self, x0: Tensor, along: tuple[Tensor, ...]) -> Posed:
        """Codes (B,D) -> bodies before the camera."""
        transl, focal = self.unpack(along)
        betas = self.code.betas_of(x0, self.betas)
        rotations = self.code.rotations(x0)
        world, joints, points = self.figure.pose(self.shaped(betas), rotations)
        return Posed(x0, rotations, world, joints + transl[:, None], points + transl[:, None], betas, transl, focal)

    def shaped(self, betas: Tensor) -> Shaped:
        """The rest poses, worked out once where the shapes are fixed."""
        return self._fixed if betas is self.betas else self.figure.tables(betas)

    @cached_property
    def _fixed(self) -> Shaped:
        return self.figure.tables(self.betas)

    def __call__(self, x0: Tensor, along: tuple[Tensor, ...]) -> Tensor:
        """(B,): the objective of ``guide``."""
        posed = self.pose(x0, along)
        return torch.stack([term.weight * term.loss(posed) for term in self.terms]).sum(0)

    @torch.no_grad()
    def parts(self, x0: Tensor, along: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Each term's (B,) by name, weighted."""
        posed = self.pose(x0, along)
        return {term.name: term.weight * term.loss(posed) for term in self.terms}
