"""The words of a picture: what is drawn is read, and the sentence has it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file

from core.errors.failures import NotFinite
from jobs.params.text import TextParams
from pipelines.catalog.loader import load_catalog
from pipelines.description import picture_words, written
from pipelines.description.net import EfficientNetLite0
from pipelines.description.picture_labels import NAMES
from pipelines.description.picture_words import MOST_CHARACTERS, PictureWords
from pipelines.description.unpack import WORDS_FOLDER
from pipelines.description.written import WordReader
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify, weights_folder
from tests.support.checkpoints.specs import spec
from tests.support.media.films import save_film

SPEC = load_catalog().get(WORDS_FOLDER)
SIGN = (("FRESH COFFEE", 60), ("Open Monday to Friday", 36), ("7.30 - 18.00", 36), ("Mill Street 24, second floor", 28))
GREEN = "#2a6f6b"


def sign() -> Image.Image:
    """White words on green, the size of each line its second number."""
    picture = Image.new("RGB", (640, 480), GREEN)
    drawn = ImageDraw.Draw(picture)
    for number, (text, size) in enumerate(SIGN):
        drawn.text((40, 40 + 100 * number), text, fill="white", font=ImageFont.load_default(size))
    return picture


def word_errors(said: Sequence[str], meant: Sequence[str]) -> float:
    """The share of words that are wrong, missing or too many (Levenshtein's distance)."""
    row = list(range(len(meant) + 1))
    for number, word in enumerate(said, start=1):
        before, row[0] = row[0], number
        for place, other in enumerate(meant, start=1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1] / len(meant)


def answered(model: PictureWords, files: dict[str, Path], **fields: Any) -> str:
    context = RunContext(seed=1, progress=lambda *report: None, warn=lambda text: None)
    return str(model.run(TextParams(**fields), Inputs(files), context).metadata["text"])


@pytest.mark.long
def test_a_sign_is_read_level_turned_and_sideways(tmp_path: Path) -> None:
    """Blue for red, letters of another order, or lines of another order would be other words."""
    folder = weights_folder("") / WORDS_FOLDER
    if not (folder / written.READER).is_file():
        pytest.skip("the demo model that reads words is not unpacked: run `make words`")
    verify(SPEC, read_lock(), weights_folder(""))
    model = PictureWords(SPEC, folder, "cpu")
    meant = [word for text, _ in SIGN for word in text.split()]
    for degrees, most in ((0, 0.0), (8, 0.1), (-12, 0.1), (90, 0.1), (-90, 0.1)):
        sign().rotate(degrees, expand=True, fillcolor=GREEN).save(tmp_path / "sign.png")
        said = answered(model, {"images.0": tmp_path / "sign.png"}, template="words", images=("a",))
        found = said.split() if abs(degrees) != 90 else sorted(said.split())
        assert word_errors(found, meant if abs(degrees) != 90 else sorted(meant)) <= most, (degrees, said)
    sign().save(tmp_path / "sign.png")
    film = save_film([sign()] * 6, tmp_path / "film.mp4")
    files = {"images.0": tmp_path / "sign.png", "input_video": film}
    described = answered(model, files, template="description", images=("a",), input_video="b").splitlines()
    assert 2 == len(described)
    assert all(line.endswith(f"Words: {' / '.join(text for text, _ in SIGN)}.") for line in described), described
    photo = Path(__file__).parents[4] / "docs" / "images" / "product.jpg"
    assert "" == answered(model, {"images.0": photo}, template="words", images=("a",))


class Reads:
    """Stands for `WordReader`: says what it was made with."""

    said: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        assert folder.is_dir()

    def lines(self, picture: Image.Image) -> Sequence[str]:
        assert "RGB" == picture.mode
        return self.said


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PictureWords:
    """Labels of random weights."""
    monkeypatch.setattr(picture_words, "WordReader", Reads)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_file(EfficientNetLite0(2).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / NAMES).write_text(json.dumps(["apple", "elephant"]))
    Image.new("RGB", (64, 64), "white").save(tmp_path / "a.png")
    return PictureWords(spec(family="picture-words", modality="text", capabilities=["vision"]), tmp_path, "cpu")


def test_the_sentence_has_the_words(model: PictureWords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"images.0": tmp_path / "a.png"}
    assert answered(model, files, template="description", images=("a",)).endswith("mainly white.")
    monkeypatch.setattr(Reads, "said", ("SALE", "up to 50 %", "SALE"))
    said = answered(model, files, template="description", images=("a",))
    assert said.endswith("mainly white. Words: SALE / up to 50 %.")
    assert "SALE\nup to 50 %" == answered(model, files, template="words", images=("a",))
    monkeypatch.setattr(Reads, "said", [f"word{number}" for number in range(100)])
    _, _, words = answered(model, files, template="description", images=("a",)).partition("Words: ")
    assert words.endswith(" ….")
    assert len(words) <= MOST_CHARACTERS + len(" ….")
    assert 99 == answered(model, files, template="words", images=("a",)).count("\n")


class Finds:
    """Stands for the network that finds lines: two in the upper row, one faint, and one noise."""

    def run(self, outputs: None, given: dict[str, Any]) -> list[Any]:
        shares = np.zeros((1, 1, *given["x"].shape[2:]), np.float32)
        shares[0, 0, 12:20, 70:110] = shares[0, 0, 10:18, 10:50] = shares[0, 0, 44:52, 10:90] = 0.9
        shares[0, 0, 30:36, 40:60] = 0.35
        shares[0, 0, 60, 100] = 1.0
        return [shares]


class Spells:
    """Stands for the network that reads: a long line is `ab`, a short one `b a`, or a single letter."""

    def __init__(self) -> None:
        self.letters = 2

    def get_modelmeta(self) -> Any:
        return type("Meta", (), {"custom_metadata_map": {"character": "a\nb"}})

    def run(self, outputs: None, given: dict[str, Any]) -> list[Any]:
        long = (given["x"] != 0).any((0, 1, 2)).sum() > 180
        best = [1, 1, 0, 2, 0] if long else [2, 0, 3, 3, 1, 0, 0][: 7 if self.letters > 1 else 2]
        return [np.eye(4, dtype=np.float32)[best][None] * 0.8]


def test_lines_are_read_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spells = Spells()
    monkeypatch.setattr(written, "create_session", lambda file, device: Finds() if file.stem == "find" else spells)
    reader, picture = WordReader(tmp_path), Image.new("RGB", (128, 64), GREEN)
    assert ["b a", "b a", "ab"] == reader.lines(picture)
    spells.letters = 1
    assert ["ab"] == reader.lines(picture)
    monkeypatch.setattr(Finds, "run", lambda self, outputs, given: [np.full((1, 1, 64, 128), np.nan, np.float32)])
    with pytest.raises(NotFinite):
        reader.lines(picture)
