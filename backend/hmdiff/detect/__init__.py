"""People in pictures: every source of keypoints ends as an Observation.

``Detector`` runs BlazePose on photos and videos; ``external`` reads keypoints made elsewhere. Start at ``observation``.
"""

from .assets import find_model, install_models, model_path
from .detector import Detector, frame_status
from .external import ExternalDetector, keypoints_observation
from .keypoint_files import KeypointFile, read_keypoints
from .observation import (
    BLAZEPOSE_NAMES,
    BODY25_TO_BLAZEPOSE,
    COCO17_TO_BLAZEPOSE,
    LIMB_SLOTS,
    Crop,
    Observation,
)
from .settings import DetectorSettings
from .tracker import Tracker

__all__ = [
    "BLAZEPOSE_NAMES", "BODY25_TO_BLAZEPOSE", "COCO17_TO_BLAZEPOSE", "LIMB_SLOTS", "Crop", "Detector",
    "DetectorSettings", "ExternalDetector", "KeypointFile", "Observation", "Tracker", "find_model", "frame_status",
    "install_models", "keypoints_observation", "model_path", "read_keypoints",
]  # fmt: skip
