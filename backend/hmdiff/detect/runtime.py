"""A tflite model run by LiteRT."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from .assets import model_path


class TfliteModel:
    """One tflite file with a single image input; outputs are found by shape, since their order is not promised."""

    def __init__(self, name: str, num_threads: int) -> None:
        path = model_path(name)
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise HmdiffError(
                "detector.unreadable", f"The detector model {path.name} could not be loaded.",
                "Delete it and run `hmdiff doctor --install`.", f"{path}: {error!r}",
            ) from error  # fmt: skip
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {tuple(d["shape"]): d["index"] for d in self._interpreter.get_output_details()}

    def run(self, image: NDArray[np.float32]) -> dict[tuple[int, ...], NDArray[np.float32]]:
        """image (side,side,3) -> outputs by shape. The arrays are copies and stay valid."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return {shape: self._interpreter.get_tensor(index) for shape, index in self._outputs.items()}
