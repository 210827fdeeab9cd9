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
from .hypotheses import best_of_n, spread_mm
from .image import keypoint_error_2d
from .joints import mean_distance_mm, mpjpe, pa_mpjpe
from .mesh import edge_error, f_score, mesh_edges, mpve, pa_mpve
from .motion import acceleration_error

__all__ = [
    "H36M_PELVIS",
    "LSP_HIPS",
    "NO_ALIGNMENT",
    "PROCRUSTES_NAME",
    "REGIONS",
    "SMPL_HIPS",
    "SMPL_PELVIS",
    "Alignment",
    "Interval",
    "acceleration_error",
    "best_of_n",
    "clip_interval",
    "coverage",
    "crps",
    "edge_error",
    "energy_score",
    "f_score",
    "keypoint_error_2d",
    "mean_distance_mm",
    "mesh_edges",
    "mpjpe",
    "mpve",
    "nominal_coverage",
    "pa_mpjpe",
    "pa_mpve",
    "procrustes_align",
    "root_position",
    "similarity_transform",
    "spread_mm",
]
