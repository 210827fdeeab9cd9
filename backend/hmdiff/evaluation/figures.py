"""One batch's outcome beside the truth: every figure as one number per person. Knows neither source nor method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..bodies.joint_maps import J14_NAMES
from ..detect.observation import COCO17_TO_BLAZEPOSE, LIMB_SLOTS
from ..fitting.camera import solve_translation
from ..models.evidence import J14_SLOTS
from ..models.hmdiff import MeshSamples
from ..models.weights import LoadedModel
from . import metrics
from .examples import Examples
from .methods import Outcome
from .predict import LIMB_HIPS, hypothesis_joints, hypothesis_meshes, refined_joints
from .score import Errors, best_errors, pose_errors

ALIGNMENT = metrics.LSP_HIPS
COCO17 = list(COCO17_TO_BLAZEPOSE)
LIMBS = list(LIMB_SLOTS)
HAS_SLOT = np.array(J14_SLOTS) >= 0
OCCLUDED_BELOW = 8
"""Whoever shows fewer of the 12 limb landmarks counts as occluded."""


@dataclass(frozen=True, eq=False)
class Ruler:
    """What measuring needs of the body, made once."""

    loaded: LoadedModel
    edges: NDArray[np.int64]
    parts: metrics.SurfaceParts

    @staticmethod
    def of(loaded: LoadedModel) -> Ruler:
        body = loaded.body.data
        parts = metrics.smpl_surface_parts(body.v_template, body.faces, body.weights)
        return Ruler(loaded, metrics.mesh_edges(body.faces), parts)


@dataclass(frozen=True, eq=False)
class Measured:
    """figures: name -> (B,), nan where it does not apply; joints (B,14) mm: each joint's error, hips aligned; spread
    (B,14) mm: mean distance of each joint's hypotheses to their mean, nan without several.
    """

    figures: Errors
    joints: NDArray[np.float64]
    spread: NDArray[np.float64]


def measure_outcome(
    ruler: Ruler, outcome: Outcome, people: Examples, *, detailed: bool = False, penetration: bool = False
) -> Measured:
    """detailed: hypotheses are compared vertex by vertex too, and the surface by F-scores and edges; penetration: it is
    also asked what of it lies inside itself (0.2 s a person).
    """
    truth, meshes = people.truth, outcome.meshes
    figures: Errors = {}
    joints = np.full((len(people), len(J14_NAMES)), np.nan)
    spread = joints.copy()
    if meshes is not None:
        figures |= pose_errors(meshes.joints, truth.joints, ALIGNMENT, meshes.vertices, truth.vertices)
        joints = metrics.mpjpe_per_joint(meshes.joints, truth.joints, ALIGNMENT)
        coarse = torch.from_numpy(meshes.vertices[:, ruler.loaded.hierarchy.indices[1]])
        placed = _placed(ruler, people, coarse[:, None])
        figures["error_2d_px"] = _error_2d(placed, people)
    figures |= _limb_errors(outcome, people)
    if outcome.scores is not None:  # one of another method's hypotheses: that is judged, not the set
        figures |= _ranking(ruler, outcome, people)
    elif outcome.samples is not None:
        figures |= _sample_figures(ruler, outcome.samples, people)
        figures |= _best(ruler, outcome.samples, people, detailed)
        spread = metrics.spread_mm(hypothesis_joints(ruler.loaded, outcome.samples))
    if detailed and meshes is not None:
        figures |= surface_figures(ruler, meshes.vertices, truth.vertices)
    if penetration and meshes is not None:
        figures["penetration_percent"] = metrics.self_penetration(meshes.vertices, ruler.parts)
    return Measured(figures, joints, spread)


def surface_figures(ruler: Ruler, vertices: NDArray[np.float32], truth: NDArray[np.float32]) -> Errors:
    scores = metrics.f_scores(vertices, truth)
    return {
        "edge_mm": metrics.edge_error(vertices, truth, ruler.edges),
        **{f"f_{limit:.0f}": scores[:, at] for at, limit in enumerate(metrics.F_THRESHOLDS_MM)},
    }


def truth_figures(ruler: Ruler, people: Examples) -> Errors:
    """What the truth itself gets where it does not get nought: self-penetration, and its hidden landmarks beside the
    mask.
    """
    found: Errors = {"penetration_percent": metrics.self_penetration(people.truth.vertices, ruler.parts)}
    return found | _beside_mask(people.landmarks_2d[:, None], people)


def _limb_errors(outcome: Outcome, people: Examples) -> Errors:
    """Of people for whom the detector has 3D, so that it and the methods are judged on the same ones."""
    known = np.isfinite(people.world[:, LIMBS]).all((1, 2)) & np.isfinite(outcome.limbs).all((1, 2))
    filled = np.where(known[:, None, None], outcome.limbs, 0.0)
    errors = pose_errors(filled, people.truth.landmarks, LIMB_HIPS)
    return {f"limbs_{name}": np.where(known, values, np.nan) for name, values in errors.items()}


def _best(ruler: Ruler, samples: MeshSamples, people: Examples, whole_meshes: bool) -> Errors:
    truth = people.truth
    if whole_meshes:
        each = [
            pose_errors(one.joints, truth.joints, ALIGNMENT, one.vertices, truth.vertices)
            for one in hypothesis_meshes(ruler.loaded, samples)
        ]
    else:
        joints = refined_joints(ruler.loaded, samples)
        each = [pose_errors(joints[:, k], truth.joints, ALIGNMENT) for k in range(joints.shape[1])]
    return {f"best_{name}": values for name, values in best_errors(each).items()}


def _sample_figures(ruler: Ruler, samples: MeshSamples, people: Examples) -> Errors:
    """Is the set of hypotheses an honest distribution, and does it fit the picture?"""
    joints, goal = hypothesis_joints(ruler.loaded, samples), people.truth.joints
    slots = np.array(J14_SLOTS)
    seen = people.visible[:, slots] & HAS_SLOT
    unseen = (~people.visible if people.hidden is None else people.hidden)[:, slots] & HAS_SLOT
    shown, hidden = metrics.spread_by_visibility(joints, seen, unseen)
    placed = _placed(ruler, people, samples.samples.cpu())
    of_coco = (placed[:, :, COCO17], people.landmarks_2d[:, COCO17], people.visible[:, COCO17])
    return {
        "samples_2d_px": metrics.sample_keypoint_error_2d(*of_coco, people.crop[:, 2]),
        "spread_visible_mm": shown,
        "spread_hidden_mm": hidden,
        **{f"coverage_{100 * level:.0f}": _coverage(joints, goal, level) for level in metrics.REGIONS},
        "crps_mm": metrics.crps(joints, goal).mean(-1),
        "energy_mm": metrics.energy_score(joints, goal).mean(-1),
        "active_steps": samples.active_steps.mean(1).cpu().double().numpy(),
        **_beside_mask(placed, people),
    }


def _coverage(joints: NDArray[np.float32], goal: NDArray[np.float32], level: float) -> NDArray[np.float64]:
    return np.array([metrics.coverage(joints[row], goal[row], level) for row in range(len(goal))])


def _beside_mask(points: NDArray[np.float32], people: Examples) -> Errors:
    """points (B,N,33,2) in the picture's unit."""
    if people.people_mask is None or people.hidden is None:
        return {}
    hidden = people.hidden[:, COCO17]
    rows = [
        metrics.perc_in_and_min_dist(metrics.to_crop(points[row][:, COCO17], people.crop[row]), hidden[row], mask)
        for row, mask in enumerate(people.people_mask)
    ]
    inside, distance = np.array(rows).T
    return {"percin": inside, "mindist_px": distance}


