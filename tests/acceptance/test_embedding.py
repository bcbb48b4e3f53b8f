"""Vectors through every real part, of tiny random models in the published layouts; OpenAI's client unmodified."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import BadRequestError, OpenAI
from PIL import Image

from tests.support.checkpoints import tiny_vectors
from tests.support.checkpoints.specs import entry
from tests.support.servers.databases import Databases
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.long

TEXTS = ["red shoes", "a red pair of sneakers"]
LAYERS = 100
"""Of models that take long enough to be seen at work."""


@pytest.fixture(scope="module")
def vectors(postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose worker serves a model of texts, and one of texts and pictures."""
    folder = tmp_path_factory.mktemp("vectors")
    catalog = ""
    for name, layers in (("minilm", 1), ("deep-minilm", LAYERS)):
        tiny_vectors.save_minilm(folder / "weights" / name, layers=layers)
        catalog += entry(name, family="sentence-embedding", modality="embedding")
    for name, layers in (("siglip", 1), ("deep-siglip", LAYERS)):
        tiny_vectors.save_siglip(folder / "weights" / name, layers=layers)
        catalog += entry(name, family="siglip", modality="embedding", capabilities=["pictures"])
    with model_service(
        folder,
        catalog,
        folder / "weights",
        server_id="vectors",
        postgres=postgres,
        broker_url=valkey,
        ATELIER_LIBRARY_ANALYSES="embedding",
    ) as made:
        yield made


@pytest.fixture(scope="module")
def client(vectors: Service) -> OpenAI:
    return OpenAI(base_url=f"{vectors.url}/openai/v1", api_key=vectors.key)


def made(vectors: Service, **body: Any) -> list[list[float]]:
    status = finished.make(vectors, "embedding", **body)
    found: list[list[float]] = json.loads(finished.download(status["result_url"]))["vectors"]
    return found


def drawn(seed: int = 1) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8))


def png(seed: int) -> bytes:
    content = BytesIO()
    drawn(seed).save(content, "PNG")
    return content.getvalue()


def picture(vectors: Service, seed: int = 1) -> str:
    answer = vectors.client.post("/inputs/v1", files={"file": png(seed)}).raise_for_status()
    return str(answer.json()["input_id"])


def similar(vectors: Service, **query: str) -> dict[str, float]:
    answer = vectors.client.get("/media/v1/search", params=query, timeout=90).raise_for_status()
    return {one["media"]["media_id"]: one["similarity"] for one in answer.json()["results"]}


def jobs_of(vectors: Service) -> set[str]:
    return {job["job_id"] for job in vectors.client.get("/jobs/v1", params={"limit": 100}).json()["jobs"]}


def test_texts_and_pictures_get_vectors_of_length_one(vectors: Service) -> None:
    for found in (
        made(vectors, model="minilm", texts=TEXTS),
        made(vectors, model="siglip", texts=TEXTS),
        made(vectors, input_image=picture(vectors)),
    ):
        assert np.allclose(1, np.linalg.norm(np.array(found), axis=1), atol=1e-5)


def test_they_are_those_of_transformers(vectors: Service) -> None:
    weights = Path(vectors.settings.weights_dir)
    expected = {
        "minilm": (tiny_vectors.of_minilm(weights / "minilm", TEXTS), {"texts": TEXTS}),
        "siglip": (tiny_vectors.of_siglip(weights / "siglip", TEXTS), {"texts": TEXTS}),
        "seen": (tiny_vectors.of_siglip(weights / "siglip", drawn()), {"input_image": picture(vectors)}),
    }
    for name, (wanted, asked) in expected.items():
        found = made(vectors, model="minilm" if name == "minilm" else "siglip", **asked)
        assert np.allclose(wanted, found, atol=1e-5), name


@pytest.mark.parametrize("model", ["deep-minilm", "deep-siglip"])
def test_progress_rises_and_a_cancel_ends_it(vectors: Service, model: str) -> None:
    many = {"model": model, "texts": ["a red pair of sneakers"] * 256}
    jobs = (vectors.client.post("/generate/embedding/v1", json=many).json()["job_id"] for _ in range(2))
    finished.assert_progress_rises(vectors, next(jobs))
    finished.assert_a_cancel_ends_it(vectors, "vectors", next(jobs))
    assert made(vectors, model=model, texts=TEXTS)


def test_what_is_brought_is_found_by_picture_and_by_words(vectors: Service) -> None:
    """Through the real CPU worker: looked at, fetched and cleaned, compared, and the jobs deleted."""
    known = jobs_of(vectors)
    items = [
        vectors.client.post("/media/v1", files={"file": ("a.png", png(seed), "image/png")}).json()["media_id"]
        for seed in (1, 2)
    ]
    until(lambda: set(items) <= similar(vectors, near=TEXTS[0], kind="image").keys(), 120, "vectors", every=1.0)
    for seed, item in zip((1, 2), items, strict=True):
        best, *_ = similar(vectors, similar_to=picture(vectors, seed))
        assert item == best
    assert items[1] in similar(vectors, similar_to=items[0])
    until(lambda: known == jobs_of(vectors), 30, "the end of the library's jobs")


@pytest.mark.parametrize("form", [None, "float"])
def test_openai_client_gets_the_same_vectors(vectors: Service, client: OpenAI, form: Any) -> None:
    fields = {} if form is None else {"encoding_format": form}  # by itself it asks for base64
    answer = client.embeddings.create(model="minilm", input=TEXTS, **fields)
    assert np.allclose([each.embedding for each in answer.data], made(vectors, model="minilm", texts=TEXTS), atol=1e-6)
    assert [0, 1] == [each.index for each in answer.data]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 10
    single = client.embeddings.create(model="text-embedding-3-small", input=TEXTS[0])
    assert 32 == len(single.data[0].embedding)


@pytest.mark.parametrize(
    ("fields", "param"), [({"dimensions": 8}, "dimensions"), ({"input": ""}, "input"), ({"input": [[1, 2]]}, "input")]
)
def test_openai_client_is_refused_what_is_not_offered(client: OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.embeddings.create(**{"model": "minilm", "input": "a text", **fields})
    assert param == (refused.value.param or "").partition("[")[0]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({}, "missing_field", "$.texts"),
        ({"texts": ["a"], "input_image": "https://shop.example/a.png"}, "invalid_request", "$.input_image"),
        ({"model": "minilm", "input_image": "https://shop.example/a.png"}, "not_supported_by_model", "$.input_image"),
        ({"texts": ["a"] * 257}, "out_of_range", "$.texts"),
        ({"texts": ["a\0"]}, "nul_in_text", "$.texts"),
    ],
)
def test_bad_input_is_refused_before_it_waits(vectors: Service, fields: Any, code: str, field: str) -> None:
    answer = vectors.client.post("/generate/embedding/v1", json=fields)
    problem = answer.json()
    assert (422, code, field) == (answer.status_code, problem["code"], problem["field"].partition("[")[0])
