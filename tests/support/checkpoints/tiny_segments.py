"""A tiny random EoMT in the published layout, with the classes of COCO's panoptic task."""

from pathlib import Path

import torch
from transformers import EomtConfig, EomtForUniversalSegmentation
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

SIDE = 64
NAMES = {number: f"class {number}" for number in range(133)} | {0: "person", 16: "dog", 119: "sky-other-merged"}


def save_eomt(folder: Path, seed: int = 13) -> Path:
    """The published configuration with small numbers; it is sure of what it finds. Returns `folder`."""
    torch.manual_seed(seed)
    config = EomtConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=SIDE,
        num_upscale_blocks=2,
        num_blocks=2,
        num_queries=8,
        id2label=NAMES,
        label2id={name: number for number, name in NAMES.items()},
    )
    model = EomtForUniversalSegmentation(config)
    with torch.no_grad():
        model.attn_mask_probs.zero_()  # as training leaves it
        for weights in (model.query.weight, model.class_predictor.weight):
            weights.normal_(0, 2)
    model.save_pretrained(folder)
    size = {"shortest_edge": SIDE, "longest_edge": SIDE}
    EomtImageProcessorPil(size=size, do_pad=True).save_pretrained(folder)
    return folder
