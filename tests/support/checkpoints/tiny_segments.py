"""Tiny random models of segments in the published layouts: EoMT's, and Grounding DINO's with SAM 2's."""

from pathlib import Path
from string import ascii_lowercase

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    EomtConfig,
    EomtForUniversalSegmentation,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    Sam2VideoConfig,
    Sam2VideoModel,
    SwinConfig,
)
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

SIDE, SAM_SIDE = 64, 128
NAMES = {number: f"class {number}" for number in range(133)} | {0: "person", 16: "dog", 119: "sky-other-merged"}


def save_eomt(folder: Path, seed: int = 13) -> Path:
    """EoMT for the classes of COCO's panoptic task; it is sure of what it finds. Returns `folder`."""
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


def save_grounded_sam(folder: Path, seed: int = 0) -> Path:
    """Grounding DINO, of which a letter is a token, and SAM 2 as it is published, for films. Returns `folder`."""
    torch.manual_seed(seed)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?"]
    words = [*marks, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    text = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    sight = SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        out_features=["stage2", "stage3", "stage4"],
    )
    layers = {"encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = GroundingDinoConfig(
        backbone_config=sight, text_config=text, d_model=32, num_queries=10, max_text_len=32, **layers, **heads
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder / "grounding-dino")
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(words)})
    tokenizer.save_pretrained(folder / "grounding-dino")
    pictures = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128})
    pictures.save_pretrained(folder / "grounding-dino")
    _sam().save_pretrained(folder / "sam2")
    return folder


def _sam() -> Sam2VideoModel:
    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 4],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
        "image_size": [SAM_SIDE, SAM_SIDE],
        "window_positional_embedding_background_size": [4, 4],
    }
    vision = {"backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 32}
    vision |= {"backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]]}
    decoder = {"mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    memory = {"layers": 1, "feed_forward_hidden_size": 32, "num_attention_heads": 1, "rope_feat_sizes": [8, 8]}
    return Sam2VideoModel(
        Sam2VideoConfig(
            vision_config=vision | {"backbone_config": hiera},
            prompt_encoder_config={"hidden_size": 32, "image_size": SAM_SIDE},
            mask_decoder_config={"hidden_size": 32, **decoder},
            image_size=SAM_SIDE,
            **{f"memory_attention_{name}": value for name, value in memory.items()},
            memory_attention_hidden_size=32,
            memory_encoder_hidden_size=32,
            memory_encoder_output_channels=16,
            mask_downsampler_embed_dim=32,
            memory_fuser_embed_dim=32,
            memory_fuser_intermediate_dim=32,
            num_maskmem=2,
            max_object_pointers_in_encoder=2,
        )
    )
