"""The family `picture-words`: what `picture-labels` says of a picture, and the words that are written in it.

It answers the template `words`, too: the words alone.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from jobs.params.text import TextParams
from pipelines.catalog.spec import ModelSpec
from pipelines.description.picture_labels import PictureLabels
from pipelines.description.written import WordReader
from pipelines.memory.weight_loader import WeightLoader

WORDS = "words"
"""The prompt template that asks for words alone."""
MOST_CHARACTERS = 300
"""Of the words in a description; the rest is left out."""


class PictureWords(PictureLabels):
    """A sentence for each picture, or one for a film, and the words that are to be read in it."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        super().__init__(spec, weights, device, loader)
        self._reader = WordReader(weights)

    def answer(self, params: TextParams, pictures: Sequence[Image.Image]) -> str:
        """Return the description with the words behind it, or the words alone, a line each; empty without any."""
        lines = list(dict.fromkeys(line for one in pictures for line in self._reader.lines(one)))
        if params.template == WORDS:
            return "\n".join(lines)
        described = super().answer(params, pictures)
        return f"{described} Words: {_shortened(' / '.join(lines))}." if lines else described


def _shortened(words: str) -> str:
    """Return words up to `MOST_CHARACTERS`, and an ellipsis in place of the rest."""
    return words if len(words) <= MOST_CHARACTERS else words[:MOST_CHARACTERS].rsplit(" ", 1)[0] + " …"
