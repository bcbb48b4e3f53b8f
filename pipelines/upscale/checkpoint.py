"""Real-ESRGAN's published files: the network that the tensors are of, complete or refused."""

from collections.abc import Mapping
from pathlib import Path

import torch

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.state_dict_check import refuse, state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader
from pipelines.upscale.nets import Net, RRDBNet, SRVGGNetCompact

PREFIXES = ("params_ema.", "params.")
"""What BasicSR writes the tensors under; of a file with both the averaged ones count."""
FOLDS = {3: 1, 12: 2}
"""By the channels that the first convolution takes, how the input is folded."""

Shapes = Mapping[str, tuple[int, ...]]


def load_net(file: Path, loader: WeightLoader, dtype: torch.dtype) -> Net:
    """Return the network of a safetensors file, on the loader's device in `dtype`, ready for inference.

    Its sizes are read off the tensors. Raises `ModelLoadFailed` for tensors that are missing, unexpected or of another
    shape.
    """
    tensors = _named(loader.read([file], lambda _, stored: dtype))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    with torch.device("meta"):
        net = _build(file.name, shapes)
    refuse(file.name, state_dict_mismatches(net, shapes))
    net.load_state_dict(tensors, strict=True, assign=True)
    return loader.to_device(net.eval().requires_grad_(requires_grad=False))


def _named(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    if not all(name.startswith(PREFIXES) for name in tensors):
        return tensors
    prefix = next(prefix for prefix in PREFIXES if any(name.startswith(prefix) for name in tensors))
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _build(file: str, shapes: Shapes) -> Net:
    """Return the network whose tensors these are, if they are of one of the two."""
    try:
        return _rrdb(shapes) if "conv_first.weight" in shapes else _compact(shapes)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelLoadFailed(f"{file} holds none of Real-ESRGAN's networks ({type(error).__name__}).") from error


def _rrdb(shapes: Shapes) -> RRDBNet:
    features, channels = shapes["conv_first.weight"][:2]
    return RRDBNet(
        blocks=1 + max(int(name.split(".")[1]) for name in shapes if name.startswith("body.")),
        features=features,
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        fold=FOLDS[channels],
    )


def _compact(shapes: Shapes) -> SRVGGNetCompact:
    last = max(int(name.split(".")[1]) for name in shapes if name.startswith("body."))
    scale = round((shapes[f"body.{last}.weight"][0] / 3) ** 0.5)
    return SRVGGNetCompact(convs=last // 2 - 1, features=shapes["body.0.weight"][0], scale=scale)
