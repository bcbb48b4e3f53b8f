"""Every family from API to download: tiny random checkpoints in the published layout, through real processes."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import torch
import trimesh
from imagepipeline import ImagePipeline, Job
from numpy.typing import NDArray
from openai import AsyncOpenAI, BadRequestError, OpenAI
from openai.types import ImageGenCompletedEvent, ImageGenPartialImageEvent
from PIL import Image, ImageChops, ImageDraw

from api.dialects.openai.images import VARIATION
from core.broker.clients import broker_client
from jobs.job import JobStatus
from jobs.params.sound import SoundParams
from jobs.params.video import VideoParams
from jobs.step_previews import preview_channel
from pipelines.image.arguments import CONTROL_MODES
from pipelines.preprocessors.canny import draw_edges
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.encode import encode
from tests.support.checkpoints import (
    tiny_checkpoints,
    tiny_controlnets,
    tiny_moss,
    tiny_preprocessors,
    tiny_triposg,
    tiny_videos,
)
from tests.support.checkpoints.image_runs import (
    CHANGES,
    PROMPT,
    STEPS,
    alone,
    directly,
    from_image,
    repainted,
    transparent,
    white,
)
from tests.support.checkpoints.specs import entry, spec
from tests.support.checkpoints.tiny_loras import WAN_LAYERS, ZIMAGE_LAYERS, save_lora
from tests.support.checkpoints.video_runs import of_pictures
from tests.support.faults.faults import engine_of, frozen
from tests.support.media.videos import decode_video, planes, psnr
from tests.support.paths import PHOTO
from tests.support.servers.databases import Databases
from tests.support.servers.media_server import MediaServer
from tests.support.service import finished
from tests.support.service.agents import agent, call, said
from tests.support.service.model_service import model_service
from tests.support.service.openai_in_node import OpenAIInNode
from tests.support.service.service import Service
from tests.support.service.sse import events
from tests.support.wait import until

Pixels = NDArray[np.uint8]

IMAGES = ("zimage", "flux2klein", "sdxl", "qwenimage", "qwenedit")
CONTROLLED = "controlled-"
"""Before the name of a model with a ControlNet."""
QUICK_IMAGES = IMAGES[:2]
FILMS = {"wan22": 4, "ltx": 8, "cosmos3": 4}
"""Frames are a multiple of this, and one."""
RED = "a red circle on a blue background"
"""The prompt of `calls.mjs`."""
KLEIN_STEPS = 50
"""Steps of diffusers' pipeline where neither the request nor the entry names any."""
QUICK_FILMS = ("wan22",)
GUIDED = {
    "vace": ["text-to-video", "image-to-video", "first-last-frame", "references"],
    "wan22a14b": ["image-to-video", "first-last-frame"],
}
"""Films of pictures, with what they take."""
QUICK_GUIDED = ("vace",)
CASES = [((64, 64), 1), ((128, 64), 7)]
"""Size and seed."""


SHARED = "zimage-shared"
"""The same weights as `zimage`; up to four equal jobs share a run."""
STYLED, STYLE = "zimage-styled", "style.safetensors"
"""The same weights, with a LoRA."""
OWN, OTHERS = "own.safetensors", "others.safetensors"
"""LoRAs that callers bring to it: one of its own, and one that was made for another model."""
OF_FILMS = "films.safetensors"
"""A LoRA that callers bring to a model of films."""
CARD_BYTES = 700_000
"""Weights that a card holds which is made up (`small_card`), less than those of the tiny Qwen-Image."""
LARGE: dict[str, dict[str, Any]] = {
    "whole": {},
    "in-float8": {"quantization": "float8"},
    "in-blocks": {"offload_blocks": True},
}
"""Entries of it, as a whole and in the two ways in which it may run all the same."""
PREVIEWED = 100
"""Steps of a picture that is made for about a second, so that previews of it are seen."""
SLOW_IMAGES = "zimage-slow"
MOSS = {
    "family": "tests.support.checkpoints.tiny_moss:TinyMoss",
    "modality": "sound",
    "limits": {"max_seconds": 2.0},
    "defaults": {"num_inference_steps": 4},
}
"""What makes the sound of silent films."""
PAIR = "wan22-pair"
"""Films that two processes compute together."""
SLOW_MESHES = "triposg-slow"
"""The same model with so many steps that a job can be seen, and cancelled, while it computes."""


