"""Guidance losses: pure differentiable functions of posed bodies, one figure per row, freely added with weights."""

from .ground import Ground, detect_contacts, floor_loss, slide_loss
from .prior import fitted_shape_loss, pose_prior_loss
from .reprojection import Keypoints, project_points, reprojection_loss
from .robust import geman_mcclure
from .temporal import Neighbours, acceleration_loss, neighbours, smoothness_loss
from .views import CalibratedViews, calibrated_loss, consistency_loss

__all__ = [
    "CalibratedViews", "Ground", "Keypoints", "Neighbours", "acceleration_loss", "calibrated_loss", "consistency_loss",
    "detect_contacts", "fitted_shape_loss", "floor_loss", "geman_mcclure", "neighbours", "pose_prior_loss",
    "project_points", "reprojection_loss", "slide_loss", "smoothness_loss",
]  # fmt: skip
