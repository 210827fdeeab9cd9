"""How the landmark network errs on pictures with known truth; the training's noise model reads these figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from landmark_readings import Sample
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SEEN = 0.5
_HIDDEN_DEPTH, _HIDDEN_REACH = 0.08, 3.0
"""A landmark is hidden when skin lies this much (m) in front of it within this many px of the 256-px crop."""


def positions(sample: Sample, regressor: Floats) -> Floats:
    """(33,3) true landmark positions, camera metres."""
    used = np.flatnonzero(regressor.sum(0))
    return regressor[:, used] @ sample.vertices[used].astype(float)


def residuals(samples: list[Sample], regressor: Floats) -> Floats:
    """(S,33,2) detection minus truth, px in the 256-px crop, image axes."""
    return np.stack([(s.points - s.project(positions(s, regressor))) * s.scale for s in samples])


def hidden(sample: Sample, regressor: Floats) -> NDArray[np.bool_]:
    """(33,) whether the body itself covers the landmark."""
    points = positions(sample, regressor)
    flat, skin = sample.project(points), sample.project(sample.vertices.astype(float))
    reach = _HIDDEN_REACH / sample.scale
    near = np.linalg.norm(flat[:, None] - skin[None], axis=2) < reach
    return (near & (sample.vertices[None, :, 2] < points[:, 2:] - _HIDDEN_DEPTH)).any(1)


def robust_std(values: Floats) -> float:
    """Standard deviation of the core of a distribution (1.4826 median absolute deviation)."""
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else float("nan")


def peak_width(heatmap: Floats, point: Floats) -> float:
    """Standard deviation, heatmap px, of the mass within 4 px of the peak; NaN without a peak."""
    side = heatmap.shape[-1]
    grid = np.arange(side) + 0.5
    away = (grid[None] - point[0] * side) ** 2 + (grid[:, None] - point[1] * side) ** 2
    mass = np.where(away < 16, heatmap, 0.0)
    return float(np.sqrt((mass * away).sum() / mass.sum() / 2)) if mass.max() > 0.1 else float("nan")


def noise_statistics(
    samples: list[Sample], regressor: Floats, before: Floats, held_out: Floats, order: list[Sample]
) -> dict[str, Any]:
    """Lists are over the 33 landmarks. before (S,33,2): residuals of the anatomical start; held_out with its
    ``order`` of samples: residuals judged by regressors fitted on the other half of the pictures."""
    after = residuals(samples, regressor)
    confidence = np.stack([s.confidence for s in samples])
    covered = np.stack([hidden(s, regressor) for s in samples])
    other_confidence = np.stack([s.confidence for s in order])
    truth = np.stack([positions(s, regressor) for s in samples])
    relative = truth - truth[:, 23:25].mean(1, keepdims=True)
    box = np.array([np.ptp(s.project(s.vertices.astype(float)), axis=0).max() * s.scale for s in samples])
    metres = np.array([s.focal / truth[i, 23:25, 2].mean() * s.scale / 256 for i, s in enumerate(samples)])
    z = np.stack([s.reading.z[:33] for s in samples]).astype(float) / metres[:, None]
    world = np.stack([s.reading.camera_world for s in samples]).astype(float)
    result: dict[str, Any] = {}
    columns: dict[str, list[Any]] = {}

    def put(name: str, value: Any) -> None:
        columns.setdefault(name, []).append(np.round(value, 4).tolist())

    for slot in range(33):
        seen, judged = confidence[:, slot] > _SEEN, other_confidence[:, slot] > _SEEN
        errors = after[seen, slot]
        put("median_before_px", np.median(np.linalg.norm(before[seen, slot], axis=1)))
        put("median_after_px", np.median(np.linalg.norm(errors, axis=1)))
        put("median_held_out_px", np.median(np.linalg.norm(held_out[judged, slot], axis=1)))
        put("bias_before_px", np.median(before[seen, slot], axis=0))
        put("bias_after_px", np.median(errors, axis=0))
        put("std_px", np.mean([robust_std(errors[:, axis]) for axis in (0, 1)]))
        put("p90_px", np.percentile(np.linalg.norm(errors, axis=1), 90))
        put("p99_px", np.percentile(np.linalg.norm(errors, axis=1), 99))
        put("std_of_box", np.mean([robust_std((errors / box[seen, None])[:, axis]) for axis in (0, 1)]))
        for label, group in (("visible", ~covered[:, slot]), ("hidden", covered[:, slot])):
            put(f"share_{label}", group.mean())
            put(
                f"confidence_{label}_p5_25_50_75_95",
                np.percentile(confidence[group, slot], [5, 25, 50, 75, 95]) if group.any() else [0] * 5,
            )
            put(
                f"std_px_{label}",
                np.mean([robust_std(after[group, slot, axis]) for axis in (0, 1)]) if group.sum() > 9 else -1,
            )
        # depth: network's z in metres against truth relative to the hip centre
        slope, offset = np.polyfit(z[seen, slot], relative[seen, slot, 2], 1)
        put("depth_from_z_slope_offset", [slope, offset])
        put("depth_from_z_std_m", robust_std(relative[seen, slot, 2] - slope * z[seen, slot] - offset))
        put("depth_from_z_correlation", np.corrcoef(z[seen, slot], relative[seen, slot, 2])[0, 1])
        error = world[seen, slot] - relative[seen, slot]
        put("world_bias_m", np.median(error, axis=0))
        put("world_std_m", [robust_std(error[:, axis]) for axis in range(3)])
        put("world_median_m", np.median(np.linalg.norm(error, axis=1)))
        put("world_depth_correlation", np.corrcoef(world[seen, slot, 2], relative[seen, slot, 2])[0, 1])
        widths = [
            peak_width(s.reading.heatmaps[slot].astype(float), s.reading.points[slot].astype(float)) for s in samples
        ]
        put("heatmap_width_px", np.nanmedian(widths))
        put("heatmap_peak_p5_50_95", np.percentile([s.reading.heatmaps[slot].max() for s in samples], [5, 50, 95]))
    result.update(columns)
    limbs = np.arange(11, 33)
    common = np.median(after[:, limbs], axis=1)
    result["common_shift_std_px"] = [round(robust_std(common[:, axis]), 3) for axis in (0, 1)]
    allz, allt = z[:, 11:].ravel(), relative[:, 11:, 2].ravel()
    result["depth_from_z_all_slope"] = round(float(allz @ allt / (allz @ allz)), 4)
    size = np.linalg.norm(world - world[:, 23:25].mean(1, keepdims=True), axis=2).mean(1)
    result["world_scale_ratio_median_std"] = np.round(
        [
            np.median(size / np.linalg.norm(relative, axis=2).mean(1)),
            robust_std(size / np.linalg.norm(relative, axis=2).mean(1)),
        ],
        4,
    ).tolist()
    result["error_by_confidence"] = [
        {
            "confidence": [low, high],
            "median_px": round(float(np.median(np.linalg.norm(after[pick], axis=-1))), 3),
            "share": round(float(pick.mean()), 4),
        }
        for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.01))
        if (pick := (confidence >= low) & (confidence < high)).any()
    ]  # fmt: skip
    return result