def catalog(full: bool, digests: Sequence[str]) -> str:
    images = [
        entry(name, family="diffusers-image", modality="image", **CHANGES[name])
        for name in (IMAGES if full else QUICK_IMAGES)
    ]
    steps = {"num_inference_steps": PREVIEWED}
    slow = {"source": {"path": "zimage"}, "defaults": steps, "capabilities": ["text-to-image"]}
    images.append(entry(SLOW_IMAGES, family="diffusers-image", modality="image", **slow))
    shared = {"source": {"path": "zimage"}, "batch": {"jobs": 4}, "capabilities": ["text-to-image"]}
    images.append(entry(SHARED, family="diffusers-image", modality="image", **shared))
    licence = {"licence": {"name": "MIT", "url": "https://example.org"}}
    styled: dict[str, Any] = {"source": {"path": "zimage"}}
    styled["loras"] = {"style": {"source": {"path": "style"}, "file": STYLE}}
    styled["lora_files"] = dict.fromkeys(digests, licence)
    images.append(entry(STYLED, family="diffusers-image", modality="image", capabilities=["text-to-image"], **styled))
    for name in ("zimage", "sdxl") if full else ("zimage",):
        steered = {"source": {"path": name}, "controlnet": tiny_controlnets.entry_of(name)}
        steered["preprocessors"] = tiny_preprocessors.entry_of()
        able = ["text-to-image", "control"]
        images.append(
            entry(CONTROLLED + name, family="diffusers-image", modality="image", capabilities=able, **steered)
        )
    small = {"source": {"path": "qwenimage"}, "vram_bytes": CARD_BYTES, **CHANGES["qwenimage"]}
    images += [
        entry(name, family="tests.support.checkpoints.small_card:SmallCardImage", modality="image", **small, **keys)
        for name, keys in LARGE.items()
    ]
    films = [
        entry(
            name,
            family="diffusers-video",
            modality="video",
            capabilities=["text-to-video", "image-to-video", *(["sound"] if name == "cosmos3" else [])],
            lora_files={} if name == "cosmos3" else dict.fromkeys(digests, licence),
            limits={"side_multiple": 32, "max_seconds": 5.0, "frame_step": step},
            defaults={"fps": 24},
        )
        for name, step in FILMS.items()
        if full or name in QUICK_FILMS
    ]
    films += [
        entry(
            name,
            family="diffusers-video",
            modality="video",
            capabilities=able,
            limits={"side_multiple": 32, "max_seconds": 5.0, "frame_step": 4, "max_references": 3},
            defaults={"fps": 24},
        )
        for name, able in GUIDED.items()
        if full or name in QUICK_GUIDED
    ]
    films.append(
        entry(
            PAIR,
            family="diffusers-video",
            modality="video",
            source={"path": "wan22"},
            capabilities=["text-to-video"],
            limits={"side_multiple": 32, "max_seconds": 5.0, "frame_step": 4},
            defaults={"fps": 24},
            gpus=2,
        )
    )
    remover = {"shipped": "pipelines/matting/weights"}
    meshes = [
        entry("demo-cutout", family="rembg", modality="remove-background", source=remover),
        entry(
            "triposg",
            family="tests.support.checkpoints.tiny_triposg:TinyTripoSG",
            modality="3d",
            defaults={"num_inference_steps": 8},
            wants_cutout=True,
        ),
        entry(
            SLOW_MESHES,
            family="tests.support.checkpoints.tiny_triposg:TinyTripoSG",
            modality="3d",
            defaults={"num_inference_steps": 1000},
        ),
    ]
    movers = [
        entry(
            "mover",
            family="tests.support.checkpoints.stand_ins:Shade",
            modality="video",
            source=None,
            capabilities=["motion-control"],
            limits={"films": {"max_seconds": 1.0, "types": ["video/mp4"]}},
        ),
        entry(
            "collage",
            family="tests.support.checkpoints.stand_ins:Collage",
            modality="image",
            source=None,
            capabilities=["references"],
            limits={"max_references": 8},
        ),
    ]
    movers.append(entry("moss", **MOSS))
    joiners = [entry("film-join", family="film-join", modality="join", source=None)]
    return "\n".join(images + films + meshes + movers + joiners)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Path:
    """Every checkpoint that the run needs, by the name of its model."""
    folder = tmp_path_factory.mktemp("weights")
    for name in IMAGES if full else (*QUICK_IMAGES, "qwenimage"):
        tiny_checkpoints.save(name, folder / name)
    for name in ("zimage", "sdxl") if full else ("zimage",):
        tiny_controlnets.save(name, folder)
    tiny_preprocessors.save(folder)
    tiny_moss.fetch(tiny_moss.save(folder / "moss"))
    save_lora(folder / "style" / STYLE, ZIMAGE_LAYERS, alpha=False)
    save_lora(folder / OWN, ZIMAGE_LAYERS, alpha=False, seed=1)
    save_lora(folder / OF_FILMS, WAN_LAYERS, alpha=True)
    save_lora(folder / OTHERS, {"diffusion_model.layers.7.attention.to_q": (32, 32)}, alpha=False)
    for name in (*FILMS, *GUIDED) if full else QUICK_FILMS + QUICK_GUIDED:
        tiny_videos.save(name, folder / name)
    for name in ("triposg", SLOW_MESHES):
        tiny_triposg.save(folder / name)
    return folder


@pytest.fixture(scope="module")
def families(
    postgres: Databases, valkey: str, weights: Path, tmp_path_factory: pytest.TempPathFactory, full: bool
) -> Iterator[Service]:
    """A service that serves them all with one GPU worker on the CPU."""
    folder = tmp_path_factory.mktemp("families")
    with model_service(
        folder,
        catalog(full, [sha256(weights / name) for name in (OWN, OTHERS, OF_FILMS)]),
        weights,
        server_id="families",
        postgres=postgres,
        broker_url=valkey,
        ATELIER_DEVELOPMENT="1",
        ATELIER_ALLOWED_NETWORKS="127.0.0.0/8",
    ) as made:
        yield made


def drawing(seed: int) -> Image.Image:
    """A smooth picture, 80x64."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((80, 64), Image.Resampling.BICUBIC)


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def uploaded(families: Service, file: Path) -> str:
    answer = families.client.post("/inputs/v1", files={"file": file.read_bytes()})
    assert 201 == answer.status_code, answer.text
    return str(answer.json()["input_id"])


def data_url(picture: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"


def submit(families: Service, kind: str, name: str, **fields: Any) -> str:
    body = {"prompt": PROMPT, "model": name, "num_inference_steps": STEPS, **fields}
    answer = families.client.post(f"/generate/{kind}/v1", json=body)
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def download(families: Service, job_id: str, caller: httpx.Client | None = None) -> bytes:
    """The first output of a job, once it is completed."""
    job = families.ended(job_id, 120)
    assert JobStatus.COMPLETED == job.status, job.error
    url = (caller or families.client).get(f"/jobs/v1/{job_id}").json()["result_url"]
    return finished.download(url)


def pixels(file: bytes) -> Pixels:
    return np.asarray(Image.open(BytesIO(file)).convert("RGB"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As the engine computes: with more, sums are added up in another order."""
    torch.set_num_threads(1)


