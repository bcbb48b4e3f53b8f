"""The package `mcp` 2.3.0 and npm's `@modelcontextprotocol/sdk` 1.32.2, unmodified, with our URL and key."""

import base64
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ImageContent, ResourceLink
from PIL import Image

from pipelines.matting.evaluate import PHOTO
from tests.support.deploy.node_packages import RegistryAway, install
from tests.support.paths import ROOT
from tests.support.service.agents import ERAS, agent, call
from tests.support.service.finished import download
from tests.support.service.service import Service

PROMPT = "a red circle on a blue background"
SECONDS = 120


async def ended(client: Client, started: dict[str, Any]) -> Any:
    """The result of the status of a generation that has ended."""
    while True:
        asked = {"generation_id": started["generation_id"], "wait": 20}
        result = await client.call_tool("get_generation_status", asked)
        if result.structured_content["status"] not in ("pending", "queued", "processing"):
            return result


def decoded(output: dict[str, Any]) -> Image.Image:
    """The image of an output, downloaded without a key; it is what the answer says of it."""
    content = download(output["url"])
    image = Image.open(BytesIO(content))
    assert (len(content), output["dimensions"]) == (output["bytes"], {"width": image.width, "height": image.height})
    return image


@pytest.mark.matrix
@pytest.mark.contract("B1", "B2", "B3", "B4", "B7", "B9", "B11", "B12", "B13", "B14", "B15")
@pytest.mark.contract("B16", "B17", "B18", "B19", "B20", "B21", "B22", "B23", "B24", "B25", "F46")
@pytest.mark.parametrize("mode", ERAS)
async def test_a_picture(studio: Service, mode: str) -> None:
    async with agent(studio.url, studio.key, mode) as client:
        started = await call(
            client,
            "generate_media",
            prompt=PROMPT,
            model="demo-shapes",
            generation_type="text-to-image",
            aspect_ratio="1:1",
            quality="standard",
            seed=7,
        )
        assert started["status"] in ("pending", "queued", "processing")
        assert started["estimated_time_seconds"] > 0
        assert started["estimated_cost_credits"] >= 0
        result = await ended(client, started)
    status = result.structured_content
    (output,) = status["outputs"]
    assert ("completed", 1.0, "image") == (status["status"], status["progress"], output["media_type"])
    assert 7 == studio.job(started["generation_id"]).seed
    whole = decoded(output)
    inline = next(block for block in result.content if isinstance(block, ImageContent))
    assert whole.size == Image.open(BytesIO(base64.b64decode(inline.data))).size
    link = next(block for block in result.content if isinstance(block, ResourceLink))
    assert (output["url"], output["bytes"], output["mime_type"]) == (str(link.uri), link.size, link.mime_type)
    for copy in (output["thumbnail_url"], output["optimized_url"]):
        assert max(Image.open(BytesIO(download(copy))).size) <= max(whole.size)


@pytest.mark.contract("B5", "B6", "B8", "B10")
async def test_a_film_of_a_picture(studio: Service) -> None:
    async with agent(studio.url, studio.key) as client:
        picture = await call(client, "generate_media", prompt=PROMPT, model="demo-shapes")
        await ended(client, picture)
        started = await call(
            client,
            "generate_media",
            prompt="slow zoom in",
            model="demo-camera",
            generation_type="image-to-video",
            source_media_urls=f"output:{picture['generation_id']}/0",
            negative_prompt="blur",
            aspect_ratio="4:5",
            duration="0.5s",
            sound=True,
        )
        result = await ended(client, started)
    said = " ".join(result.structured_content["warnings"])
    assert ("sound" in said, "negative_prompt" in said) == (True, True), said
    (output,) = result.structured_content["outputs"]
    with av.open(BytesIO(download(output["url"]))) as film:
        frames = list(film.decode(video=0))
    assert output["dimensions"] == {"width": frames[0].width, "height": frames[0].height}
    assert abs(0.8 - frames[0].width / frames[0].height) < 0.05
    assert ("video", "video/mp4", 0.5) == (output["media_type"], output["mime_type"], output["duration_seconds"])
    assert 12 == len(frames)


@pytest.mark.contract("B26", "B27", "B28", "B29", "B30", "B31", "B32", "B33", "B34")
async def test_an_estimate_starts_nothing(studio: Service) -> None:
    before = len(studio.client.get("/jobs/v1", params={"limit": 100}).json()["jobs"])
    async with agent(studio.url, studio.key) as client:
        short, long = [
            await call(
                client,
                "get_generation_estimate",
                model="demo-scene",
                generation_type="text-to-video",
                prompt=PROMPT,
                negative_prompt="blur",
                parameters={"duration": seconds, "aspect_ratio": "16:9"},
            )
            for seconds in ("1s", "8s")
        ]
        of_picture = await call(client, "get_generation_estimate", model="demo-camera")
    assert 0 < short["estimated_time_seconds"] < long["estimated_time_seconds"] <= long["p95_seconds"]
    assert short["confidence"] in ("none", "low", "medium", "high")
    assert (True, "image-to-video") == (short["sample_size"] >= 0, of_picture["generation_type"])
    assert before == len(studio.client.get("/jobs/v1", params={"limit": 100}).json()["jobs"])


