"""The sidebar tab. Panels only read."""

from . import clip, doubt, export, keypoints, main, motion, picker, poses, queue, retarget, settings

CLASSES = (
    *main.CLASSES,
    *settings.CLASSES,
    *clip.CLASSES,
    *picker.CLASSES,
    *keypoints.CLASSES,
    *motion.CLASSES,
    *doubt.CLASSES,
    *retarget.CLASSES,
    *export.CLASSES,
    *queue.CLASSES,
    *poses.CLASSES,
)