class TestPictures:
    @pytest.mark.matrix
    @pytest.mark.parametrize("name", IMAGES)
    def test_the_png_has_the_pixels_of_diffusers(self, families: Service, weights: Path, name: str) -> None:
        references = [drawing(1), drawing(2)] if name == "qwenedit" else []
        given = {"reference_images": [data_url(picture) for picture in references]} if references else {}
        for (width, height), seed in CASES:
            asked = {"width": width, "height": height}

            job_id = submit(families, "image", name, **asked, **given, seed=seed, output_format="png")

            made = pixels(download(families, job_id))
            expected = directly(weights / name, seed, **asked, **({"image": references} if references else {}))
            assert np.array_equal(expected, made)

    @pytest.mark.contract("E5", "F1")
    def test_a_lora_of_the_catalog_is_on_for_its_job_alone(self, families: Service, weights: Path) -> None:
        asked = {"width": 64, "height": 64, "seed": 1, "output_format": "png"}
        lora = {"lora": "style", "weight": 0.7}

        with_lora = submit(families, "image", STYLED, **asked, loras=[lora])
        without = submit(families, "image", STYLED, **asked)

        made, bare = pixels(download(families, with_lora)), pixels(download(families, without))
        assert np.array_equal(directly(weights / "zimage"), bare)
        pipe = alone(weights / "zimage")
        pipe.load_lora_weights(weights / "style", weight_name=STYLE, adapter_name="style")
        pipe.set_adapters(["style"], [0.7])
        assert np.array_equal(directly(weights / "zimage"), made)
        pipe.unload_lora_weights()
        manifest = families.client.get(f"/jobs/v1/{with_lora}/manifest").json()
        (files,) = (one["files"] for one in manifest["weights"] if one["bundle"] == f"{STYLED}+style")
        assert ([lora], {STYLE: sha256(weights / "style" / STYLE)}) == (manifest["params"]["loras"], files)
        again = families.client.post(f"/jobs/v1/{with_lora}/reproduce").json()["job_id"]
        assert np.array_equal(made, pixels(download(families, again)))

    @pytest.mark.contract("F1")
    def test_a_lora_is_brought_for_one_job(self, families: Service, weights: Path) -> None:
        lora = {"lora": uploaded(families, weights / OWN), "weight": 0.7}
        asked = {"width": 64, "height": 64, "seed": 1, "output_format": "png"}

        with_lora = submit(families, "image", STYLED, **asked, loras=[lora])
        without = submit(families, "image", STYLED, **asked)

        made, bare = pixels(download(families, with_lora)), pixels(download(families, without))
        assert np.array_equal(directly(weights / "zimage"), bare)
        pipe = alone(weights / "zimage")
        pipe.load_lora_weights(weights, weight_name=OWN, adapter_name="own")
        pipe.set_adapters(["own"], [0.7])
        assert np.array_equal(directly(weights / "zimage"), made)
        pipe.unload_lora_weights()
        manifest = families.client.get(f"/jobs/v1/{with_lora}/manifest").json()
        (named,) = manifest["inputs"]
        assert ([lora], "loras.0") == (manifest["params"]["loras"], named["name"])
        assert sha256(weights / OWN) == named["sha256"]
        again = families.client.post(f"/jobs/v1/{with_lora}/reproduce").json()["job_id"]
        assert np.array_equal(made, pixels(download(families, again)))

    def test_a_lora_that_is_no_good_fails_its_job(self, families: Service, weights: Path, tmp_path: Path) -> None:
        save_lora(tmp_path / "unknown.safetensors", ZIMAGE_LAYERS, alpha=False, seed=2)
        for file, code in (
            (tmp_path / "unknown.safetensors", "lora_not_allowed"),
            (weights / OTHERS, "lora_not_compatible"),
        ):
            lora = {"lora": uploaded(families, file)}
            job = families.ended(submit(families, "image", STYLED, width=64, height=64, loras=[lora]), 120)
            assert job.error is not None
            assert (JobStatus.FAILED, code) == (job.status, job.error.code), job.error
            assert 0 == job.attempt, "its header says that it is for another model, before a GPU worker has it"
        torch.save({"a": torch.ones(1)}, tmp_path / "pickle.pt")
        pickle = (tmp_path / "pickle.pt").read_bytes()
        refused = families.client.post("/inputs/v1", files={"file": pickle})
        assert (422, "unsupported_media") == (refused.status_code, refused.json()["code"])
        with MediaServer() as host:
            lora = {"lora": host.serve("/pickle.safetensors", pickle)}
            job_id = submit(families, "image", STYLED, width=64, height=64, loras=[lora])
            assert "unsupported_media" == problem(families, job_id)[0]

    @pytest.mark.contract("E5")
    def test_references_reach_flux2_klein(self, families: Service, weights: Path) -> None:
        references = [drawing(number) for number in range(4)]
        given = [data_url(picture) for picture in references]

        job_id = submit(
            families, "image", "flux2klein", width=64, height=64, seed=1, output_format="png", reference_images=given
        )

        expected = directly(weights / "flux2klein", 1, image=references)
        assert np.array_equal(expected, pixels(download(families, job_id)))

    @pytest.mark.contract("F45")
    def test_an_edit_of_openais_client_is_what_diffusers_makes(self, families: Service, weights: Path) -> None:
        """tests/acceptance/clients/test_openai.py has the other calls."""
        pictures = [drawing(number) for number in (1, 2)]
        client = OpenAI(api_key=families.key, base_url=f"{families.url}/openai/v1")

        edited = client.images.edit(
            image=[png(picture) for picture in pictures], prompt=PROMPT, model="flux2klein", size="64x64",
            output_format="png", extra_body={"seed": 1},
        )  # fmt: skip

        assert edited.data is not None
        made = pixels(base64.b64decode(edited.data[0].b64_json or ""))
        expected = directly(weights / "flux2klein", 1, image=pictures, num_inference_steps=KLEIN_STEPS)
        assert np.array_equal(expected, made)

    @pytest.mark.long
    def test_pictures_of_openais_client_in_node(
        self, families: Service, weights: Path, node: Path, tmp_path: Path
    ) -> None:
        """`clients/test_openai_node.py` has the other calls."""
        packages, picture = tmp_path / "packages", tmp_path / "picture.png"
        packages.mkdir()
        picture.write_bytes(png(drawing(1)))

        said = OpenAIInNode(node, packages).run("pictures", families.url, families.key, tmp_path, picture)

        assert "image_edit.completed" == said["last"]
        for name, count, prompt in (("edited", 2, RED), ("streamed", 1, RED), ("variation", 1, VARIATION)):
            expected = directly(
                weights / "flux2klein", 1, prompt=prompt, image=[drawing(1)] * count, num_inference_steps=KLEIN_STEPS
            )
            assert np.array_equal(expected, pixels((tmp_path / f"{name}.png").read_bytes())), name

    @pytest.mark.long
    def test_a_masked_edit_of_openai_is_what_diffusers_makes(self, families: Service, weights: Path) -> None:
        picture, box = drawing(3).resize((64, 64)), (16, 8, 48, 40)
        client = OpenAI(api_key=families.key, base_url=f"{families.url}/openai/v1")

        def edit(mask: Image.Image) -> Any:
            return client.images.edit(
                image=png(picture), mask=png(mask), prompt=PROMPT, model="zimage", size="64x64",
                output_format="png", extra_body={"seed": 1},
            )  # fmt: skip

        (edited,) = edit(transparent(box)).data
        expected = repainted(weights / "zimage", picture, white(box), strength=1.0, num_inference_steps=KLEIN_STEPS)
        assert np.array_equal(expected, pixels(base64.b64decode(edited.b64_json)))
        for code, mask in (("mask_of_other_size", transparent(box, (96, 64))), ("empty_mask", transparent(None))):
            with pytest.raises(BadRequestError) as refused:
                edit(mask)
            assert code == refused.value.code

    @pytest.mark.contract("F3")
    @pytest.mark.parametrize("name", ["zimage", pytest.param("sdxl", marks=pytest.mark.long)])
    def test_an_image_follows_a_picture_as_in_diffusers(self, families: Service, weights: Path, name: str) -> None:
        start = drawing(3).resize((64, 64))
        asked = {"width": 64, "height": 64, "seed": 2, "output_format": "png", "control_image": data_url(start)}
        jobs = {
            kind: submit(families, "image", CONTROLLED + name, control_kind=kind, **asked) for kind in CONTROL_MODES
        }

        picture = start.convert("RGB")
        shown = {
            "canny": draw_edges(picture),
            "depth": tiny_preprocessors.depths_of(weights, picture),
            "pose": tiny_preprocessors.poses_of(weights, picture),
        }
        for kind, job_id in jobs.items():
            expected = tiny_controlnets.steered(name, weights, shown[kind], CONTROL_MODES[kind], 0.8)
            assert np.array_equal(expected, pixels(download(families, job_id))), kind

    @pytest.mark.contract("F2")
    @pytest.mark.parametrize("name", ["zimage", "flux2klein"])
    def test_a_picture_is_extended_as_diffusers_does_it(self, families: Service, weights: Path, name: str) -> None:
        start = drawing(3).resize((64, 64))

        job_id = submit(
            families, "image", name, width=96, height=96, seed=2, input_image=data_url(start),
            padding={"left": 8, "right": 24}, output_format="png",
        )  # fmt: skip

        padded = np.pad(np.asarray(start.convert("RGB")), ((0, 0), (8, 24), (0, 0)), mode="edge")
        mask = ImageChops.invert(white((8, 0, 72, 64), (96, 64)))
        size = {"width": 96, "height": 64}
        expected = repainted(weights / name, Image.fromarray(padded), mask, 2, strength=1.0, **size)
        assert np.array_equal(expected, pixels(download(families, job_id)))

    @pytest.mark.matrix
    @pytest.mark.parametrize("name", ["zimage", "sdxl", "qwenimage"])
    def test_a_picture_is_changed_as_diffusers_changes_it(self, families: Service, weights: Path, name: str) -> None:
        start = drawing(3).resize((64, 64))

        job_id = submit(
            families, "image", name, width=64, height=64, seed=2, strength=0.7, input_image=data_url(start),
            output_format="png",
        )  # fmt: skip

        size = {} if name == "sdxl" else {"width": 64, "height": 64}
        expected = from_image(weights / name, 2, image=start, strength=0.7, **size)
        assert np.array_equal(expected, pixels(download(families, job_id)))


