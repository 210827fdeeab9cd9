"""From mesh to motion: SMPL-format parameters, camera, one shape per track, smoothing."""

from .camera import Placement, focal_from_film, focal_pixels, project, solve_translation
from .fit import fit_body
from .params import FittedBody
from .placing import PlacedBodies, place_bodies
from .smoothing import fill_rotations, fill_values, segments, smooth_rotations, smooth_values
from .track import FittedTrack, Sightings, fit_track, meshes_from_rows, track_betas
from .upright import Up, estimate_up

__all__ = [
    "FittedBody", "FittedTrack", "PlacedBodies", "Placement", "Sightings", "Up", "estimate_up", "fill_rotations",
    "fill_values", "fit_body", "fit_track", "focal_from_film", "focal_pixels", "meshes_from_rows", "place_bodies",
    "project", "segments", "smooth_rotations", "smooth_values", "solve_translation", "track_betas",
]  # fmt: skip
