"""The tools for agents, on an API whose worker the test plays: both eras, waiting, refusals, keys, pages, a restart."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from core.signing import new_key
from jobs.job import JobError
from jobs.statements.api_keys import set_budget
from jobs.statements.queue.tenant_jobs import listing
from tests.support.paths import ROOT
from tests.support.rows.rows import ARTIFACT
from tests.support.service.agents import ERAS, agent, call, said
from tests.support.service.api_server import api_server, make_key
from tests.support.wait import until

PHOTO = "https://shop.example/1.jpg"
STAR = {"prompt": "a green star", "model": "chaos"}
RPC = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
READ_ONLY = {"get_models", "get_generation_status", "get_generation_estimate"}


def jobs_of(rows, tenant):
    with rows.engine.connect() as connection:
        return connection.execute(listing(tenant, limit=100)).all()


@pytest.mark.parametrize("mode", ERAS)
async def test_the_tools_are_listed(api, key, mode):
    async with agent(api.url, key, mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        assert "get_models first" in client.instructions
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {*READ_ONLY, "generate_media", "cancel_generation"} == tools.keys()
    assert READ_ONLY == {name for name, tool in tools.items() if tool.annotations.read_only_hint}
    for tool in tools.values():
        assert ("object", "object") == (tool.input_schema["type"], tool.output_schema["type"])
    assert {"prompt", "model"} == set(tools["generate_media"].input_schema["required"])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_generation_is_started_waited_for_and_shown(api, server, worker, key, mode):
    async with agent(api.url, key, mode) as client:
        started = await call(client, "generate_media", **STAR, aspect_ratio="16:9")
        noted = []

        async def note(progress, total, message):
            noted.append((progress, total, message))

        asked = {"generation_id": started["generation_id"], "wait": 20}
        waiting = asyncio.create_task(client.call_tool("get_generation_status", asked, progress_callback=note))
        job = worker.claim()
        worker.progress(job, 0.5)
        await asyncio.to_thread(until, lambda: noted)
        worker.complete(job, ARTIFACT)
        ended = await waiting
    assert (job.params["width"], job.params["height"]) == (1024, 576)
    assert [(0.5, 1.0, "step")] == noted
    assert "completed" == ended.structured_content["status"]
    assert json.loads(said(ended)) == ended.structured_content
    assert ["text", "resource_link"] == [block.type for block in ended.content]
    assert ended.structured_content["outputs"][0]["url"] == ended.content[1].uri


async def test_what_is_wrong_is_said_so_that_it_can_be_mended(api, all_models, worker, key):
    async with agent(api.url, key) as client:
        refusals = {
            "did you mean 'chaos'?": {**STAR, "model": "chaoz"},
            "chaos takes no pictures, and `source_media_urls` has 1": {**STAR, "source_media_urls": PHOTO},
            "chaos does not do image-to-video; its generation types are text-to-image": {
                **STAR,
                "generation_type": "image-to-video",
            },
            "image-to-video with chaos-video takes exactly 1 picture": {**STAR, "model": "chaos-video"},
            "`duration` must be a number of seconds": {**STAR, "model": "chaos-video-two", "duration": "long"},
            "`duration` must be at most 10": {**STAR, "model": "chaos-video-two", "duration": "90s"},
            "chaos-cutout does remove-background and nothing else": {
                **STAR,
                "model": "chaos-cutout",
                "generation_type": "text-to-image",
            },
            "image-to-3d with chaos-mesh takes exactly 1": {**STAR, "model": "chaos-mesh"},
            "`prompt` is required": {"model": "chaos"},
            "did you mean `aspect_ratio`": {**STAR, "aspekt_ratio": "1:1"},
        }
        for sentence, arguments in refusals.items():
            result = await client.call_tool("generate_media", arguments)
            assert (True, True) == (result.is_error, sentence in said(result)), said(result)
        beyond_all = {**STAR, "model": "veo-3", "source_media_urls": [PHOTO] * 9}
        assert "no_model_for_task" in said(await client.call_tool("generate_media", beyond_all))
        unknown = await client.call_tool("get_generation_status", {"generation_id": "job_" + "0" * 32})
        assert unknown.is_error
        started = await call(client, "generate_media", **STAR)
        worker.fail(worker.claim(), JobError("pipeline_failed", "The model failed."))
        failed = await client.call_tool("get_generation_status", {"generation_id": started["generation_id"]})
        assert (True, "failed") == (failed.is_error, failed.structured_content["status"])
        assert said(failed).endswith("failed (pipeline_failed): The model failed.")
        with pytest.raises(MCPError, match="Unknown tool 'paint'"):
            await client.call_tool("paint", {})


async def test_hosts_send_nulls_and_numbers_as_text(api, server, worker, key):
    async with agent(api.url, key) as client:
        started = await call(client, "generate_media", **STAR, seed="7", sound="true", source_media_urls=None)
    assert ["chaos makes no sound; `sound` was ignored"] == started["warnings"]
    assert 7 == worker.claim().seed


@pytest.mark.contract("B10", "B57")
async def test_a_film_has_sound_where_a_model_makes_it(api, rows, client, key):
    film = {"prompt": "rain", "model": "chaos-video-two", "sound": True}
    async with agent(api.url, key) as tools:
        rows.server("films", serves=["chaos-video-two"])
        silent = await call(tools, "generate_media", **film)
        before = await call(tools, "get_models")
        rows.server("both", serves=["chaos-video-two", "chaos-sound"])
        heard = await call(tools, "generate_media", **film)
        after = await call(tools, "get_models")
    (warning,) = silent["warnings"]
    assert "chaos-video-two makes no sound" in warning
    assert [] == heard["warnings"]
    servers = [client.get(f"/jobs/v1/{each['generation_id']}").json()["server_id"] for each in (silent, heard)]
    assert [None, "both"] == servers
    models = [{one["id"]: one for one in shown["models"]}["chaos-video-two"] for shown in (before, after)]
    assert [False, True] == [one["capabilities"]["sound"] for one in models]


async def test_a_generation_is_cancelled_and_one_that_is_left_goes_on(api, rows, server, worker, key):
    async with agent(api.url, key) as client:
        started = await call(client, "generate_media", **STAR)
        job = worker.claim()
        asked = {"generation_id": started["generation_id"], "wait": 50}
        waiting = asyncio.create_task(client.call_tool("get_generation_status", asked))
        await asyncio.to_thread(until, lambda: api.event_hub.following)
        waiting.cancel()
        await asyncio.to_thread(until, lambda: not api.busy_connections)
        assert "processing" == (await call(client, "get_generation_status", generation_id=job.id))["status"]
        assert "cancelled" == (await call(client, "cancel_generation", generation_id=job.id))["status"]
        assert "cancelled" == (await call(client, "cancel_generation", generation_id=job.id))["status"]


@pytest.mark.contract("B70")
async def test_credits_are_said_before_reserved_and_spent(api, rows, settings, tenant, all_models, key):
    edit = {"prompt": "a chair", "model": "chaos-edit"}
    price = 0.01 / settings.credit_usd
    rows.execute(set_budget(tenant, 0.02))
    async with agent(api.url, key) as client:
        models = {model["id"]: model for model in (await call(client, "get_models"))["models"]}
        estimate = await call(client, "get_generation_estimate", model="chaos-edit")
        started = await call(client, "generate_media", **edit)
        assert [price] * 3 == [
            models["chaos-edit"]["costs"]["credits"],
            estimate["estimated_cost_credits"],
            started["estimated_cost_credits"],
        ]
        asked = {"generation_id": started["generation_id"]}
        assert 0.0 == (await call(client, "get_generation_status", **asked))["cost_credits"]
        rows.complete(rows.claim(all_models), ARTIFACT)
        assert price == (await call(client, "get_generation_status", **asked))["cost_credits"]
        await call(client, "generate_media", **edit)
        refused = await client.call_tool("generate_media", edit)
    assert (True, True) == (refused.is_error, "budget" in said(refused))


async def test_shots_are_refused_with_the_rule(api, all_models, worker, key):
    story = {"prompt": "a boat", "model": "chaos-video-two"}
    shot = {"prompt": "zoom in"}
    refusals = {
        "`multi_shots` needs `shots`": {"multi_shots": True},
        "`multi_shots` is false, which is single-shot mode": {"multi_shots": False, "shots": [shot]},
        "the first shot has none before it": {"shots": [shot | {"continues": True}]},
        "`duration` of a shot must be from 0.1 to 10 seconds": {"shots": [shot | {"duration": "20s"}]},
        "takes 0 to 1 picture, and `source_media_urls` has 2": {"shots": [shot], "source_media_urls": [PHOTO] * 2},
    }
    async with agent(api.url, key) as client:
        for words, asked in refusals.items():
            refused = await client.call_tool("generate_media", story | asked)
            assert refused.is_error
            assert words in said(refused)
        ignored = await call(client, "generate_media", **STAR, shots=[shot])
    assert ["`shots` was ignored: it makes pictures"] == ignored["warnings"]


async def test_a_storyboard_is_shown_and_cancelled_as_one(api, rows, all_models, tenant, key):
    shots = [{"prompt": "zoom in"}, {"prompt": "zoom out", "continues": True}]
    async with agent(api.url, key) as client:
        started = await call(
            client, "generate_media", prompt="a boat", model="chaos-video-two", shots=shots, duration="5s", sound=True
        )
        assert 3 == len(started["warnings"])
        assert "4 jobs" in started["warnings"][-1]
        shown = await call(client, "get_generation_status", generation_id=started["generation_id"])
        assert ("queued", 0.0, []) == (shown["status"], shown["progress"], shown["outputs"])
        chained = f"output:{started['generation_id']}/0"
        after = await client.call_tool(
            "generate_media", {"prompt": "a", "model": "chaos-video", "source_media_urls": chained}
        )
        assert after.is_error
        assert "output of a job" in said(after)
        await call(client, "cancel_generation", generation_id=started["generation_id"])
    assert {"cancelled"} == {row.status for row in jobs_of(rows, tenant)}


async def test_several_clients_call_at_once(api, rows, server, tenant, key):
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(agent(api.url, key, mode)) for mode in ERAS]
        calls = [call(client, "generate_media", **STAR) for client in clients for _ in range(5)]
        started = await asyncio.gather(*calls)
    assert {one["generation_id"] for one in started} == {row.id for row in jobs_of(rows, tenant)}
    assert 10 == len(started)


@pytest.mark.long
@pytest.mark.parametrize("mode", ERAS)
async def test_a_restart_between_two_calls_loses_nothing(settings, rows, server, key, mode):
    with api_server(settings) as first:
        port = int(first.url.rpartition(":")[2])
        async with agent(first.url, key, mode) as client:
            started = await call(client, "generate_media", **STAR)
            await asyncio.to_thread(first.stop)
            with api_server(settings, port=port):
                shown = await call(client, "get_generation_status", generation_id=started["generation_id"])
    assert (started["generation_id"], "queued") == (shown["generation_id"], shown["status"])


async def test_keys_are_those_of_all_routes(api, rows, settings, tenant, server):
    with pytest.raises(BaseExceptionGroup) as refused:
        async with agent(api.url, new_key()):
            pass
    assert refused.group_contains(MCPError, match="This key is unknown")
    reader = make_key(rows, settings, tenant, scopes=["models:read"])
    async with agent(api.url, reader) as client:
        assert (await call(client, "get_models"))["models"]
        result = await client.call_tool("generate_media", STAR)
        assert (True, True) == (result.is_error, "lacks the scope `jobs:write`" in said(result))


def test_the_route_has_neither_sessions_nor_redirects(client):
    for path in ("/mcp", "/mcp/"):
        answer = client.post(path, json=PING, headers=RPC)
        assert (200, True) == (answer.status_code, '"result":{}' in answer.text)
        assert "mcp-session-id" not in answer.headers
    for method in ("GET", "DELETE"):
        refused = client.request(method, "/mcp", headers=RPC)
        assert (405, "OPTIONS, POST") == (refused.status_code, refused.headers["allow"])
    noted = client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=RPC)
    assert (202, b"") == (noted.status_code, noted.content)
    assert 404 == client.get("/.well-known/oauth-protected-resource/mcp").status_code


def test_a_refusal_of_http_is_an_error_of_json_rpc(api):
    with api.client() as keyless:
        answer = keyless.post("/mcp", json=PING, headers=RPC)
    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    body = answer.json()
    assert ("2.0", None, "unauthenticated") == (body["jsonrpc"], body["id"], body["error"]["data"]["code"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Host": "atelier:8000"}, 200),
    ],
)
def test_foreign_pages_are_refused(client, headers, status):
    assert status == client.post("/mcp", json=PING, headers=RPC | headers).status_code


@pytest.mark.long
def test_the_rate_limit_is_said_in_words(settings, rows, tenant):
    limited = msgspec.structs.replace(settings, rate_limit=0.01, rate_burst=1)
    with api_server(limited) as api, httpx.Client(base_url=api.url, headers=RPC) as client:
        client.headers["X-API-Key"] = make_key(rows, settings, tenant)
        answers = [client.post("/mcp", json=PING) for _ in range(2)]
    assert [200, 429] == [answer.status_code for answer in answers]
    assert "rate_limited" == answers[1].json()["error"]["data"]["code"]


@pytest.mark.long
@pytest.mark.parametrize("mode", ERAS)
async def test_the_program_passes_calls_on(api, all_models, worker, key, tmp_path, mode):
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "cli.main", "mcp"],
        cwd=ROOT,
        env={"ATELIER_URL": api.url, "ATELIER_API_KEY": key, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
    )
    async with Client(program, mode=mode) as client:
        assert READ_ONLY < {tool.name for tool in (await client.list_tools()).tools}
        models = {model["id"]: model for model in (await call(client, "get_models"))["models"]}
        assert {"image-to-video": {"min": 1, "max": 1}} == models["chaos-video"]["required_inputs"]
        estimate = await call(client, "get_generation_estimate", model="chaos-video", parameters={"duration": "2s"})
        assert ("image-to-video", "none") == (estimate["generation_type"], estimate["confidence"])
        started = await call(client, "generate_media", **STAR)
        noted = []

        async def note(progress, total, message):
            noted.append(progress)

        asked = {"generation_id": started["generation_id"], "wait": 20}
        waiting = asyncio.create_task(client.call_tool("get_generation_status", asked, progress_callback=note))
        job = worker.claim()
        worker.progress(job, 0.5)
        await asyncio.to_thread(until, lambda: noted)
        worker.complete(job, ARTIFACT)
        assert ("completed", [0.5]) == ((await waiting).structured_content["status"], noted)
        refused = await client.call_tool("generate_media", {**STAR, "source_media_urls": "/no/such/file.png"})
        assert (True, True) == (refused.is_error, "/no/such/file.png: No such file" in said(refused))