def _ranking(ruler: Ruler, outcome: Outcome, people: Examples) -> Errors:
    """Does the score know which hypothesis is good? Spearman's correlation with the vertex error (1: knows all), and
    how far the chosen one is from the best (the oracle's) and from one drawn at random.
    """
    assert outcome.samples is not None and outcome.scores is not None
    errors = np.stack(
        [
            metrics.mpve(one.vertices, people.truth.vertices, one.joints, people.truth.joints, ALIGNMENT)
            for one in hypothesis_meshes(ruler.loaded, outcome.samples)
        ],
        -1,
    )
    if errors.shape[1] < 2:
        return {}
    chosen = errors[np.arange(len(errors)), outcome.scores.argmax(1)]
    good, better = (rankdata(values, axis=1) for values in (-errors, outcome.scores))
    good, better = good - good.mean(1, keepdims=True), better - better.mean(1, keepdims=True)
    norm = np.linalg.norm(good, axis=1) * np.linalg.norm(better, axis=1)
    return {
        "rank_correlation": np.divide((good * better).sum(1), norm, out=np.full(len(norm), np.nan), where=norm > 0),
        "over_oracle_mm": chosen - errors.min(1),
        "under_random_mm": errors.mean(1) - chosen,
    }


def _placed(ruler: Ruler, people: Examples, coarse: torch.Tensor) -> NDArray[np.float32]:
    """coarse (B,N,431,3) about the pelvis -> (B,N,33,2): landmarks in the picture's unit, each body put where the
    detected landmarks say it stands, with the focal length the networks were told, as the program places its bodies.
    """
    count, n = coarse.shape[:2]
    matrix = torch.from_numpy(ruler.loaded.maps.coarse_landmarks)
    points = torch.einsum("kv,bnvc->bnkc", matrix, coarse).flatten(0, 1)
    # In pixels of the 256 crop, for what is at hand may be in units of the focal length.
    scale = metrics.CROP_PX / people.crop[:, 2]
    focal = people.crop[:, 2] / people.inputs.crop[:, 2].numpy() * scale
    middle = people.principal * scale[:, None]

    def repeated(part: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.asarray(part, np.float32)).repeat_interleave(n, 0)

    seen = np.nan_to_num(people.seen_2d) * scale[:, None, None]
    place = solve_translation(
        points, repeated(seen), repeated(people.confidence), repeated(focal), repeated(middle)
    ).transl
    moved = points + place[:, None]
    flat = moved[..., :2] / moved[..., 2:].clamp_min(1e-3) * repeated(focal)[:, None, None] + repeated(middle)[:, None]
    return flat.unflatten(0, (count, n)).numpy() / scale[:, None, None, None]


def _error_2d(placed: NDArray[np.float32], people: Examples) -> NDArray[np.float64]:
    return metrics.keypoint_error_2d(
        placed[:, 0, COCO17], people.landmarks_2d[:, COCO17], people.visible[:, COCO17], people.crop[:, 2]
    )


def occluded(people: Examples) -> NDArray[np.bool_]:
    """(B,) fewer than OCCLUDED_BELOW of the 12 limb landmarks are to be seen."""
    return people.visible[:, LIMBS].sum(1) < OCCLUDED_BELOW
