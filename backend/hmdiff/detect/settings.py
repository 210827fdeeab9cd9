"""What a caller may turn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectorSettings:
    """num_threads: of each network. min_person_score: of the person detector.

    photo_level, video_level, lost_level: how many squares of the image the person detector looks at (see
    ``people.search_squares``) in a photo, at regular searches in a video, and when a person was lost or nobody is
    known. redetect_seconds: a video is searched for new people this often; lost_seconds: the dearer search is not
    repeated sooner than this. max_gap_seconds: a track that is not seen for longer ends.

    Least quality (see ``Observation``): accept_quality to go on with a track, birth_quality to be somebody new,
    box_quality in a box given by hand, instant_quality to be reported at once rather than after ``confirm_frames``
    frames; below search_quality other turns of the crop are tried, from sure_quality on no better crop is looked for.

    max_people: the most that are followed, the largest first. tiny_height: px, people whose long side is smaller
    are marked ``tiny``.
    """

    num_threads: int = 2
    min_person_score: float = 0.5
    photo_level: int = 3
    video_level: int = 1
    lost_level: int = 2
    redetect_seconds: float = 0.5
    lost_seconds: float = 1.0
    max_gap_seconds: float = 1.0
    accept_quality: float = 0.45
    birth_quality: float = 0.55
    box_quality: float = 0.25
    instant_quality: float = 0.7
    search_quality: float = 0.65
    sure_quality: float = 0.75
    confirm_frames: int = 3
    max_people: int = 8
    tiny_height: float = 48.0
