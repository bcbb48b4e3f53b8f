"""Chatterbox at its published size, or tiny, with random weights: the English layout, and a hum as its own voice."""

from pathlib import Path

from pipelines.runtime import torchaudio_stub

torchaudio_stub.install()  # before transformers is imported

import torch  # noqa: E402

from pipelines.memory.weight_loader import WeightLoader  # noqa: E402
from pipelines.speech import nets  # noqa: E402
from pipelines.speech.chatterbox.voices import embed_voice  # noqa: E402
from tests.support.checkpoints import tiny_chatterbox  # noqa: E402

LAYOUT = "english"


def save(folder: Path, *, tiny: bool) -> None:
    """Write the checkpoint."""
    if tiny:
        tiny_chatterbox.save(LAYOUT, folder)
        return
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    tiny_chatterbox.BUILDERS[LAYOUT](folder)  # the sizes are Chatterbox's own unless they are shrunken
    loaded = nets.load_nets(folder, WeightLoader("cpu"), torch.float32)
    tiny_chatterbox.save_conditionals(embed_voice(loaded, tiny_chatterbox.hum(6.0, 180)), folder)
