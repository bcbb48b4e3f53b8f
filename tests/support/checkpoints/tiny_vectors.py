"""Tiny random models of vectors in the published layouts: MiniLM's and SigLIP's."""

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer, GemmaTokenizer, SiglipConfig, SiglipModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_TOKENS = 32
SIZES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def save_minilm(folder: Path, seed: int = 0) -> Path:
    """An encoder of texts, of which a letter is a token; the same seed gives the same bytes. Returns `folder`."""
    torch.manual_seed(seed)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*marks, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, **SIZES)
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MOST_TOKENS}))
    return folder


def save_siglip(folder: Path, seed: int = 0) -> Path:
    """SigLIP's class, of pictures of 32 pixels and texts of 64 tokens."""
    torch.manual_seed(seed)
    words = {
        word: number for number, word in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "\N{LOWER ONE EIGHTH BLOCK}"])
    }
    words |= {letter: number for number, letter in enumerate(LETTERS, start=len(words))}
    tokens = GemmaTokenizer(vocab=words, merges=[], model_max_length=64)
    text = SIZES | {"vocab_size": len(words), "max_position_embeddings": 64, "projection_size": 32}
    config = SiglipConfig(text_config=text, vision_config=SIZES | {"image_size": 32, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
