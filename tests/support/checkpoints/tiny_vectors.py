"""Tiny random models of vectors in the published layouts: MiniLM's and SigLIP's."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import AutoTokenizer, BertConfig, BertModel, BertTokenizer, GemmaTokenizer, SiglipConfig, SiglipModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_TOKENS = 32
SIZES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def save_minilm(folder: Path, seed: int = 0, layers: int = 1) -> Path:
    """An encoder of texts, of which a letter is a token; the same seed gives the same bytes. Returns `folder`."""
    torch.manual_seed(seed)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*marks, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, **SIZES | {"num_hidden_layers": layers})
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MOST_TOKENS}))
    return folder


def save_siglip(folder: Path, seed: int = 0, layers: int = 1) -> Path:
    """SigLIP's class, of pictures of 32 pixels and texts of 64 tokens."""
    torch.manual_seed(seed)
    words = {
        word: number for number, word in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "\N{LOWER ONE EIGHTH BLOCK}"])
    }
    words |= {letter: number for number, letter in enumerate(LETTERS, start=len(words))}
    tokens = GemmaTokenizer(vocab=words, merges=[], model_max_length=64)
    text = (
        SIZES
        | {"vocab_size": len(words), "max_position_embeddings": 64, "projection_size": 32}
        | {"num_hidden_layers": layers}
    )
    config = SiglipConfig(text_config=text, vision_config=SIZES | {"image_size": 32, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def of_minilm(folder: Path, texts: Sequence[str]) -> torch.Tensor:
    """The vectors of texts by transformers alone: the mean of what their tokens became, of length one."""
    model, tokenizer = BertModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    return normalize(torch.stack([state.mean(0) for state in states]), dim=-1)


def of_siglip(folder: Path, given: Sequence[str] | Image.Image) -> torch.Tensor:
    """The vectors of texts, or of one picture, by transformers alone."""
    model = SiglipModel.from_pretrained(folder)
    with torch.inference_mode():
        if isinstance(given, Image.Image):
            pixels = SiglipImageProcessorPil.from_pretrained(folder)(given, return_tensors="pt")
            return normalize(model.get_image_features(**pixels).pooler_output, dim=-1)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        read = tokenizer([*given], padding="max_length", max_length=64, truncation=True, return_tensors="pt")
        return normalize(model.get_text_features(input_ids=read["input_ids"]).pooler_output, dim=-1)
