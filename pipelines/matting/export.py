"""Export of a trained network as a committed model: ONNX with half-precision weights, computed in single precision.

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

from pipelines.cutout.sessions import CLOSE_LOOK, OPACITY
from pipelines.matting.close_look import CLOSE_SIDE, CloseAnswer, CloseLook
from pipelines.matting.network import PLANES, SIDE, MattingNetwork, OpacityNetwork, SecondLook

MODEL = Path(__file__).with_name("weights") / "matting.onnx"
OPACITY_MODEL, CLOSE_MODEL = MODEL.parent / OPACITY, MODEL.parent / CLOSE_LOOK
MIN_VALUES = 64
"""Smaller tensors stay as they are."""


class Matte(nn.Module):
    """The first network with its logits as a matte from 0 to 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map (1, PLANES, SIDE, SIDE) to (1, 1, SIDE, SIDE)."""
        return torch.sigmoid(self.network(image))


def export(network: MattingNetwork | OpacityNetwork | CloseLook, file: Path) -> None:
    """Write `network` as ONNX to `file`: the matte of planes, or what `SecondLook` or `CloseAnswer` say."""
    planes, matte = torch.zeros(1, PLANES, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE)
    if isinstance(network, OpacityNetwork):
        _write(SecondLook(network), {"planes": planes, "matte": matte}, "opacity", file)
    elif isinstance(network, CloseLook):
        colors, answer = torch.zeros(1, 3, CLOSE_SIDE, CLOSE_SIDE), torch.zeros(1, 5, SIDE, SIDE)
        _write(CloseAnswer(network), {"colors": colors, "answer": answer, "matte": matte}, "opacity", file)
    else:
        _write(Matte(network), {"planes": planes}, "matte", file)


def _write(network: nn.Module, inputs: dict[str, torch.Tensor], output: str, file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "single.onnx"
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            single,
            input_names=list(inputs),
            output_names=[output],
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


def recover() -> MattingNetwork:
    """Return the committed first network, in evaluation, with the norms folded into the convolutions.

    It computes what the file computes.
    """
    graph = onnx.load(MODEL).graph
    values = {
        tensor.name.removesuffix("_half"): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT)
    }
    products = [node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in values]
    network = MattingNetwork()
    state = network.state_dict()
    for name in state:
        if f"network.{name}" in values:
            state[name] = values[f"network.{name}"].float()
    state["place"] = next(value.float() for value in values.values() if value.shape == state["place"].shape)
    layers = [f"attention.{number}.{layer}.weight" for number in range(3) for layer in ("qkv", "out", "mlp.0", "mlp.2")]
    for name, product in zip(layers, products, strict=True):
        state[name] = values[product].float().T
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            convolution = name.removesuffix("_norm") if name.endswith("_norm") else f"{name[:-1]}0"
            state[f"{name}.bias"] = values[f"network.{convolution}.weight_bias"].float()
            state[f"{name}.running_var"] = torch.ones(module.num_features) - module.eps
    network.load_state_dict(state)
    return network.eval()


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
    parser.add_argument("--run", type=Path, required=True, help="folder with network.pt, opacity.pt or close_look.pt")
    options = parser.parse_args()
    for network, name, file in (
        (MattingNetwork(), "network", MODEL),
        (OpacityNetwork(), "opacity", OPACITY_MODEL),
        (CloseLook(), "close_look", CLOSE_MODEL),
    ):
        trained = options.run / f"{name}.pt"
        if trained.exists():
            network.load_state_dict(torch.load(trained, weights_only=True))
            export(network, file)
            print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
