"""Random checkpoints of Real-ESRGAN's two networks with exactly the published tensor names, and what they compute.

Names and computation are written down here from the published files and code, and not taken from our modules, so that a
strict load and equal pixels prove something.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.weights.pickles import convert

FEATURES, GROWTH = 8, 4


def rrdb(*, fold: int = 1, blocks: int = 2, seed: int = 0) -> dict[str, Tensor]:
    """x4plus, or x2plus with a fold of 2, of few features."""
    convs = {"conv_first": (3 * fold**2, FEATURES), "conv_last": (FEATURES, 3)}
    convs |= dict.fromkeys(("conv_body", "conv_up1", "conv_up2", "conv_hr"), (FEATURES, FEATURES))
    for block in range(blocks):
        for dense in (1, 2, 3):
            for conv in (1, 2, 3, 4, 5):
                made = FEATURES if conv == 5 else GROWTH
                convs[f"body.{block}.rdb{dense}.conv{conv}"] = (FEATURES + (conv - 1) * GROWTH, made)
    random = torch.Generator().manual_seed(seed)
    return {name: tensor for conv, sides in convs.items() for name, tensor in _conv(conv, *sides, random).items()}


def compact(*, convs: int = 2, scale: int = 4, seed: int = 0) -> dict[str, Tensor]:
    """general-x4v3 and animevideov3, of few features."""
    random = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for number in range(convs + 2):
        made = 3 * scale**2 if number == convs + 1 else FEATURES
        tensors |= _conv(f"body.{2 * number}", FEATURES if number else 3, made, random)
        if number <= convs:
            tensors[f"body.{2 * number + 1}.weight"] = torch.rand(FEATURES, generator=random) / 2
    return tensors


def save(folder: Path, tensors: dict[str, Tensor], under: str = "params_ema") -> Path:
    """Write the tensors as `atelier weights fetch` leaves a published pickle: as safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({under: tensors}, folder / "net.pth")
    convert(folder / "net.pth", folder / "net.safetensors")
    (folder / "net.pth").unlink()
    return folder / "net.safetensors"


def enlarged(tensors: dict[str, Tensor], picture: Tensor) -> Tensor:
    """What the published code makes of 1 x 3 x height x width in 0 to 1."""
    return _rrdb(tensors, picture) if "conv_first.weight" in tensors else _compact(tensors, picture)


def _conv(name: str, channels: int, made: int, random: torch.Generator) -> dict[str, Tensor]:
    weight = torch.randn(made, channels, 3, 3, generator=random) / (3 * channels**0.5)
    return {f"{name}.weight": weight, f"{name}.bias": torch.randn(made, generator=random) / 10}


def _compact(tensors: dict[str, Tensor], picture: Tensor) -> Tensor:
    x, last = picture, max(int(name.split(".")[1]) for name in tensors)
    for number in range(0, last, 2):
        x = functional.conv2d(x, tensors[f"body.{number}.weight"], tensors[f"body.{number}.bias"], padding=1)
        x = functional.prelu(x, tensors[f"body.{number + 1}.weight"])
    x = functional.conv2d(x, tensors[f"body.{last}.weight"], tensors[f"body.{last}.bias"], padding=1)
    scale = round((x.shape[1] / 3) ** 0.5)
    return functional.pixel_shuffle(x, scale) + picture.repeat_interleave(scale, 2).repeat_interleave(scale, 3)


def _rrdb(tensors: dict[str, Tensor], picture: Tensor) -> Tensor:
    def conv(name: str, x: Tensor) -> Tensor:
        return functional.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=1)

    def bent(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    fold = round((tensors["conv_first.weight"].shape[1] / 3) ** 0.5)
    first = conv("conv_first", functional.pixel_unshuffle(picture, fold))
    y = first
    for block in range(1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("body."))):
        z = y
        for dense in (1, 2, 3):
            seen = [z]
            for number in (1, 2, 3, 4):
                seen.append(bent(conv(f"body.{block}.rdb{dense}.conv{number}", torch.cat(seen, 1))))
            z = z + 0.2 * conv(f"body.{block}.rdb{dense}.conv5", torch.cat(seen, 1))
        y = y + 0.2 * z
    y = first + conv("conv_body", y)
    y = bent(conv("conv_up2", double(bent(conv("conv_up1", double(y))))))
    return conv("conv_last", bent(conv("conv_hr", y)))
