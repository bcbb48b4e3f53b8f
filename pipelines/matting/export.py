"""Export of a trained network as the committed model: ONNX with half-precision weights, computed in single precision.

`python -m pipelines.matting.export --run RUN`
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from pipelines.matting.network import PLANES, SIDE, MattingNetwork

MODEL = Path(__file__).with_name("weights") / "matting.onnx"
MIN_VALUES = 64
"""Smaller tensors stay as they are."""


class Matte(nn.Module):
    """The network with its logits as a matte from 0 to 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map (1, PLANES, SIDE, SIDE) to (1, 1, SIDE, SIDE)."""
        return torch.sigmoid(self.network(image))


def export(network: MattingNetwork, file: Path) -> None:
    """Write `network` as ONNX to `file`."""
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "single.onnx"
        torch.onnx.export(
            Matte(network).eval(),
            (torch.zeros(1, PLANES, SIDE, SIDE),),
            single,
            input_names=["planes"],
            output_names=["matte"],
            opset_version=20,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(single)
    _forget_origin(model)
    _halve(model)
    onnx.checker.check_model(model, full_check=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, file)


def _forget_origin(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes about the source: lines and paths of the machine that ran it."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    del model.graph.value_info[:]


def _halve(model: onnx.ModelProto) -> None:
    """Store large weights in half precision, each behind a Cast that ONNX Runtime folds away when it loads."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= MIN_VALUES:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    for number, cast in enumerate(casts):
        model.graph.node.insert(number, cast)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder with network.pt")
    parser.add_argument("--model", type=Path, default=MODEL, help="file to write")
    options = parser.parse_args()
    network = MattingNetwork()
    network.load_state_dict(torch.load(options.run / "network.pt", weights_only=True))
    export(network, options.model)
    print(f"{options.model}: {options.model.stat().st_size} bytes")


if __name__ == "__main__":
    main()
