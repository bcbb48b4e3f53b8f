"""The families of vectors, against transformers called directly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from core.errors.failures import ModelLoadFailed, NotFinite
from core.errors.fields import NotThisModel
from jobs.params.text import EmbeddingParams
from pipelines.embedding.sentence_model import SentenceModel
from pipelines.embedding.siglip import Siglip
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from tests.support.checkpoints import tiny_vectors
from tests.support.checkpoints.specs import spec

TEXTS = ("red shoes", "a red pair of sneakers", "the annual report")


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vectors.save_minilm(tmp_path_factory.mktemp("minilm"))


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vectors.save_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="module")
def reader(minilm: Path) -> SentenceModel:
    return SentenceModel(spec(family="sentence-embedding", modality="embedding", capabilities=[]), minilm, "cpu")


@pytest.fixture(scope="module")
def seer(siglip: Path) -> Siglip:
    return Siglip(spec(family="siglip", modality="embedding", capabilities=["pictures"]), siglip, "cpu")


def run(model: Any, inputs: dict[str, Path] | None = None, progress: Any = None, **fields: Any) -> RawOutput:
    context = RunContext(seed=1, progress=progress or (lambda *report: None), warn=lambda text: None)
    made: RawOutput = model.run(EmbeddingParams(**fields), Inputs(inputs or {}), context)
    return made


def lengths(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=1)


def test_a_text_is_the_mean_of_its_tokens(reader, minilm):
    made = run(reader, texts=TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    assert np.allclose(made.arrays["vectors"], tiny_vectors.of_minilm(minilm, TEXTS), atol=1e-6)
    assert (3, 32) == made.arrays["vectors"].shape
    assert sum(len(tokenizer(text)["input_ids"]) for text in TEXTS) == made.metadata["input_tokens"]
    assert np.allclose(1, lengths(made.arrays["vectors"]))


def test_a_text_that_is_too_long_is_cut_with_a_warning(reader):
    made = run(reader, texts=("abc " * 40, "short"))
    assert (f"tiny reads {tiny_vectors.MOST_TOKENS} tokens of a text; 1 of the texts was cut",) == made.warnings
    cut = run(reader, texts=("abc " * 10,)).arrays["vectors"][0]
    assert np.allclose(cut, made.arrays["vectors"][0], atol=1e-6)


def test_texts_and_pictures_are_those_of_transformers(seer, siglip, tmp_path):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8))
    picture.save(tmp_path / "picture.png")
    wanted = tiny_vectors.of_siglip(siglip, TEXTS), tiny_vectors.of_siglip(siglip, picture)
    made = run(seer, texts=TEXTS), run(seer, {"input_image": tmp_path / "picture.png"}, input_image="-")
    for each, vectors in zip(made, wanted, strict=True):
        assert np.allclose(each.arrays["vectors"], vectors, atol=1e-6)
    assert [(3, 32), (1, 32)] == [each.arrays["vectors"].shape for each in made]


def test_a_model_of_texts_takes_no_picture(reader, tmp_path):
    with pytest.raises(NotThisModel):
        run(reader, {"input_image": tmp_path}, input_image="-")


def test_a_cancel_comes_between_batches(reader):
    seen: list[float] = []

    def progress(share: float, stage: str) -> None:
        seen.append(share)
        if len(seen) == 3:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run(reader, progress=progress, texts=("a",) * 64)
    assert [0.0, 0.25, 0.5] == seen


@pytest.mark.parametrize("name", ["minilm", "siglip"])
def test_a_checkpoint_that_is_not_whole_is_refused(name, tmp_path, request):
    for file in request.getfixturevalue(name).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop(next(iter(sorted(tensors))))
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    family = {"minilm": SentenceModel, "siglip": Siglip}[name]
    with pytest.raises(ModelLoadFailed):
        family(spec(family="any", modality="embedding", capabilities=[]), tmp_path, "cpu")


def test_values_that_are_not_finite_are_an_error(minilm, tmp_path):
    for file in minilm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["encoder.layer.0.output.dense.weight"].fill_(float("nan"))
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    model = SentenceModel(spec(family="any", modality="embedding", capabilities=[]), tmp_path, "cpu")
    with pytest.raises(NotFinite):
        run(model, texts=TEXTS)
