"""What can be measured, by name: each method says of a batch of people what it makes of them, and nothing of errors.

The names follow the paper's tables (``table``). Every method sees the same people and, where it draws, the same noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from hmdiff_wire.errors import HmdiffError

from ..detect.observation import LIMB_SLOTS
from ..models.config import SamplerConfig
from ..models.hmdiff import MeshSamples
from .mean_pose import turned_mean_pose
from .predict import Array, Meshes, hypothesis_mesh, read_meshes, regressor_meshes
from .studio import LINEAR, Draws, Recipe, Studio

DETAILED = ("default", "no_dat", "regressor")
"""Also measured on the surface and by their hypotheses' whole meshes, which takes as long as drawing them."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of B people. meshes: the one estimate, or None where a method has none; limbs (B,12,3) metres: where it puts
    LIMB_SLOTS, nan where it says nothing; samples: the hypotheses where there are several; scores (B,N): how a method
    that chooses one ranks them; seconds: of the whole batch by stage.
    """

    meshes: Meshes | None
    limbs: Array
    samples: MeshSamples | None = None
    scores: Array | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """what: one sentence for people; table: where the paper has it; reference: whom it is compared with, person by
    person; weights: which trained variant it needs; cost: how long it takes, in denoiser passes per person.
    """

    name: str
    what: str
    run: Callable[[Draws], Outcome]
    table: str = ""
    reference: str = "default"
    weights: str = ""
    recipe: Recipe | None = None

    def cost(self, usual: SamplerConfig) -> float:
        if self.recipe is None:
            return 10.0
        settings = {"steps": usual.steps, "hypotheses": usual.hypotheses, **self.recipe.sampler}
        literal = 3.0 if self.recipe.dat.get("mode") == "full" else 1.0
        return 15.0 + literal * settings["steps"] * settings["hypotheses"]


def sampled(
    name: str,
    what: str,
    table: str = "",
    *,
    weights: str = "",
    sampler: Mapping[str, Any] | None = None,
    dat: Mapping[str, Any] | None = None,
    reference: str = "default",
) -> Method:
    """HMDiff with some settings changed: the mean of its hypotheses."""
    recipe = Recipe(weights, sampler or {}, dat or {})

    def run(draws: Draws) -> Outcome:
        samples, seconds = draws.samples(recipe)
        meshes = read_meshes(draws.studio.base, samples.vertices)
        several = samples if samples.samples.shape[1] > 1 else None
        return Outcome(meshes, meshes.landmarks, several, seconds=seconds)

    needed = "" if weights == LINEAR else weights
    return Method(name, what, run, table, reference, needed, recipe)


def _regressor(draws: Draws) -> Outcome:
    samples, seconds = draws.samples(Recipe())
    meshes = regressor_meshes(draws.studio.base, samples)
    return Outcome(meshes, meshes.landmarks, seconds={"regressor": seconds["regressor"]})


def _top_ranked(draws: Draws) -> Outcome:
    samples, seconds = draws.samples(Recipe())
    scores, ranking = draws.ranking(samples)
    meshes = hypothesis_mesh(draws.studio.base, samples, torch.from_numpy(scores).argmax(1))
    return Outcome(meshes, meshes.landmarks, samples, scores, {**seconds, "ranking": ranking})


def _mean_pose(draws: Draws) -> Outcome:
    meshes = read_meshes(draws.studio.base, turned_mean_pose(draws.studio.base.body, draws.people.truth.joints))
    return Outcome(meshes, meshes.landmarks)


def _detector(draws: Draws) -> Outcome:
    return Outcome(None, draws.people.world[:, list(LIMB_SLOTS)])


METHODS: dict[str, Method] = {
    one.name: one
    for one in (
        sampled("default", "HMDiff with DAT as it ships: the mean of its hypotheses", "1, 3, 4, 5"),
        Method("top_ranked", "the hypothesis that agrees best with what was seen, instead of the mean", _top_ranked,
               recipe=Recipe()),
        sampled("no_dat", "DAT off: image features alone", "4", dat={"mode": "none"}),
        Method("regressor", "the mesh m that diffusion starts around", _regressor),
        Method("detector_3d", "the detector's own 3D landmarks", _detector),
        Method("mean_pose", "mean pose and shape, its torso turned onto the true one (an oracle)", _mean_pose),
        sampled("linear", "no network g: the best linear estimate around m in its place", weights=LINEAR),
        sampled("linear_no_dat", "no network g and no DAT", weights=LINEAR, dat={"mode": "none"}),
        sampled("dat_full", "DAT to the letter: the gradient through g, literal D_k", "5",
                dat={"mode": "full", "residual": "literal", "limit_gamma": False, "target": "distribution"}),
        sampled("dat_detached", "DAT's gradient without g's Jacobian", "5",
                dat={"mode": "detached", "target": "distribution"}),
        sampled("regressor_u", "U from the regressor instead of from what is seen, a tenth trusted", "5",
                dat={"target": "distribution", "trust": 0.1}),
        sampled("full_trust", "U from the regressor, trusted", "5", dat={"target": "distribution"}),
        sampled("start_hu", "starts at H_U, U's poses raised to meshes", "5", sampler={"init": "pose"},
                dat={"target": "distribution"}),
        sampled("start_noise", "starts at N(0, I), which the schedule does not reach (A4)", "5",
                sampler={"init": "noise"}),
        sampled("direct_l2", "DAT replaced by an L2 pull on h_k itself", "5",
                dat={"mode": "direct", "target": "distribution"}),
        sampled("single_u", "one pose u_c instead of the distribution U", "5", dat={"target": "single"}),
        sampled("sample_u", "each hypothesis is drawn to its own sample of U", "5", dat={"target": "sample"}),
        sampled("no_activation", "DAT on to the end, without the activation strategy", "5", dat={"activation": False}),
        sampled("medoid", "the most central hypothesis instead of the mean (A17)", sampler={"combine": "medoid"}),
        sampled("equal_budget", "HMDiff with DAT, trained as long as the variants below", "3, 4", weights="image"),
        sampled("baseline_a", "Baseline A: one pass, no diffusion", "3", weights="one_step", reference="equal_budget"),
        sampled("baseline_b", "Baseline B: networks in a row, no diffusion", "3", weights="stacked",
                reference="equal_budget"),
        sampled("image_features", "image features, DAT off", "4", weights="image", dat={"mode": "none"},
                reference="equal_budget"),
        sampled("pose_features", "U as the features, DAT off", "4", weights="pose", dat={"mode": "none"},
                reference="equal_budget"),
        sampled("both_features", "image and U as features, DAT off", "4", weights="both", dat={"mode": "none"},
                reference="equal_budget"),
        *(sampled(name, what, weights=weights, reference="equal_budget") for name, what, weights in (
            ("no_heatmaps", "features: the mask alone", "mask"),
            ("predicts_noise", "g predicts the noise", "epsilon"),
            ("predicts_v", "g predicts v", "v"),
            ("one_block", "g of one block", "layers1"),
            ("four_blocks", "g of four blocks", "layers4"),
        )),
    )
}  # fmt: skip
USUAL = ("default", "top_ranked", "no_dat", "regressor", "detector_3d", "mean_pose")


def choose_methods(names: Iterable[str]) -> list[Method]:
    """Methods by name; ``default`` alone is USUAL, ``all`` is all. Whoever is compared with comes too, first.

    Errors: ``usage.method``.
    """
    wanted = list(names)
    if wanted == ["default"]:
        wanted = list(USUAL)
    elif wanted == ["all"]:
        wanted = list(METHODS)
    for name in wanted:
        if name not in METHODS:
            known = "; ".join(f"{one.name} ({one.what})" for one in METHODS.values())
            raise HmdiffError(
                "usage.method", f"There is no method called {name}.", f"Choose default, all, or some of: {known}."
            )
    needed = {METHODS[name].reference for name in wanted} | set(wanted)
    return [one for one in METHODS.values() if one.name in needed]


def missing(method: Method, studio: Studio) -> str | None:
    """Why a method cannot be run with the weights at hand."""
    if method.weights and method.weights not in studio.variants:
        return f"needs `hmdiff train --variant {method.weights}` and --weights FOLDER"
    return None