@pytest.mark.contract("B35", "B36", "B37", "B38", "B39", "B40", "B41")
async def test_the_models(studio: Service) -> None:
    async with agent(studio.url, studio.key) as client:
        listed = (await call(client, "get_models"))["models"]
        films = (await call(client, "get_models", generation_type="image-to-video"))["models"]
    models = {model["id"]: model for model in listed}
    assert ["demo-camera", "demo-morph", "demo-motion"] == [model["id"] for model in films if model["available"]]
    camera = models["demo-camera"]
    assert (["image-to-video"], ["image"]) == (camera["generation_types"], camera["input_media_types"])
    assert {"image-to-video": {"min": 1, "max": 1}} == camera["required_inputs"]
    assert {"credits", "credits_per_second", "sound_credits_per_second", "usd"} == camera["costs"].keys()
    assert (True, False) == (camera["estimated_time_seconds"] > 0, camera["capabilities"]["negative_prompt"])
    assert (True, True) == (
        models["qwen-image-2512"]["capabilities"]["negative_prompt"],
        models["demo-shapes"]["default"],
    )
    assert "brand-kit" not in models
    available = [model["available"] for model in listed]
    assert sorted(available, reverse=True) == available


@pytest.mark.matrix
@pytest.mark.contract("D46", "F46")
@pytest.mark.parametrize("mode", ERAS)
async def test_an_agent_on_this_machine(studio: Service, mode: str) -> None:
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "cli.main", "mcp"],
        cwd=ROOT,
        env={"ATELIER_URL": studio.url, "ATELIER_API_KEY": studio.key, "PYTHONPATH": str(ROOT)},
    )
    async with Client(program, mode=mode) as client:
        assert "get_models first" in (client.instructions or "")
        assert 5 == len((await client.list_tools()).tools)
        picture = {"prompt": PROMPT, "model": "demo-cutout", "source_media_urls": str(PHOTO)}
        started = await call(client, "generate_media", **picture)
        noted: list[float] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            noted.append(progress)

        asked = {"generation_id": started["generation_id"], "wait": 50}
        result = await client.call_tool("get_generation_status", asked, progress_callback=note)
        assert "RGBA" == decoded(result.structured_content["outputs"][0]).mode
        assert sorted(set(noted)) == noted
        refused = await client.call_tool("generate_media", {"prompt": PROMPT, "model": "demo-shapez"})
        assert (True, True) == (refused.is_error, "demo-shapes" in str(refused.content[0]))
        assert (
            "completed" == (await call(client, "cancel_generation", generation_id=started["generation_id"]))["status"]
        )


@pytest.mark.long
def test_nothing_but_messages_comes_on_stdout(tmp_path: Path) -> None:
    """An API that is away is said in an error of the call; the program goes on."""
    first = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"}}
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": first},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "ping"},
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "mcp", "--url", "http://127.0.0.1:1", "--key", "atl_key"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("".join(f"{json.dumps(message)}\n" for message in asked))
        program.stdin.flush()
        answers = {answer["id"]: answer for answer in (json.loads(program.stdout.readline()) for _ in range(3))}
        program.stdin.close()
        assert ("", 0) == (program.stdout.read(), program.wait(SECONDS))
    assert "atelier" == answers[1]["result"]["serverInfo"]["name"]
    assert "No Atelier answers at http://127.0.0.1:1/mcp" in answers[2]["error"]["message"]
    assert {} == answers[3]["result"]


@pytest.mark.long
def test_the_client_of_npm(studio: Service, node: Path, tmp_path: Path) -> None:
    source = ROOT / "tests" / "support" / "deploy" / "node_mcp"
    try:
        install(node, tmp_path, source)
    except RegistryAway as error:
        pytest.skip(f"the npm package cannot be installed: {error}")
    (tmp_path / "tools.mjs").write_bytes((source / "tools.mjs").read_bytes())
    done = subprocess.run(
        [str(node), "tools.mjs", f"{studio.url}/mcp", studio.key],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    said = json.loads(done.stdout)
    assert ("completed", True, True) == (said["status"], said["refused"], said["noted"])
    assert [
        "cancel_generation",
        "generate_media",
        "get_generation_estimate",
        "get_generation_status",
        "get_models",
    ] == (said["tools"])
    assert said["size"] == len(download(said["url"]))
    assert (256, 256) == Image.open(BytesIO(base64.b64decode(said["picture"]))).size