@contextmanager
def paused(families: Service) -> Iterator[None]:
    """Have jobs wait as long as the block lasts."""
    assert 200 == families.client.post("/jobs/v1/pause").status_code
    try:
        yield
    finally:
        assert 200 == families.client.post("/jobs/v1/resume").status_code


def asked_previews(families: Service) -> list[bytes]:
    """The channels of the jobs of which previews are asked for."""
    found: list[bytes] = broker_client(families.settings).pubsub_channels(preview_channel("*"))
    return found


class TestPreviews:
    """Previews of steps, from the engine to those who ask; jobs wait until those are there."""

    @pytest.mark.contract("F5")
    def test_steps_are_shown_to_those_who_ask(self, families: Service) -> None:
        with ExitStack() as stack:
            with paused(families):
                job_id = families.submit(PROMPT, model="zimage", width=128, height=64, num_inference_steps=PREVIEWED)
                path = f"/jobs/v1/{job_id}/events"
                asking, other = (
                    stack.enter_context(families.client.stream("GET", path, params=query))
                    for query in ({"previews": True}, {})
                )
                until(lambda: asked_previews(families), 30, "the stream to ask")
            began = time.monotonic()
            seen = [event for event in events(asking) if event.name == "preview"]
            took = time.monotonic() - began
            names = [event.name for event in events(other)]

        assert 1 <= len(seen) <= 1 + 2 * took
        steps = [event.data["step"] for event in seen]
        assert steps == sorted(set(steps))
        for event in seen:
            assert {"step", "of", "image"} == event.data.keys()
            assert (PREVIEWED, True) == (event.data["of"], 1 < event.data["step"] <= PREVIEWED)
            assert len(event.data["image"]) <= 12_000
            head, _, body = event.data["image"].partition(",")
            image = Image.open(BytesIO(base64.b64decode(body)))
            assert ("data:image/webp;base64", "WEBP", (64, 32)) == (head, image.format, image.size)
            assert np.asarray(image.convert("RGB")).std() > 0
        assert ({"progress", "completed"}, "completed") == (set(names), names[-1])
        until(lambda: not asked_previews(families), 30, "the end of the asking")

    @pytest.mark.long
    def test_openais_async_client_sees_partial_images(self, families: Service) -> None:
        async def paint() -> list[Any]:
            async with AsyncOpenAI(api_key=families.key, base_url=f"{families.url}/openai/v1") as client:
                stream = await client.images.generate(
                    prompt=PROMPT, model=SLOW_IMAGES, size="128x64", stream=True, partial_images=3
                )
                await asyncio.to_thread(until, lambda: asked_previews(families), 30, "the stream to ask")
                families.client.post("/jobs/v1/resume")
                return [event async for event in stream]

        with paused(families):
            *partial, completed = asyncio.run(paint())

        assert isinstance(completed, ImageGenCompletedEvent)
        assert (128, 64) == Image.open(BytesIO(base64.b64decode(completed.b64_json))).size
        assert 1 <= len(partial) <= 3
        for number, shown in enumerate(partial):
            assert isinstance(shown, ImageGenPartialImageEvent)
            assert (number, "webp", "128x64") == (shown.partial_image_index, shown.output_format, shown.size)
            image = Image.open(BytesIO(base64.b64decode(shown.b64_json)))
            assert ("WEBP", (64, 32)) == (image.format, image.size)


