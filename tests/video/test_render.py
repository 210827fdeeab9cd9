"""The painter: coverage, hiding, light, against shapes whose picture can be worked out."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hmdiff.video.raster import face_buffer, project
from hmdiff.video.render import Mesh, draw_mesh, draw_meshes, draw_skeleton, mesh_mask, silhouette_iou
from hmdiff_wire.body import load_body, skin

SIZE, CENTER, FOCAL = (320, 240), (160.0, 120.0), 300.0


def sphere(centre, radius: float, rings: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A closed ball, faces counter-clockwise from outside."""
    theta = np.linspace(1e-3, np.pi - 1e-3, rings)
    phi = np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    grid = np.stack(
        [
            np.outer(np.sin(theta), np.cos(phi)),
            np.outer(np.sin(theta), np.sin(phi)),
            np.outer(np.cos(theta), np.ones_like(phi)),
        ],
        axis=-1,
    )
    row, column = np.mgrid[0 : rings - 1, 0 : 2 * rings]
    a, b = row * 2 * rings + column, row * 2 * rings + (column + 1) % (2 * rings)
    c, d = a + 2 * rings, b + 2 * rings
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return (grid.reshape(-1, 3) * radius + centre).astype(np.float32), faces


def posed(path, transl, betas=0.0):
    body = load_body(path)
    pose = np.zeros((1, 72), np.float32)
    pose[0, 0] = np.pi
    return body, skin(body, np.full(10, betas), pose, np.array([transl]))[0][0]


def test_faces_point_outward_and_the_disc_has_its_area():
    vertices, faces = sphere((0, 0, 5), 1)
    normals = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    assert ((normals * (vertices[faces].mean(1) - (0, 0, 5))).sum(1) >= -1e-6).all()
    mask = mesh_mask(vertices, faces, FOCAL, CENTER, SIZE)
    # The outline of a ball at distance d is the tangent cone: radius f r / sqrt(d^2 - r^2).
    radius = FOCAL / np.sqrt(24)
    assert mask.sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    rows, columns = np.nonzero(mask)
    assert rows.mean() + 0.5 == pytest.approx(120, abs=0.2) and columns.mean() + 0.5 == pytest.approx(160, abs=0.2)
    shown, (left, top) = face_buffer(vertices, faces, FOCAL, CENTER, SIZE)
    full = np.zeros_like(mask)
    full[top : top + shown.shape[0], left : left + shown.shape[1]] = shown >= 0
    np.testing.assert_array_equal(full, mask)
    assert (vertices[faces[np.unique(shown[shown >= 0])]].mean(1)[:, 2] < 5).all()


def test_adjacent_triangles_leave_no_gap_and_no_overlap():
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), -1) * 15 + 40.25
    inner = slice(1, -1)
    grid[inner, inner] += rng.uniform(-6, 6, (10, 10, 2))
    vertices = np.concatenate([(grid.reshape(-1, 2) - CENTER) / FOCAL * 2, np.full((144, 1), 2.0)], axis=1)
    a = (np.arange(11)[:, None] * 12 + np.arange(11)).reshape(-1)
    faces = np.concatenate([np.stack([a, a + 12, a + 1], 1), np.stack([a + 1, a + 12, a + 13], 1)])
    ids, _ = face_buffer(vertices, faces, FOCAL, CENTER, SIZE)
    assert (ids >= 0).sum() == 165 * 165
    alone = sum((face_buffer(vertices, faces[[face]], FOCAL, CENTER, SIZE)[0] >= 0).sum() for face in range(len(faces)))
    assert alone == 165 * 165


def test_a_nearer_person_hides_a_farther_one_in_any_order():
    near, faces = sphere((-0.2, 0, 4), 0.5)
    far, _ = sphere((0.2, 0, 6), 0.7)
    grey = np.full((240, 320, 3), 90, np.uint8)
    red, blue = Mesh(near, faces, (255, 0, 0)), Mesh(far, faces, (0, 0, 255))
    one, other = (draw_meshes(grey, order, FOCAL, CENTER, 1.0) for order in ([red, blue], [blue, red]))
    np.testing.assert_array_equal(one, other)
    solid_near = mesh_mask(near, faces, FOCAL, CENTER, SIZE)
    inside = solid_near & mesh_mask(far, faces, FOCAL, CENTER, SIZE)
    assert inside.sum() > 500
    red_there = one[inside][:, 0].astype(int) > one[inside][:, 2]
    assert red_there.mean() > 0.97
    assert (grey == 90).all()


def test_what_is_outside_behind_or_not_finite_is_left_out():
    grey = np.full((240, 320, 3), 90, np.uint8)
    for centre in ((0, 0, -5), (50, 0, 5), (0, -50, 5), (np.nan, 0, 5)):
        vertices, faces = sphere(centre, 1)
        assert (draw_mesh(grey, vertices, faces, FOCAL, CENTER) == 90).all()
        assert not mesh_mask(vertices, faces, FOCAL, CENTER, SIZE).any()
    around, faces = sphere((0, 0, 0), 1)
    assert mesh_mask(around, faces, FOCAL, CENTER, SIZE).all()
    huge, faces = sphere((0, 0, 3), 2.5, rings=6)
    assert mesh_mask(huge, faces, FOCAL, CENTER, SIZE).all()
    cut, faces = sphere((2.6, 0, 5), 1)
    mask = mesh_mask(cut, faces, FOCAL, CENTER, SIZE)
    assert mask[:, -1].any() and not mask[:, 0].any()
    assert draw_meshes(grey, [], FOCAL, CENTER).shape == grey.shape


