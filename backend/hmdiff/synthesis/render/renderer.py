"""Drawing a scene with OpenGL. Rows of all pictures run from the top, since image y points down in clip space too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .anatomy import Anatomy
from .cameras import Camera
from .context import open_context
from .materials import Material
from .person import Person, Pose, skin_points
from .projection import FAR, flat_places, metres, near_picture, view_projection
from .scene import Scene
from .shaders import (
    BACKDROP_FRAGMENT,
    BACKDROP_VERTEX,
    DEPTH_FRAGMENT,
    DEPTH_VERTEX,
    MATERIALS,
    SKIN,
    SURFACE_FRAGMENT,
    SURFACE_VERTEX,
)
from .textures import SIDE

Floats = NDArray[np.floating]
LARGEST = 768
_SHADOW_SIDE, _SHADOW_REACH = 1024, 4.5
_MOST_FEET = 8
_BLUR_STEPS, _STILL_STEPS = 4, 2
_JITTER = np.array([[0.33, 0.27], [-0.33, -0.2], [-0.2, 0.35], [0.25, -0.35]])
"""Where in the pixel the sub-frames look, px: what makes edges smooth."""


@dataclass(frozen=True)
class Bare:
    """An unclothed body alone: vertices (V,3) in the world, depth (h,w) metres along the view, inf beside the body."""

    vertices: Floats
    depth: Floats


@dataclass(frozen=True)
class Picture:
    """colour (h,w,3) uint8; owner (h,w) uint8: 1 + index of the person seen there, 0 for all else; depth (h,w) metres
    along the view; bare (P,): None for who is not in the picture."""

    colour: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    depth: Floats
    bare: tuple[Bare | None, ...]


class Renderer:
    """One OpenGL context with its textures; not thread-safe. Errors: those of ``open_context``."""

    def __init__(self, anatomy: Anatomy, bank: NDArray[np.uint8]) -> None:
        self.anatomy = anatomy
        self.context = context = open_context()
        context.front_face = "cw"
        self.skin = context.program(vertex_shader=SKIN, varyings=("out_position", "out_normal"))
        self.surface = context.program(vertex_shader=SURFACE_VERTEX, fragment_shader=SURFACE_FRAGMENT)
        self.depth = context.program(vertex_shader=DEPTH_VERTEX, fragment_shader=DEPTH_FRAGMENT)
        self.backdrop = context.program(vertex_shader=BACKDROP_VERTEX, fragment_shader=BACKDROP_FRAGMENT)
        self.textures = context.texture_array((SIDE, SIDE, len(bank)), 4, bank.tobytes())
        self.textures.build_mipmaps()
        self.shadow = context.depth_texture((_SHADOW_SIDE, _SHADOW_SIDE))
        self.shadow.compare_func = "<="
        self.shadow.repeat_x = self.shadow.repeat_y = False
        self.shadow_target = context.framebuffer(depth_attachment=self.shadow)
        size = (LARGEST, LARGEST)
        self.target, self.layer = _framebuffer(context, size), _framebuffer(context, size)
        self.bare_target = context.framebuffer(depth_attachment=context.depth_renderbuffer(size))
        corners = context.buffer(np.array([[-1, -1], [3, -1], [-1, 3]], np.float32).tobytes())
        self.screen = context.vertex_array(self.backdrop, [(corners, "2f", "in_position")])
        self.body_faces = context.buffer(anatomy.faces.astype(np.int32).tobytes())

    @contextmanager
    def stage(self, scene: Scene) -> Iterator[Stage]:
        """``with renderer.stage(scene) as stage: stage.draw(...)``: the scene's meshes are brought and taken away."""
        with self.context:  # another renderer of this process may be the current one
            stage = Stage(self, scene)
            try:
                yield stage
            finally:
                stage.release()


@dataclass(frozen=True)
class _Actor:
    """A person on the renderer: skin poses the rest mesh into posed; surface and depth draw what is there."""

    skin: Any
    posed: Any
    surface: Any
    depth: Any


