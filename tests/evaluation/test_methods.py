"""Methods one by one: what each says of a person, which weights it takes, and that the picture's errors are right."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.detect.observation import LIMB_SLOTS
from hmdiff.evaluation import figures, methods, metrics, sweeps
from hmdiff.evaluation.examples import Examples
from hmdiff.evaluation.figures import Ruler, measure_outcome
from hmdiff.evaluation.methods import METHODS, Outcome
from hmdiff.evaluation.predict import hypothesis_meshes
from hmdiff.evaluation.settings import EvalSettings, mocap_bundle
from hmdiff.evaluation.sources.synthetic import synthetic_examples
from hmdiff.evaluation.studio import LINEAR, Draws, Recipe, Studio, open_studio
from hmdiff.models.variants import variant_file
from hmdiff.models.weights import weights_path
from hmdiff_wire.errors import HmdiffError

COUNT = 4


@pytest.fixture(scope="module")
def studio() -> Studio:
    return open_studio(EvalSettings(hypotheses=3, steps=2, device="cpu"))


@pytest.fixture(scope="module")
def people(studio: Studio, fake_shared: Path) -> Examples:
    return synthetic_examples(studio.base, mocap_bundle(fake_shared), COUNT)


@pytest.fixture
def draws(studio: Studio, people: Examples) -> Draws:
    return Draws(studio, people, torch.arange(COUNT))


def test_a_draw_is_made_once_and_shared(draws: Draws):
    first, _ = draws.samples(Recipe())
    assert draws.samples(Recipe())[0] is first
    default, top = METHODS["default"].run(draws), METHODS["top_ranked"].run(draws)
    assert default.samples is first and top.samples is first
    assert top.scores is not None and top.meshes is not None and default.meshes is not None
    chosen = torch.from_numpy(top.scores).argmax(1)
    middle = draws.studio.base.model.mlp(first.samples[torch.arange(COUNT), chosen])
    kept = draws.studio.base.hierarchy.indices[0]
    np.testing.assert_allclose(top.meshes.vertices[:, kept], middle.detach().numpy(), atol=1e-4)


def test_recipes_change_what_they_name_and_nothing_else(studio: Studio):
    sampler, dat = studio.settings(Recipe())
    for name, method in METHODS.items():
        if method.recipe is None or method.weights or method.recipe.weights == LINEAR:
            continue
        mine = studio.settings(method.recipe)
        assert mine == (replace(sampler, **method.recipe.sampler), replace(dat, **method.recipe.dat)), name
    assert studio.settings(METHODS["no_dat"].recipe or Recipe())[1].mode == "none"


def test_without_the_network_the_linear_estimate_is_left(draws: Draws):
    model = draws.studio.model(LINEAR).model
    assert not model.denoiser.exit.weight.any() and draws.studio.base.model.denoiser.exit.weight.any()
    linear, usual = draws.samples(Recipe(LINEAR))[0], draws.samples(Recipe())[0]
    assert torch.equal(linear.regression.mesh, usual.regression.mesh)
    assert 1e-4 < (linear.mean - usual.mean).abs().max() < 0.5


def test_the_detector_says_its_limbs_and_nothing_where_it_has_none(studio: Studio, people: Examples):
    world = people.world.copy()
    world[0], world[1] = np.nan, people.truth.landmarks[1].mean(0)
    world[1, list(LIMB_SLOTS)] = people.truth.landmarks[1]
    some = replace(people, world=world)
    outcome = METHODS["detector_3d"].run(Draws(studio, some, torch.arange(COUNT)))
    measured = measure_outcome(Ruler.of(studio.base), outcome, some)
    errors = measured.figures["limbs_mpjpe_mm"]
    assert np.isnan(errors[0]) and errors[1] < 1e-3 and np.isfinite(errors[2:]).any()
    assert np.isnan(measured.joints).all() and "mpve_mm" not in measured.figures


def test_the_truth_as_an_outcome_has_no_error(studio: Studio, people: Examples):
    """Placed by exact detections with the right focal length it falls onto itself in the picture too."""
    inputs = replace(people.inputs, crop=torch.from_numpy(people.crop))  # the focal length told is the true one, 1
    exact = replace(people, seen_2d=people.landmarks_2d, confidence=np.ones_like(people.confidence), inputs=inputs)
    outcome = Outcome(people.truth, people.truth.landmarks)
    ruler = Ruler.of(studio.base)
    measured = measure_outcome(ruler, outcome, exact, detailed=True)
    found = measured.figures
    for name in ("mpve_mm", "mpjpe_mm", "pa_mpjpe_mm", "pa_mpve_mm", "edge_mm"):
        assert found[name].max() < 1e-3, name
    assert np.nanmax(found["limbs_mpjpe_mm"]) < 1e-3
    assert found["error_2d_px"].max() < 0.6  # the landmarks are read off 431 vertices
    assert found["f_5"].min() == 1.0 and measured.joints.max() < 1e-3
    moved = replace(people.truth, vertices=people.truth.vertices * 1.2, joints=people.truth.joints * 1.2)
    grown = measure_outcome(ruler, Outcome(moved, moved.landmarks), exact).figures
    assert grown["pa_mpjpe_mm"].max() < 1e-3 < 20 < grown["mpjpe_mm"].min()


def test_picture_errors_follow_the_unit_of_the_picture(studio: Studio, people: Examples, draws: Draws):
    """The same people in pixels instead of on the plane z = 1."""
    px = 700.0
    in_px = replace(
        people, landmarks_2d=people.landmarks_2d * px, seen_2d=people.seen_2d * px, focal=people.focal * px,
        crop=people.crop * px,
    )  # fmt: skip
    ruler, outcome = Ruler.of(studio.base), METHODS["default"].run(draws)
    one, other = (measure_outcome(ruler, outcome, some).figures for some in (people, in_px))
    for name in ("error_2d_px", "samples_2d_px", "percin", "mindist_px"):
        np.testing.assert_allclose(one[name], other[name], rtol=2e-3, err_msg=name)


def test_occluded_people_show_few_limbs(people: Examples):
    visible = np.zeros_like(people.visible)
    visible[0, list(LIMB_SLOTS)] = True
    visible[1, list(LIMB_SLOTS[: figures.OCCLUDED_BELOW - 1])] = True
    assert figures.occluded(replace(people, visible=visible)).tolist()[:2] == [False, True]


def test_ranking_knows_a_perfect_score_from_a_wrong_one(studio: Studio, people: Examples, draws: Draws):
    samples, _ = draws.samples(Recipe())
    ruler, usual = Ruler.of(studio.base), METHODS["default"].run(draws)
    truth = people.truth
    errors = np.stack(
        [
            metrics.mpve(one.vertices, truth.vertices, one.joints, truth.joints, figures.ALIGNMENT)
            for one in hypothesis_meshes(studio.base, samples)
        ],
        -1,
    )
    for sign, correlation in ((-1, 1.0), (1, -1.0)):
        outcome = replace(usual, scores=(sign * errors).astype(np.float32))
        found = measure_outcome(ruler, outcome, people).figures
        np.testing.assert_allclose(found["rank_correlation"], correlation)
        gap = found["over_oracle_mm"]
        assert gap.max() < 1e-6 if sign < 0 else gap.min() > 0
        assert (found["under_random_mm"] > 0).all() == (sign < 0)


def test_weights_of_a_folder_and_its_variants_are_taken(tmp_path: Path):
    shipped = weights_path("default")
    for name in (shipped.name, variant_file(tmp_path, "image").name):
        shutil.copy(shipped, tmp_path / name)
        shutil.copy(shipped.with_suffix(".json"), (tmp_path / name).with_suffix(".json"))
    found = open_studio(EvalSettings(device="cpu", weights=tmp_path))
    assert found.file == tmp_path / shipped.name and list(found.variants) == ["image"]
    assert methods.missing(METHODS["equal_budget"], found) is None
    assert "--variant pose" in (methods.missing(METHODS["pose_features"], found) or "")
    (tmp_path / shipped.name).unlink()
    assert open_studio(EvalSettings(device="cpu", weights=tmp_path)).file == shipped  # variants alone are measured too
    with pytest.raises(HmdiffError, match="no trained weights"):
        open_studio(EvalSettings(device="cpu", weights=tmp_path / "elsewhere"))


def test_every_reference_is_a_method_and_names_are_unique():
    points = [point for sweep in sweeps.SWEEPS.values() for point in sweep.points]
    assert all(one.reference in METHODS for one in [*METHODS.values(), *points])
    assert len({one.name for one in points} | set(METHODS)) == len(points) + len(METHODS)
