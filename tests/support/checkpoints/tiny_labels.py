"""A random EfficientNet-Lite0 in the layout that `make descriptions` unpacks, and its facts written out."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from pipelines.description.net import SIDE, EfficientNetLite0
from pipelines.description.picture_labels import NAMES

CLASSES = ["apple", "elephant", "mug"]
TIMES, STRIDES = (1, 2, 2, 3, 3, 4, 1), (1, 2, 2, 2, 1, 2, 1)
"""Blocks of each stage, and the stride of the first of them."""


def save(folder: Path, seed: int = 1) -> Path:
    """Write the checkpoint into `folder`; pictures are of different classes to it. Returns `folder`."""
    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = EfficientNetLite0(len(CLASSES))
        for name, value in net.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            if name.endswith("running_var"):
                value.uniform_(0.2, 0.6)
        spread(net)
    save_file(net.state_dict(), folder / "model.safetensors")
    (folder / NAMES).write_text(json.dumps(CLASSES))
    return folder


@torch.no_grad()
def spread(net: EfficientNetLite0) -> None:
    """Have the scores of smooth pictures lie around 0: a random net has nearly the same for all."""
    pictures = functional.interpolate(2 * torch.rand(8, 3, 6, 6) - 1, (SIDE, SIDE), mode="bicubic").clamp(-1, 1)
    scores = net.eval()(pictures)
    net.fc.bias.sub_(scores.mean(0)).div_(scores.std(0) / 2)
    net.fc.weight.div_(scores.std(0)[:, None] / 2)


def reference(folder: Path, picture: Image.Image) -> Tensor:
    """The share of each class, 0 to 1."""
    tensors = load_file(folder / "model.safetensors")

    def conv(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = tensors[f"{name}.weight"]
        beside = []
        for size in (x.shape[3], x.shape[2]):
            missing = max((-(-size // stride) - 1) * stride + weight.shape[3] - size, 0)
            beside += [missing // 2, missing - missing // 2]
        return functional.conv2d(functional.pad(x, beside), weight, None, stride, 0, 1, groups)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, deviation = tensors[f"{name}.running_mean"], (tensors[f"{name}.running_var"] + 1e-3).sqrt()
        scale, shift = tensors[f"{name}.weight"] / deviation, tensors[f"{name}.bias"]
        return (x - mean[:, None, None]) * scale[:, None, None] + shift[:, None, None]

    def active(x: Tensor, name: str) -> Tensor:
        return norm(x, name).clamp(0, 6)

    square = ImageOps.crop(ImageOps.fit(picture.convert("RGB"), (256, 256), Image.Resampling.BICUBIC), 16)
    pixels = torch.from_numpy((np.asarray(square, np.float32) - 127) / 128).permute(2, 0, 1)[None]
    x, block = active(conv(pixels, "conv_stem", 2), "bn0"), 0
    for times, first in zip(TIMES, STRIDES, strict=True):
        for stride in (first, *[1] * (times - 1)):
            own, y = f"blocks.{block}", x
            if f"{own}.expand_conv.weight" in tensors:
                y = active(conv(y, f"{own}.expand_conv"), f"{own}.bn0")
            y = active(conv(y, f"{own}.depthwise_conv", stride, y.shape[1]), f"{own}.bn1")
            y = norm(conv(y, f"{own}.project_conv"), f"{own}.bn2")
            x, block = x + y if stride == 1 and x.shape == y.shape else y, block + 1
    seen = active(conv(x, "conv_head"), "bn1").mean((2, 3))
    return functional.linear(seen, tensors["fc.weight"], tensors["fc.bias"]).softmax(1)[0]
