"""Tiny networks in the input and output layout of rembg's sessions: one convolution instead of a whole network."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYOUTS = {
    "birefnet-general": ("input_image", 1024, ("output_image",)),
    "birefnet-general-lite": ("input_image", 1024, ("output_image",)),
    "isnet-general-use": ("input_image", 1024, tuple(f"output_image_{n}" for n in range(6))),
    "u2net": ("input.1", 320, tuple(str(1959 + n) for n in range(7))),
}
"""By session: the input, its side, the outputs, of which rembg reads the first."""


def save(name: str, folder: Path, weights: np.ndarray | None = None, seed: int = 0) -> Path:
    """Write the network of session `name` into `folder`, which is made; `weights` (1, 3, k, k), else random ones."""
    entry, side, exits = LAYOUTS[name]
    if weights is None:
        weights = np.random.default_rng(seed).normal(0, 0.3, (1, 3, 5, 5))
    nodes = [
        helper.make_node("Conv", [entry, "weights"], ["logits"], pads=[weights.shape[-1] // 2] * 4),
        *(helper.make_node("Identity", ["logits"], [exit_]) for exit_ in exits),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(entry, TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(exit_, TensorProto.FLOAT, [1, 1, side, side]) for exit_ in exits],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.onnx"
    onnx.save(model, file)
    return file


def brightness(name: str, folder: Path) -> Path:
    """A network whose matte is how bright a pixel is: what is white is foreground."""
    return save(name, folder, np.full((1, 3, 1, 1), 1 / 3))