def test_alpha_and_light():
    vertices, faces = sphere((0, 0, 5), 1)
    grey = np.full((240, 320, 3), 90, np.uint8)
    solid, half = (
        draw_mesh(grey, vertices, faces, FOCAL, CENTER, (255, 255, 255), alpha)[120, 160] for alpha in (1.0, 0.5)
    )
    np.testing.assert_allclose(half.astype(float), (solid.astype(float) + 90) / 2, atol=1.5)
    lit = draw_mesh(grey, vertices, faces, FOCAL, CENTER, (200, 200, 200), 1.0)
    assert lit[80, 190, 0] > lit[160, 130, 0] + 20, "the lamp is above"
    colours = np.zeros((len(vertices), 3), np.float32)
    colours[vertices[:, 0] > 0] = (255, 0, 0)
    painted = draw_mesh(grey, vertices, faces, FOCAL, CENTER, colours, 1.0)
    assert painted[120, 190, 0] > 100 and painted[120, 130, 0] < 10


def test_iou_of_a_body_with_itself_and_beside_itself(free_body):
    body, vertices = posed(free_body, (0, 0.1, 4))
    mask = mesh_mask(vertices, body.faces, 260, CENTER, SIZE)
    assert 1500 < mask.sum() < 8000
    assert silhouette_iou(vertices, body.faces, 260, CENTER, mask) == 1.0
    assert silhouette_iou(vertices, body.faces, 260, CENTER, mask.astype(np.float32) * 0.8) == 1.0
    moved = silhouette_iou(vertices + np.float32((0.1, 0, 0)), body.faces, 260, CENTER, mask)
    assert 0.3 < moved < 0.85
    assert silhouette_iou(vertices, body.faces, 260, CENTER, np.zeros_like(mask)) == 0.0


def test_the_body_stands_upright_with_its_face_to_the_camera(free_body):
    body, vertices = posed(free_body, (0, -0.9, 4))
    ids, _ = face_buffer(vertices, body.faces, 1200, (320, 360), (640, 720))
    seen = np.zeros(body.n_vertices, bool)
    seen[body.faces[np.unique(ids[ids >= 0])]] = True
    head = body.v_template[:, 1] > body.v_template[:, 1].max() - 0.15
    assert project(vertices, 1200, (320, 360))[head, 1].max() < 200
    depth = body.v_template[:, 2]
    assert seen[head & (depth > depth[head].max() - 0.005)].any(), "the nose shows"
    assert not seen[head & (depth < depth[head].min() + 0.02)].any(), "the back of the head does not"


def test_skeleton_leaves_out_the_unseen():
    grey = np.full((240, 320, 3), 90, np.uint8)
    points = np.array([(50, 50), (100, 50), (100, 150), (np.nan, 3), (1e9, 0)])
    out = draw_skeleton(grey, points, [-1, 0, 1, 2, 2], (0, 255, 0), confidence=np.array([1, 1, 0.1, 1, 1]))
    assert out[50, 75, 1] > 200 and out[50, 75, 0] < 60
    assert (out[100:, :] == 90).all()


def test_a_body_at_720p_is_drawn_without_a_loop_over_faces(free_body, record_property):
    """No time limit (DESIGN 9), only the fact that a full picture is not thousands of calls."""
    body, vertices = posed(free_body, (0, 0.2, 3))
    image = np.zeros((720, 1280, 3), np.uint8)
    started = time.perf_counter()
    out = draw_mesh(image, vertices, body.faces, 1000, (640, 360))
    record_property("seconds", time.perf_counter() - started)
    assert (out.any(-1)).sum() > 30_000


def test_nearly_level_edges_far_down_the_picture_make_no_streaks():
    rng = np.random.default_rng(5)
    corners = np.stack([rng.uniform(100, 200, (300, 3)), 3000.5 + rng.uniform(-1e-4, 1e-4, (300, 3))], -1)
    corners[:, 2, 1] += 3
    vertices = np.concatenate([corners.reshape(-1, 2) / 1000, np.ones((900, 1))], 1)
    ids, (left, top) = face_buffer(vertices, np.arange(900).reshape(-1, 3), 1000, (0, 0), (4000, 4000), cull=False)
    assert left >= 99 and ids.shape[1] <= 102 and 2999 <= top and ids.shape[0] <= 5
    for first in range(0, 900, 3):
        one, _ = face_buffer(vertices, [[first, first + 1, first + 2]], 1000, (0, 0), (4000, 4000), cull=False)
        across = np.ptp(corners[first // 3, :, 0])
        # Rows at 3000.5 (nearly the level edge, in or out), 3001.5 and 3002.5 of a triangle three rows high.
        assert one.shape[1] <= across + 2 and (one >= 0).sum() <= 2 * across + 3
