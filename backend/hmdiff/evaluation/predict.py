"""What the model says, as plain arrays of meshes and the joints that f reads off them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.hierarchy import apply_sparse
from ..bodies.joint_maps import J14_OF_24
from ..detect.observation import LIMB_SLOTS
from ..models.hmdiff import MeshSamples
from ..models.inputs import ModelInputs
from ..models.weights import LoadedModel
from ..video.estimate import Estimator
from . import metrics

Array = NDArray[np.float32]

LIMB_HIPS = metrics.Alignment("root: mean of the two hips", (LIMB_SLOTS.index(23), LIMB_SLOTS.index(24)))
"""For the 12 limb joints in the order of LIMB_SLOTS."""


LIMB_JOINTS = "12 limb landmarks (shoulders, elbows, wrists, hips, knees, ankles) as the detector means them"


@dataclass(frozen=True, eq=False)
class Meshes:
    """B bodies about their pelvis in camera axes, metres: vertices (B,V,3), joints (B,14,3) in J14's order,
    landmarks (B,12,3): where the detector sees LIMB_SLOTS on this surface.
    """

    vertices: Array
    joints: Array
    landmarks: Array


def read_meshes(loaded: LoadedModel, vertices: Tensor) -> Meshes:
    """vertices (B,V,3) on any device; joints and landmarks are read off the 431 vertices among them."""
    coarse = vertices[:, torch.from_numpy(loaded.hierarchy.indices[1])]
    joints = torch.einsum("jv,nvc->njc", torch.from_numpy(loaded.maps.coarse_j14).to(coarse), coarse)
    limbs = torch.from_numpy(loaded.maps.coarse_landmarks[list(LIMB_SLOTS)]).to(coarse)
    landmarks = torch.einsum("kv,nvc->nkc", limbs, coarse)
    return Meshes(*(part.cpu().numpy() for part in (vertices, joints, landmarks)))


@torch.no_grad()
def hypothesis_meshes(loaded: LoadedModel, samples: MeshSamples) -> Iterator[Meshes]:
    """Each hypothesis through the same MLP and upsampling as the mean, one at a time to keep memory flat."""
    for number in range(samples.samples.shape[1]):
        middle = loaded.model.mlp(samples.samples[:, number])
        yield read_meshes(loaded, apply_sparse(loaded.hierarchy.up[0], middle))


@torch.no_grad()
def hypothesis_mesh(loaded: LoadedModel, samples: MeshSamples, chosen: Tensor) -> Meshes:
    """One hypothesis of each person, chosen (B,), through the same MLP and upsampling as the mean."""
    middle = loaded.model.mlp(samples.samples[torch.arange(len(chosen)), chosen.to(samples.samples.device)])
    return read_meshes(loaded, apply_sparse(loaded.hierarchy.up[0], middle))


@torch.no_grad()
def fewer_hypotheses(loaded: LoadedModel, samples: MeshSamples, count: int) -> MeshSamples:
    """The first ``count`` of the same draw, and the mesh that their mean gives."""
    some = samples.samples[:, :count]
    middle = loaded.model.mlp(some.mean(1))
    return replace(
        samples, samples=some, mean=some.mean(1), middle=middle, vertices=apply_sparse(loaded.model.up, middle),
        active_steps=samples.active_steps[:, :count],
    )  # fmt: skip


@torch.no_grad()
def refined_joints(loaded: LoadedModel, samples: MeshSamples) -> Array:
    """(B,N,14,3): the joints of ``hypothesis_meshes`` without making the whole surfaces."""
    middle = loaded.model.mlp(samples.samples.flatten(0, 1))
    coarse = np.searchsorted(loaded.hierarchy.indices[0], loaded.hierarchy.indices[1])
    joints = torch.einsum("jv,nvc->njc", torch.from_numpy(loaded.maps.coarse_j14).to(middle), middle[:, coarse])
    return joints.unflatten(0, samples.samples.shape[:2]).cpu().numpy()


@torch.no_grad()
def regressor_meshes(loaded: LoadedModel, samples: MeshSamples) -> Meshes:
    """The first guess m through the fixed upsampling (the MLP is trained for sample means, not for m)."""
    middle = apply_sparse(loaded.hierarchy.up[1], samples.regression.mesh)
    return read_meshes(loaded, apply_sparse(loaded.hierarchy.up[0], middle))


def hypothesis_joints(loaded: LoadedModel, samples: MeshSamples) -> Array:
    """(B,N,14,3) metres, read off the 431 vertices of each sample, about its own pelvis joint: where a sample as a
    whole has drifted to is lost when it is placed before the camera.
    """
    rows = torch.from_numpy(loaded.maps.coarse_joints[[0, *J14_OF_24]]).to(samples.samples)
    joints = torch.einsum("jv,bnvc->bnjc", rows, samples.samples)
    return (joints[:, :, 1:] - joints[:, :, :1]).cpu().numpy()


def draw(estimator: Estimator, inputs: ModelInputs, keys: Tensor, *, with_dat: bool = True) -> MeshSamples:
    """Algorithm 1 with the run's own settings; ``with_dat=False`` is the same noise with DAT switched off."""
    model = estimator.loaded.model
    dat = model.config.dat if with_dat else replace(model.config.dat, mode="none")
    return model.sample(inputs.to(estimator.device), keys, estimator.seed, estimator.sampler, dat)