class TestSharedRuns:
    @pytest.mark.contract("F15")
    def test_equal_jobs_of_several_callers_are_computed_in_one_run(self, families: Service, weights: Path) -> None:
        """One of them is cancelled meanwhile, while the engine stands still; the others are those made alone."""
        size: dict[str, Any] = {"width": 64, "height": 64, "num_inference_steps": 40}
        prompts = ("a red apple", "x", "the one that is cancelled", "a longer prompt than all of the others are")
        with ExitStack() as stack:
            callers = [stack.enter_context(families.caller(name)) for name in ("one", "two", "three")]
            before = families.submit(PROMPT, model="zimage", **size | {"num_inference_steps": 120})  # they wait for it
            families.running(before, 60)
            jobs = []
            for number, prompt in enumerate(prompts):
                body = {"model": SHARED, "prompt": prompt, "seed": number, "output_format": "png", **size}
                caller = callers[number % 3]
                answer = caller.post("/generate/image/v1", json=body)
                assert 202 == answer.status_code, answer.text
                jobs.append((caller, answer.json()["job_id"]))
            families.running(jobs[0][1], 60)
            engine = engine_of(families.newest["families"].pid)
            assert engine is not None
            with frozen(engine):
                caller, cancelled = jobs.pop(2)
                assert "cancelled" == caller.post(f"/jobs/v1/{cancelled}/cancel").json()["status"]
                until(
                    lambda: f"claim: gone job={cancelled}" in families.log("families"), 30, "the worker to hear of it"
                )

            files = [download(families, job_id, caller) for caller, job_id in jobs]
            manifests = [caller.get(f"/jobs/v1/{job_id}/manifest").json() for caller, job_id in jobs]

        for file, number in zip(files, (0, 1, 3), strict=True):
            alone = directly(weights / "zimage", number, prompt=prompts[number], **size)
            assert np.abs(alone.astype(int) - pixels(file).astype(int)).max() <= 1
        assert [(4, 1)] * 3 == [(manifest["jobs_in_run"], manifest["attempt"]) for manifest in manifests]
        for manifest in manifests:
            assert manifest["timings"]["compute"] / 4 == pytest.approx(manifest["gpu_seconds"], abs=0.002)
        assert not families.objects(cancelled)
        until(lambda: families.job(cancelled).gpu_seconds > 0, 10, "its part of the run to be counted")


class TestLargerThanTheCard:
    """A worker with a card that is made up, for a model that is larger than it."""

    @pytest.mark.contract("F13")
    def test_a_model_that_does_not_fit_runs_in_float8_or_by_blocks(self, families: Service, weights: Path) -> None:
        families.gpu("small", dedicated=True, ATELIER_VRAM_BUDGET=str(CARD_BYTES))
        asked = {"width": 64, "height": 64, "seed": 3, "output_format": "png", "server_id": "small"}
        whole, float8, blocks = (submit(families, "image", name, **asked) for name in LARGE)

        refused = families.ended(whole, 120)
        made = {job_id: pixels(download(families, job_id)) for job_id in (float8, blocks)}

        assert refused.error is not None
        assert (JobStatus.FAILED, "gpu_out_of_memory") == (refused.status, refused.error.code)
        facts = {job_id: families.job(job_id).artifacts[0].metadata for job_id in made}
        assert all(0 < said["card_bytes"] <= CARD_BYTES for said in facts.values())
        expected = directly(weights / "qwenimage", 3)
        assert np.array_equal(expected, made[blocks])
        assert np.abs(expected.astype(int) - made[float8]).mean() < 3
        assert "float32, weights in float8" == facts[float8]["precision"]


class TestReproductions:
    @pytest.mark.contract("F31")
    def test_a_picture_is_made_again_from_its_manifest(self, families: Service, weights: Path) -> None:
        def manifest(job_id: str) -> dict[str, Any]:
            made: dict[str, Any] = families.client.get(f"/jobs/v1/{job_id}/manifest").json()
            return made

        given = {"reference_images": [data_url(drawing(1))], "output_format": "png"}
        first = submit(families, "image", "flux2klein", width=64, height=64, **given)
        file = download(families, first)
        answer = families.client.post(f"/jobs/v1/{first}/reproduce")
        assert 202 == answer.status_code, answer.text
        again = answer.json()["job_id"]

        assert file == download(families, again)
        one, other = manifest(first), manifest(again)
        assert {"job_id": first, "identical": True} == other["reproduces"]
        assert [] == other["warnings"]
        assert hashlib.sha256(file).hexdigest() == one["outputs"][0]["sha256"]
        (own,) = one["weights"]
        folder = weights / "flux2klein"
        files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == own["files"]
        assert torch.__version__ == one["versions"]["torch"]
        assert {"name": "local", "kind": "local", "reason": "primary"} == one["backend"]
        assert {"compute", "encode", "upload"} <= one["timings"].keys()
        for same in ("environment_sha256", "seed", "params", "inputs", "device"):
            assert one[same] == other[same], same


@pytest.fixture(scope="module")
def client(families: Service) -> ImagePipeline:
    return ImagePipeline(families.key, base_url=f"{families.url}/imagepipeline")


