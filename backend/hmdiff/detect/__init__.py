"""People in pictures: every source of keypoints ends as an Observation.

``Detector`` runs BlazePose on photos and videos, ``RtmDetector`` RTMPose or ViTPose where the user has them;
``external`` reads keypoints made elsewhere. Start at ``observation``.
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
from .rtm import RtmDetector, load_rtm
from .rtm_models import RTM_NAMES, rtm_files
from .settings import DetectorSettings
from .tracker import Tracker

__all__ = [
    "BLAZEPOSE_NAMES", "BODY25_TO_BLAZEPOSE", "COCO17_TO_BLAZEPOSE", "LIMB_SLOTS", "RTM_NAMES", "Crop", "Detector",
    "DetectorSettings", "ExternalDetector", "KeypointFile", "Observation", "RtmDetector", "Tracker", "find_model",
    "frame_status", "install_models", "keypoints_observation", "load_rtm", "model_path", "read_keypoints", "rtm_files",
]  # fmt: skip