class Stage:
    """A scene on the renderer, see ``Renderer.stage``."""

    def __init__(self, renderer: Renderer, scene: Scene) -> None:
        self.renderer, self.scene = renderer, scene
        self.owned: list[Any] = []
        self.people = [self._actor(person) for person in scene.people]
        self.props = self._still(*scene.props.mesh())
        self.walls = self._still(*scene.walls.mesh()) if scene.walls.parts else None
        self.body = self._buffer(np.zeros((len(renderer.anatomy.rest), 3), np.float32))
        self.bare = self._own(
            renderer.context.vertex_array(renderer.depth, [(self.body, "3f", "in_position")], renderer.body_faces, 4)
        )

    def release(self) -> None:
        for thing in reversed(self.owned):
            thing.release()

    def _own(self, thing: Any) -> Any:
        self.owned.append(thing)
        return thing

    def _buffer(self, data: NDArray[Any]) -> Any:
        return self._own(self.renderer.context.buffer(np.ascontiguousarray(data).tobytes()))

    def _actor(self, person: Person) -> _Actor:
        mesh, make = person.look.mesh, self.renderer.context.vertex_array
        rest = np.concatenate([mesh.position, mesh.normal, mesh.bones, mesh.weights], 1, dtype=np.float32)
        places, kinds = flat_places(mesh.tex, mesh.normal), np.stack([mesh.material, mesh.edge], 1)
        paint = np.concatenate([places, kinds], 1, dtype=np.float32)
        faces, posed = self._buffer(mesh.faces.astype(np.int32)), self._buffer(np.zeros((len(rest), 6), np.float32))
        names = ("in_position", "in_normal", "in_bones", "in_weights")
        skin = self._own(make(self.renderer.skin, [(self._buffer(rest), "3f 3f 4f 4f", *names)]))
        painted = (self._buffer(paint), "2f 1f 1f", "in_tex", "in_material", "in_edge")
        parts = [(posed, "3f 3f", "in_position", "in_normal"), painted]
        surface = self._own(make(self.renderer.surface, parts, faces, 4))
        depth = self._own(make(self.renderer.depth, [(posed, "3f 12x", "in_position")], faces, 4))
        return _Actor(skin, posed, surface, depth)

    def _still(self, vertices: Floats, faces: NDArray[np.int32]) -> tuple[Any, Any]:
        index, make = self._buffer(faces), self.renderer.context.vertex_array
        places = flat_places(vertices[:, 6:9], vertices[:, 3:6])
        whole = np.ones((len(vertices), 1), np.float32)
        data = self._buffer(np.concatenate([vertices[:, :6], places, vertices[:, 9:], whole], 1, dtype=np.float32))
        names = ("in_position", "in_normal", "in_tex", "in_material", "in_edge")
        surface = self._own(make(self.renderer.surface, [(data, "3f 3f 2f 1f 1f", *names)], index, 4))
        return surface, self._own(make(self.renderer.depth, [(data, "3f 28x", "in_position")], index, 4))

    def _take_pose(self, poses: list[Pose]) -> None:
        # without any framebuffer bound, as at first, OpenGL refuses even what is not drawn
        self.renderer.target.use()
        for actor, pose in zip(self.people, poses, strict=True):
            self.renderer.skin["bones"].write(_bones(pose))
            actor.skin.transform(actor.posed)

    def draw(self, time: float, camera: Camera) -> Picture:
        """The picture at a time (s); with a shutter it is smeared over the motion around that time."""
        scene = self.scene
        steps = _BLUR_STEPS if scene.shutter else _STILL_STEPS
        poses = [person.pose(time) for person in scene.people]
        self._take_pose(poses)
        shadow_matrix = self._draw_shadow(poses)
        self._draw_surroundings(poses, camera, shadow_matrix)
        total = np.zeros((camera.height, camera.width, 3), np.uint16)
        # the last sub-frame looks through the middle of the pixel at the exact time: owner and depth are read from it
        for step in range(steps):
            last = step == steps - 1
            moment = poses
            if scene.shutter and not last:
                offset = scene.shutter * (step / (steps - 2) - 0.5)
                moment = [person.pose(time + offset) for person in scene.people]
            if scene.shutter:
                self._take_pose(moment)
            total += self._draw_people(moment, camera, np.zeros(2) if last else _JITTER[step], shadow_matrix)
        colour = ((total + steps // 2) // steps).astype(np.uint8)
        target, box = self.renderer.target, (0, 0, camera.width, camera.height)
        owner = np.frombuffer(target.read(box, components=1, attachment=1, alignment=1), np.uint8)
        depth = metres(target.read(box, components=1, attachment=-1, dtype="f4", alignment=1))
        shape = (camera.height, camera.width)
        bare = tuple(self._bare(index, pose, camera) for index, pose in enumerate(poses))
        return Picture(colour, owner.reshape(shape).copy(), depth.reshape(shape), bare)

    def _draw_surroundings(self, poses: list[Pose], camera: Camera, shadow_matrix: Floats) -> None:
        """All that stands still, into the renderer's layer, which the sub-frames share."""
        renderer, context = self.renderer, self.renderer.context
        renderer.layer.use()
        context.viewport = (0, 0, camera.width, camera.height)
        renderer.layer.clear(0, 0, 0, 0)
        context.enable_only(context.DEPTH_TEST)
        self._light(poses, camera, view_projection(camera, np.zeros(2)), shadow_matrix)
        renderer.surface["owner"].value = 0.0
        _dress(renderer.surface, self.scene.props.materials)
        self.props[0].render()
        if self.walls:
            context.enable(context.CULL_FACE)
            _dress(renderer.surface, self.scene.walls.materials)
            self.walls[0].render()
            context.disable(context.CULL_FACE)
        self._draw_backdrop(camera)

    def _draw_people(
        self, poses: list[Pose], camera: Camera, jitter: NDArray[np.float64], shadow_matrix: Floats
    ) -> NDArray[np.uint8]:
        renderer, context = self.renderer, self.renderer.context
        context.copy_framebuffer(renderer.target, renderer.layer)
        renderer.target.use()
        context.viewport = (0, 0, camera.width, camera.height)
        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        self._light(poses, camera, view_projection(camera, jitter), shadow_matrix)
        for index, (person, pose) in enumerate(zip(self.scene.people, poses, strict=True)):
            if not near_picture(pose, camera):
                continue
            renderer.surface["owner"].value = float(index + 1)
            _dress(renderer.surface, person.look.materials)
            self.people[index].surface.render()
        data = renderer.target.read((0, 0, camera.width, camera.height), components=3, alignment=1)
        return np.frombuffer(data, np.uint8).reshape(camera.height, camera.width, 3)

    def _light(self, poses: list[Pose], camera: Camera, matrix: bytes, shadow_matrix: Floats) -> None:
        light, program = self.scene.light, self.renderer.surface
        program["view_projection"].write(matrix)
        program["shadow_matrix"].write(shadow_matrix.T.astype(np.float32).tobytes())
        self.renderer.textures.use(0)
        self.renderer.shadow.use(1)
        program["textures"].value, program["shadow"].value = 0, 1
        program["eye"].value = tuple(camera.eye)
        for name in ("sun", "sun_colour", "sky", "ground", "fill", "fill_colour"):
            program[name].value = tuple(float(v) for v in getattr(light, name))
        program["exposure"].value = light.exposure
        feet = np.zeros((_MOST_FEET, 4), np.float32)
        feet[:, 2] = 1.0
        for index, pose in enumerate(poses[:_MOST_FEET]):
            low = pose.joints[pose.joints[:, 1] < pose.joints[:, 1].min() + 0.35]
            middle, reach = low.mean(0), np.ptp(low[:, [0, 2]], axis=0).max()
            feet[index] = middle[0], middle[2], (0.18 + 0.4 * reach) ** 2, 0.55 * np.exp(-4 * max(low[:, 1].min(), 0))
        program["feet"].write(feet.tobytes())
        program["standing"].value = min(len(poses), _MOST_FEET)

    def _draw_backdrop(self, camera: Camera) -> None:
        renderer, backdrop = self.renderer, self.scene.backdrop
        program = renderer.backdrop
        scale = np.diag([camera.width / 2 / camera.focal, camera.height / 2 / camera.focal, 1.0])
        program["ray"].write((camera.rotation.T @ scale).T.astype(np.float32).tobytes())
        program["textures"].value = 0
        program["top"].value, program["horizon"].value = backdrop.top, backdrop.horizon
        program["land"].value = backdrop.land
        program["far_a"].value, program["far_b"].value = backdrop.far
        program["layers"].value = backdrop.layers
        program["exposure"].value = min(self.scene.light.exposure, 1.2)
        renderer.screen.render()

    def _draw_shadow(self, poses: list[Pose]) -> Floats:
        """Fill the shadow map; returns the matrix from the world to it (4,4)."""
        renderer, context = self.renderer, self.renderer.context
        centre = poses[0].joints[0] * [1, 0, 1] + [0, 0.9, 0]
        towards = self.scene.light.sun
        side = np.cross([0.3, 1.0, 0.1], towards)
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(towards, side), -towards])
        view = np.eye(4)
        view[:3, :3] = axes / np.array([[_SHADOW_REACH], [_SHADOW_REACH], [3 * _SHADOW_REACH]])
        view[:3, 3] = -view[:3, :3] @ centre
        renderer.shadow_target.use()
        context.viewport = (0, 0, _SHADOW_SIDE, _SHADOW_SIDE)
        context.enable_only(context.DEPTH_TEST)
        renderer.shadow_target.clear(depth=1.0)
        matrix = view.T.astype(np.float32).tobytes()
        renderer.depth["view_projection"].write(matrix)
        self.props[1].render()
        for actor in self.people:
            actor.depth.render()
        return (np.diag([0.5, 0.5, 0.5, 1.0]) + np.array([[0, 0, 0, 0.5]] * 3 + [[0] * 4])) @ view

    def _bare(self, index: int, pose: Pose, camera: Camera) -> Bare | None:
        """Depth of one unclothed body alone, unless it is far from the picture."""
        if not near_picture(pose, camera):
            return None
        renderer, context = self.renderer, self.renderer.context
        renderer.bare_target.use()
        context.viewport = (0, 0, camera.width, camera.height)
        context.enable_only(context.DEPTH_TEST)
        renderer.bare_target.clear(depth=1.0)
        vertices = skin_points(self.scene.people[index].rest, renderer.anatomy.body.weights, pose.bones)
        self.body.write(vertices.astype(np.float32).tobytes())
        renderer.depth["view_projection"].write(view_projection(camera, np.zeros(2)))
        self.bare.render()
        box = (0, 0, camera.width, camera.height)
        data = renderer.bare_target.read(box, components=1, attachment=-1, dtype="f4", alignment=1)
        raw = metres(data).reshape(camera.height, camera.width)
        return Bare(vertices, np.where(raw > 0.99 * FAR, np.float32(np.inf), raw))


def _framebuffer(context: Any, size: tuple[int, int]) -> Any:
    """Colour, owner and depth."""
    colour, owner = (context.renderbuffer(size, channels) for channels in (4, 1))
    return context.framebuffer([colour, owner], context.depth_renderbuffer(size))


def _bones(pose: Pose) -> bytes:
    return np.ascontiguousarray(pose.bones.transpose(0, 2, 1)).tobytes()


def _dress(program: Any, materials: list[Material] | tuple[Material, ...]) -> None:
    table = np.zeros((4, MATERIALS, 4), np.float32)
    for index, made in enumerate(materials):
        table[:, index] = (
            (*made.first, 1), (*made.second, 1), (*made.third, 1), (made.layer, made.scale, made.bump, made.shine)
        )  # fmt: skip
    for name, rows in zip(("colour_a", "colour_b", "colour_c", "surface"), table, strict=True):
        program[name].write(rows.tobytes())