@pytest.fixture(scope="module")
def urls(client: ImagePipeline, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The links of two drawings that were uploaded."""
    folder = tmp_path_factory.mktemp("drawings")
    for number in (1, 2):
        drawing(number).save(folder / f"{number}.png")
    return [client.upload.image(str(folder / f"{number}.png")).url for number in (1, 2)]


@pytest.mark.long
class TestEditsOfImagePipelinesClient:
    """Calls with pictures of the real client, on the model that takes references."""

    def ended(self, families: Service, client: ImagePipeline, job: Job) -> tuple[Job, Pixels]:
        families.ended(job.job_id, 120)
        done = client._transport.poll(job.endpoint, job.job_id)
        return done, pixels(finished.download(done.url))

    @pytest.mark.parametrize("count", [1, 2])
    def test_an_edit_is_what_diffusers_makes_of_the_pictures(
        self, families: Service, weights: Path, client: ImagePipeline, urls: list[str], count: int
    ) -> None:
        job = client.edit.image(
            prompt=PROMPT,
            input_image=urls[0] if count == 1 else urls,
            width=64,
            height=64,
            seed=1,
            output_format="png",
            num_inference_steps=STEPS,
            refine_strength=0.2,
            wait=False,
        )

        done, made = self.ended(families, client, job)

        pictures = [drawing(number) for number in (1, 2)][:count]
        assert np.array_equal(directly(weights / "flux2klein", 1, image=pictures), made)
        assert any("refine_strength" in warning for warning in done.warnings)

    @pytest.mark.parametrize("call", ["lock", "replace", "instamodel", "tryon", "faceswap"])
    def test_a_person_is_made_of_the_references(
        self, families: Service, weights: Path, client: ImagePipeline, urls: list[str], call: str
    ) -> None:
        size: dict[str, Any] = {"width": 64, "height": 64, "seed": 1, "wait": False}
        calls: dict[str, Callable[[], Job]] = {
            "lock": lambda: client.identity.lock(input_image=urls[0], prompt=PROMPT, **size),
            "replace": lambda: client.identity.replace(input_image=urls[0], prompt=PROMPT, **size),
            "instamodel": lambda: client.identity.instamodel(face_image=urls[0], prompt=PROMPT, **size),
            "tryon": lambda: client.identity.tryon(person_image=urls[0], clothing_image=urls[1], **size),
            "faceswap": lambda: client.identity.faceswap(
                source=urls[1],
                target=urls[0],
                profile_id=client.identity.create_profile(name="Small", width=64, height=64)["profile_id"],
                wait=False,
            ),
        }

        done, made = self.ended(families, client, calls[call]())

        asked = families.client.get(f"/jobs/v1/{done.job_id}/request").json()["params"]
        assert 1 + (call in ("tryon", "faceswap")) == len(asked["reference_images"])
        assert (64, 64, 3) == made.shape
        assert "image/webp" == done.result_mime_type


class TestFilms:
    @pytest.mark.matrix
    @pytest.mark.parametrize("name", FILMS)
    @pytest.mark.parametrize("still", [False, True], ids=["from words", "from a still"])
    def test_same_seed_gives_the_same_bytes_and_another_others(self, families: Service, name: str, still: bool) -> None:
        given = {"input_image": data_url(drawing(4))} if still else {}
        for (width, height), seed in CASES:
            asked = {"width": width, "height": height, "duration_seconds": 0.4, **given}
            jobs = [submit(families, "video", name, **asked, seed=each) for each in (seed, seed, seed + 1)]

            first, again, other = (download(families, job_id) for job_id in jobs)

            assert first == again
            assert first != other
            assert b"ftyp" == first[4:8]

    @pytest.mark.long
    def test_a_lora_is_brought_for_one_film(self, families: Service, weights: Path) -> None:
        lora = {"lora": uploaded(families, weights / OF_FILMS), "weight": 0.7}
        asked = {"width": 64, "height": 64, "duration_seconds": 0.2, "seed": 1}
        jobs = [submit(families, "video", "wan22", **asked, loras=loras) for loras in ([], [lora], [])]

        bare, made, after = (download(families, job_id) for job_id in jobs)

        assert bare == after
        assert bare != made
        manifest = families.client.get(f"/jobs/v1/{jobs[1]}/manifest").json()
        assert ([lora], sha256(weights / OF_FILMS)) == (manifest["params"]["loras"], manifest["inputs"][0]["sha256"])

    @pytest.mark.long
    def test_a_model_hears_what_it_films(self, families: Service) -> None:
        asked = {"width": 64, "height": 64, "duration_seconds": 0.4, "seed": 1}
        silent, heard = (
            download(families, submit(families, "video", "cosmos3", **asked, sound=sound)) for sound in (False, True)
        )

        with av.open(BytesIO(silent)) as film:
            assert 0 == len(film.streams.audio)
        with av.open(BytesIO(heard)) as film:
            samples = np.concatenate([frame.to_ndarray() for frame in film.decode(audio=0)], axis=1)
        assert 2 == len(samples)
        assert 0.01 < samples.std()

    @pytest.mark.contract("B10", "B57")
    def test_a_silent_model_has_its_sound_made_apart(self, families: Service, weights: Path) -> None:
        """By the model of sounds of the same server: its samples are those of the family called directly."""
        asked = {"width": 64, "height": 64, "duration_seconds": 0.5, "seed": 7}
        jobs = [submit(families, "video", "wan22", **asked, sound=sound) for sound in (False, True)]
        silent, heard = (download(families, job_id) for job_id in jobs)

        frames = len(decode_video(silent, "mp4").frames)
        assert packets(silent, video=0) == packets(heard, video=0)
        moss = tiny_moss.TinyMoss(spec(id="moss", **MOSS), weights / "moss", "cpu")
        seconds = frames / 24
        context = RunContext(seed=7, progress=lambda fraction, stage: None, warn=lambda text: None)
        alone = moss.run(SoundParams(prompt=PROMPT, duration_seconds=seconds), Inputs(), context)
        wave = (alone.arrays["samples"] * np.float32(32767)).round().astype(np.int16)
        assert (round(seconds * 48_000),) == wave.shape
        black = np.zeros((frames, 96, 64), np.uint8)
        expected = film(families, black, 24, sound=np.stack([wave, wave], 1))
        assert packets(expected, audio=0) == packets(heard, audio=0)
        status = families.client.get(f"/jobs/v1/{jobs[1]}").json()
        assert "sound made apart: moss" in status["warnings"][0]
        manifest = families.client.get(f"/jobs/v1/{jobs[1]}/manifest").json()
        assert {"wan22", "moss"} <= {one["bundle"] for one in manifest["weights"]}
        again = families.client.post(f"/jobs/v1/{jobs[1]}/reproduce").raise_for_status().json()["job_id"]
        assert heard == download(families, again)

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("name", "stills", "references"),
        [
            ("vace", 2, 2),
            pytest.param("vace", 2, 0, marks=pytest.mark.long),
            pytest.param("vace", 0, 2, marks=pytest.mark.long),
            pytest.param("wan22a14b", 2, 0, marks=pytest.mark.long),
        ],
    )
    def test_a_film_of_pictures_is_the_one_of_diffusers(
        self, families: Service, weights: Path, name: str, stills: int, references: int
    ) -> None:
        ends = dict(zip(("input_image", "last_image"), (drawing(1), drawing(2))[:stills], strict=False))
        people = [drawing(3), drawing(4)][:references]
        pictures: dict[str, Any] = {field: data_url(still) for field, still in ends.items()}
        pictures |= {"reference_images": [data_url(each) for each in people]} if people else {}

        job_id = submit(families, "video", name, width=64, height=96, duration_seconds=0.5, seed=1, **pictures)

        made = decode_video(download(families, job_id), "mp4").frames
        expected = film(families, of_pictures(weights / name, ends, people), fps=24)
        assert np.array_equal(decode_video(expected, "mp4").frames, made)
        if people:
            other = film(families, of_pictures(weights / name, ends, people[::-1]), fps=24)
            assert not np.array_equal(decode_video(other, "mp4").frames, made)

    @pytest.mark.contract("F14")
    def test_two_processes_compute_one_film_together(self, families: Service) -> None:
        """By gloo on the CPU, as two GPUs would by NCCL; heads are multiplied apart, so roundings may differ."""
        families.gpu("pair", dedicated=True, ATELIER_DEVICE="cpu", ATELIER_PEER_DEVICES="cpu")
        asked = {"width": 64, "height": 96, "duration_seconds": 0.5, "seed": 1}
        alone = download(families, submit(families, "video", "wan22", **asked))

        together = submit(families, "video", PAIR, **asked, server_id="pair")

        film = download(families, together)
        assert 2 == families.job(together).artifacts[0].metadata["gpus"]
        assert b"ftyp" == film[4:8]
        one, both = (decode_video(file, "mp4").frames for file in (alone, film))
        assert one.shape == both.shape
        assert psnr(one, both) > 40


class TestMeshes:
    """TripoSG, whose pictures lose their background first."""

    @pytest.mark.contract("C44")
    @pytest.mark.parametrize("mode", ["generate", pytest.param("paint", marks=pytest.mark.long)])
    def test_a_photo_becomes_a_glb(self, families: Service, mode: str) -> None:
        names = {"mesh_save_name": "mug", "painted_save_name": "mug-painted"}
        job_id = mesh(families, image_path=data_url(Image.open(PHOTO)), mode=mode, **names)

        made = trimesh.load_mesh(BytesIO(download(families, job_id)), file_type="glb")
        status = families.client.get(f"/generate/3d/v1/status/{job_id}").json()

        assert len(made.faces) > 50
        assert "the image has no transparent background; demo-cutout removed it first" in status["warnings"]
        saved = {output["name"] for output in status["outputs"] if output["name"]}
        assert ({"mug-painted.glb", "mug.glb"} if mode == "paint" else {"mug.glb"}) == saved
        assert (mode == "paint") == (made.visual.kind == "texture")

    @pytest.mark.contract("C46")
    def test_its_model_leaves_after_the_job_unless_it_is_to_stay(self, families: Service) -> None:
        def resident() -> list[str]:
            servers = families.client.get("/servers/v1").json()["servers"]
            return [model for server in servers for model in server["resident"]]

        cutout = data_url(ball())
        download(families, mesh(families, image_path=cutout, auto_unload=False))
        until(lambda: "triposg" in resident(), 10, "the model to be shown")
        download(families, mesh(families, image_path=cutout))
        until(lambda: "triposg" not in resident(), 10, "the model to leave")

    @pytest.mark.long
    def test_the_same_seed_gives_the_same_bytes(self, families: Service) -> None:
        first, again, other = (
            download(families, mesh(families, image_path=data_url(ball()), seed=seed)) for seed in (5, 5, 6)
        )
        assert first == again
        assert first != other

    @pytest.mark.long
    def test_progress_rises_with_its_steps(self, families: Service) -> None:
        finished.assert_progress_rises(families, mesh(families, model=SLOW_MESHES, image_path=data_url(ball())))

    @pytest.mark.long
    def test_a_cancel_stops_it(self, families: Service) -> None:
        job_id = mesh(families, model=SLOW_MESHES, image_path=data_url(ball()))
        finished.assert_a_cancel_ends_it(families, "families", job_id)
        assert JobStatus.COMPLETED == families.ended(mesh(families, image_path=data_url(ball())), 120).status


def mesh(families: Service, **fields: Any) -> str:
    answer = families.client.post("/generate/3d/v1", json={"model": "triposg", "seed": 3, "max_faces": 2000, **fields})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def ball() -> Image.Image:
    """A red ball on transparency."""
    picture = Image.new("RGBA", (96, 64), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((20, 8, 68, 56), fill=(200, 30, 60, 255))
    return picture


def large(seed: int, size: tuple[int, int] = (320, 300)) -> Image.Image:
    return drawing(seed).resize(size)


def clip(families: Service, count: int = 12, name: str = "mp4") -> str:
    """The link of a film that was made before: `count` frames of gray that becomes lighter, 12 a second."""
    shades = np.linspace(40, 200, count).astype(np.uint8)
    frames = np.broadcast_to(shades[:, None, None, None], (count, 64, 96, 3))
    data = film(families, planes(frames), fps=12, name=name)
    return f"data:video/{name};base64,{base64.b64encode(data).decode()}"


def film(
    families: Service, frames: NDArray[np.uint8], fps: int, name: str = "mp4", **sound: NDArray[np.int16]
) -> bytes:
    """These planes as a file."""
    raw = RawOutput(arrays={"frames": frames, **sound}, metadata={"fps": fps})
    (output,) = encode(raw, VideoParams(output_format=name), families.folder).files
    return (families.folder / output.path).read_bytes()


def packets(file: bytes, **stream: int) -> list[bytes]:
    """A stream of a film as it is encoded: `video=0` or `audio=0`."""
    with av.open(BytesIO(file)) as container:
        return [bytes(packet) for packet in container.demux(**stream)]


def problem(families: Service, job_id: str) -> tuple[str, str]:
    """Code and message of a job that failed before any device saw it."""
    job = families.ended(job_id, 60)
    assert (JobStatus.FAILED, 0) == (job.status, job.attempt)
    assert job.error is not None
    return job.error.code, job.error.message


MUG = {"name": "mug", "description": "a blue mug"}
HAND = {"name": "hand", "description": "a hand"}
FRAME, PICTURES = "a hand (image 3)", "a blue mug (images 1 and 2)"


class TestElements:
    """Names in a prompt that stand for pictures and films."""

    def ask(self, families: Service, *pictures: str, **fields: Any) -> str:
        elements = [MUG | {"element_input_urls": pictures}] if pictures else []
        return submit(families, "image", "collage", width=64, height=64, seed=1, elements=elements, **fields)

    def lifted(self, families: Service, name: str, pictures: list[Image.Image]) -> str:
        elements = [
            MUG | {"element_input_urls": [data_url(one) for one in pictures]},
            HAND | {"element_input_video_urls": [clip(families, 11)]},
        ]
        asked = {"prompt": "@hand lifts @mug", "width": 64, "height": 64, "seed": 1, "output_format": "png"}
        return submit(families, "image", name, **asked, elements=elements)

    @pytest.mark.contract("B60", "B61", "B62", "B63", "B64", "B65")
    def test_a_model_gets_them_as_references_and_in_words(self, families: Service) -> None:
        job_id = self.lifted(families, "collage", [Image.new("RGB", (320, 300), color) for color in ("red", "blue")])
        stripes = pixels(download(families, job_id))[8, 8::16].astype(int)
        assert [[255, 0, 0], [0, 0, 255]] == stripes[:2].tolist()
        assert np.abs(stripes[2] - 120).max() <= 2, "the middle frame of the film"
        assert [f"{FRAME} lifts {PICTURES}"] == families.client.get(f"/jobs/v1/{job_id}").json()["warnings"]

    @pytest.mark.long
    def test_flux2_klein_sees_them(self, families: Service, weights: Path) -> None:
        pictures = [large(1), large(2)]
        made = pixels(download(families, self.lifted(families, "flux2klein", pictures)))
        frame = Image.new("RGB", (96, 64), (120, 120, 120))
        words = f"{FRAME} lifts {PICTURES}"
        expected = directly(weights / "flux2klein", 1, prompt=words, image=[*pictures, frame])
        unseen = directly(weights / "flux2klein", 1, prompt=words, image=[*pictures, drawing(9)])
        assert psnr(expected, made) > max(60.0, psnr(unseen, made))

    @pytest.mark.contract("B63", "B66", "B67")
    def test_their_files_are_judged_before_any_device(self, families: Service) -> None:
        good, small = data_url(large(1)), data_url(large(2, (300, 299)))
        code, message = problem(families, self.ask(families, good, small))
        assert ("not_supported_by_model", True) == (code, "300x300 are the least" in message)
        assert "`elements[0].element_input_urls[1]`" in message
        bitmap = BytesIO()
        large(3).save(bitmap, "BMP")
        other = f"data:image/bmp;base64,{base64.b64encode(bitmap.getvalue()).decode()}"
        assert "The model takes JPEG or PNG" in problem(families, self.ask(families, good, other))[1]
        heavy = base64.b64encode(png(large(4)) + bytes(10_000_000)).decode()
        assert "10 MB" in problem(families, self.ask(families, good, f"data:image/png;base64,{heavy}"))[1]
        films = [HAND | {"element_input_video_urls": [clip(families, 4, "webm")]}]
        job_id = submit(families, "image", "collage", elements=films)
        assert "The model takes MP4 or MOV" in problem(families, job_id)[1]
        answer = families.client.post(
            "/generate/image/v1",
            json={"prompt": "@mug", "model": "collage", "elements": [MUG | {"element_input_urls": [good]}]},
        )
        assert (422, "$.elements[0].element_input_urls") == (answer.status_code, answer.json()["field"])

    @pytest.mark.contract("B68")
    async def test_in_a_film_they_need_a_picture_beside_them(self, families: Service) -> None:
        upload = families.client.post("/inputs/v1", files={"file": png(large(1))}).json()["input_id"]
        asked = {
            "model": "wan22",
            "prompt": "@mug on a table",
            "duration": 0.4,
            "kling_elements": [MUG | {"element_input_urls": [upload, upload]}],
        }
        async with agent(families.url, families.key) as client:
            refused = await client.call_tool("generate_media", asked)
            assert refused.is_error
            assert "`elements` need a picture beside them" in said(refused)
            started = await call(client, "generate_media", **asked, source_media_urls=upload, resolution="480p")
        chain = families.client.get(f"/chains/v1/{started['generation_id']}").json()
        assert ["picture-1", "shot-1"] == [step["name"] for step in chain["steps"]]
        assert ["flux2klein", "wan22"] == [step["job"]["model"] for step in chain["steps"]]
        families.client.post(f"/chains/v1/{chain['chain_id']}/cancel").raise_for_status()


class TestFilmInputs:
    """Films that models are given."""

    def ask(self, families: Service, film: str) -> str:
        picture = data_url(drawing(1))
        return submit(families, "video", "mover", width=96, height=64, input_image=picture, motion_video=film)

    @pytest.mark.contract("B47", "B51")
    def test_a_picture_moves_like_a_film(self, families: Service) -> None:
        made = decode_video(download(families, self.ask(families, clip(families, 12))), "mp4")
        light = made.frames.mean(axis=(1, 2, 3))
        assert (12, 12) == (len(light), made.fps)
        assert np.all(np.diff(light) > 0)
        assert ("not_supported_by_model", True) == self.refused(families, clip(families, 18), "films of at most 1 s")
        assert ("unsupported_media", True) == self.refused(families, clip(families, 4, "webm"), "The model takes MP4")
        for missing, field in (("motion_video", "$.motion_video"), ("input_image", "$.input_image")):
            body = {"model": "mover", "input_image": data_url(drawing(1)), "motion_video": clip(families, 4)}
            del body[missing]
            answer = families.client.post("/generate/video/v1", json=body)
            assert (422, "missing_field", field) == (answer.status_code, answer.json()["code"], answer.json()["field"])

    def refused(self, families: Service, film: str, words: str) -> tuple[str, bool]:
        code, message = problem(families, self.ask(families, film))
        return code, words in message


@pytest.mark.matrix
@pytest.mark.parametrize("name", [*IMAGES, *FILMS, *GUIDED])
class TestEveryFamily:
    def ask(self, families: Service, name: str, **fields: Any) -> str:
        if name in FILMS:
            return submit(families, "video", name, width=64, height=64, duration_seconds=0.4, **fields)
        if name in GUIDED:
            pictures = {"input_image": data_url(drawing(1))}
            return submit(families, "video", name, width=64, height=64, duration_seconds=0.5, **pictures, **fields)
        given = {"reference_images": [data_url(drawing(1))]} if name == "qwenedit" else {}
        return submit(families, "image", name, width=64, height=64, **given, **fields)

    def test_progress_rises_at_least_three_times_before_the_end(self, families: Service, name: str) -> None:
        job_id = self.ask(families, name, num_inference_steps=20)
        finished.assert_progress_rises(families, job_id)

    def test_a_cancel_stops_it_and_the_engine_goes_on(self, families: Service, name: str) -> None:
        finished.assert_a_cancel_ends_it(families, "families", self.ask(families, name, num_inference_steps=200))
        assert JobStatus.COMPLETED == families.ended(self.ask(families, name), 120).status
