"""A tiny random checkpoint of Wan-Animate-2 in the published layout, and films of the pipeline called directly.

It has 109 MB, nearly all of them in an image encoder whose sizes are fixed in diffusers' code: for long tests.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLWan,
    ClassifierFreeGuidance,
    DPMSolverMultistepScheduler,
    ModularPipeline,
    WanAnimate2Blocks,
    WanAnimate2Transformer3DModel,
)
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel

from tests.support.checkpoints.tiny_videos import tokenizer, umt5
from tests.support.media.videos import planes

REPO = "Wan-AI/Wan2.2-Animate-2-14B-Diffusers"
"""Where the index of a local copy says that its parts are."""


def save(folder: Path, seed: int = 0) -> Path:
    """Build and save it; the same seed gives the same bytes. Returns `folder`."""
    torch.manual_seed(seed)
    transformer = WanAnimate2Transformer3DModel(
        dim=32, ffn_dim=32, num_heads=2, num_layers=2, text_dim=32, in_dim=36, out_dim=16, freq_dim=32, text_len=32
    )
    image_encoder = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=1280,
            projection_dim=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=224,
            intermediate_size=32,
            patch_size=56,
        )
    )
    pipe: Any = WanAnimate2Blocks().init_pipeline()
    pipe.update_components(
        text_encoder=umt5(),
        tokenizer=tokenizer(),
        image_encoder=image_encoder,
        vae=AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0),
    )
    pipe.save_pretrained(str(folder), overwrite_modular_index=True)
    write_index(folder, json.loads((folder / "modular_model_index.json").read_text("utf-8")))
    return folder


def write_index(folder: Path, index: dict[str, Any]) -> None:
    """Write the index of a repository's copy: every part is said to be in the repository."""
    for entry in index.values():
        if isinstance(entry, list):
            entry[2]["pretrained_model_name_or_path"] = REPO
    (folder / "modular_model_index.json").write_text(json.dumps(index), "utf-8")


def made_directly(
    folder: Path,
    still: Image.Image,
    film: Sequence[Image.Image],
    *,
    segment: int,
    steps: int,
    guidance: float = 3.0,
    **arguments: Any,
) -> NDArray[np.uint8]:
    """The planes of a film with seed 1, as anyone would make it of a local copy with diffusers alone."""
    pipe: Any = ModularPipeline.from_pretrained(str(folder), local_files_only=True)
    pipe.load_components(dtype=torch.float32, local_files_only=True)
    pipe.update_components(guider=ClassifierFreeGuidance(guidance_scale=guidance))
    made = pipe(
        image=still,
        driving_video=list(film),
        height=still.height,
        width=still.width,
        segment_frame_length=segment,
        max_sequence_length=32,
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(1),
        output="videos",
        **arguments,
    )
    return planes(made[0])
