"""What is measured and how; conventions of method_notes 3. Lengths go in as metres and come out as millimetres.

Functions return one figure per frame, so that the caller averages, bootstraps over clips and prints the alignment.
"""

from .alignment import (
    H36M_PELVIS,
    LSP_HIPS,
    NO_ALIGNMENT,
    PROCRUSTES_NAME,
    SMPL_HIPS,
    SMPL_PELVIS,
    Alignment,
    procrustes_align,
    root_position,
    similarity_transform,
)
from .bootstrap import Interval, clip_interval
from .distribution import REGIONS, coverage, crps, energy_score, nominal_coverage
from .hypotheses import best_of_n, mean_where, spread_by_visibility, spread_mm
from .image import CROP_PX, keypoint_error_2d, sample_keypoint_error_2d, to_crop
from .joints import joint_table, mean_distance_mm, mpjpe, mpjpe_per_joint, pa_mpjpe, pa_mpjpe_per_joint
from .mesh import F_THRESHOLDS_MM, edge_error, f_scores, mesh_edges, mpve, pa_mpve
from .motion import acceleration_error
from .penetration import SurfaceParts, self_penetration, smpl_surface_parts
from .plausibility import mask_distance, perc_in_and_min_dist

__all__ = [
    "CROP_PX",
    "F_THRESHOLDS_MM",
    "H36M_PELVIS",
    "LSP_HIPS",
    "NO_ALIGNMENT",
    "PROCRUSTES_NAME",
    "REGIONS",
    "SMPL_HIPS",
    "SMPL_PELVIS",
    "Alignment",
    "SurfaceParts",
    "Interval",
    "acceleration_error",
    "best_of_n",
    "clip_interval",
    "coverage",
    "crps",
    "edge_error",
    "energy_score",
    "f_scores",
    "joint_table",
    "keypoint_error_2d",
    "mask_distance",
    "mean_distance_mm",
    "mean_where",
    "mesh_edges",
    "mpjpe",
    "mpjpe_per_joint",
    "mpve",
    "nominal_coverage",
    "pa_mpjpe",
    "pa_mpjpe_per_joint",
    "pa_mpve",
    "perc_in_and_min_dist",
    "procrustes_align",
    "root_position",
    "sample_keypoint_error_2d",
    "self_penetration",
    "similarity_transform",
    "smpl_surface_parts",
    "spread_by_visibility",
    "spread_mm",
    "to_crop",
]
