"""Export of a training folder as the committed model: a diffusers folder of half-precision safetensors."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from pipelines.demo.batches import load_data
from pipelines.demo.model import Untyped, build_pipeline

WEIGHTS = Path(__file__).with_name("weights")


def assemble(folder: Path) -> Untyped:
    """Return the pipeline with the averaged weights of painter.pt and the autoencoder of vae.pt, in half precision."""
    pipeline = build_pipeline(load_data(folder).scaling_factor)
    average = torch.load(folder / "painter.pt", weights_only=True)["average"]
    for name in ("text_encoder", "transformer"):
        part = {key.removeprefix(f"{name}."): value for key, value in average.items() if key.startswith(f"{name}.")}
        getattr(pipeline, name).load_state_dict(part)
    pipeline.vae.load_state_dict(torch.load(folder / "vae.pt", weights_only=True))
    return pipeline.to(torch.float16)


def main() -> None:
    """Run the command line: python -m pipelines.demo.export --run RUN_DIR."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder with vae.pt, latents_*.pt and painter.pt")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder to write")
    options = parser.parse_args()
    assemble(options.run).save_pretrained(options.weights, safe_serialization=True)
    total = sum(file.stat().st_size for file in options.weights.rglob("*") if file.is_file())
    print(f"{options.weights}: {total} bytes")


if __name__ == "__main__":
    main()
