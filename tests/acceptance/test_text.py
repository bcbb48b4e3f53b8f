"""Texts through every real part, of tiny random language models in the published layouts."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import videogen
from openai import APIError, BadRequestError, OpenAI
from PIL import Image

from atelier_client import Atelier
from jobs.job import JobStatus
from pipelines.catalog.prompts.templates import FILM, MARKDOWN
from pipelines.text.enhancement import MOST_TOKENS, as_prompt
from tests.acceptance.clients.test_typescript import run, texts_of_whaletools
from tests.support.checkpoints import tiny_texts
from tests.support.checkpoints.specs import entry
from tests.support.media.films import film_of
from tests.support.servers.databases import Databases
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service import finished
from tests.support.service.model_service import model_service
from tests.support.service.openai_in_node import OpenAIInNode
from tests.support.service.service import Service
from tests.support.service.sse import events
from tests.support.wait import until
from tests.unit.pipelines.text.test_transformers_text import directly

HELLO = [{"role": "user", "content": "hello"}]
READ = len("user\nhello") + len("\n") + len("assistant\n") + 3
"""Tokens of that chat: a byte is one, and so is each of the three marks."""


ONCE_FULL = "once-full-writer"
"""A model whose first run is out of memory."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Path:
    """The models, Qwen3.5's alone unless all were asked for."""
    folder = tmp_path_factory.mktemp("weights")
    for name in tiny_texts.BUILDERS if full else ("qwen3_5",):
        tiny_texts.save(name, folder / name.replace("_", "."))
    return folder


def sees(name: str) -> dict[str, Any]:
    return {"capabilities": ["vision", "films"]} if name == "qwen3.5" else {}


@pytest.fixture(scope="module")
def writers(
    postgres: Databases, valkey: str, tmp_path_factory: pytest.TempPathFactory, weights: Path
) -> Iterator[Service]:
    """A service with one GPU worker on the CPU that serves them."""
    names = sorted((folder.name for folder in weights.iterdir()), reverse=True)
    limits = {"max_prompt_chars": 500}
    catalog = "".join(
        entry(name, family="transformers-text", modality="text", limits=limits, deadlines={"step": 30}, **sees(name))
        for name in names
    )
    folder = tmp_path_factory.mktemp("writers")
    catalog += entry("blind", family="transformers-text", modality="text", source={"path": names[-1]}, limits=limits)
    hampered = "tests.support.checkpoints.hampered:HamperedText"
    catalog += entry(ONCE_FULL, family=hampered, modality="text", source={"path": "qwen3.5"}, limits=limits)
    shapes = {"source": {"shipped": "pipelines/demo/weights"}, "capabilities": ["text-to-image"]}
    catalog += entry("shapes", family="diffusers-image", modality="image", **shapes)
    settings = {
        "ATELIER_LIBRARY_ANALYSES": "description",
        "ATELIER_DEVELOPMENT": "1",
        "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8",  # where a webhook goes
    }
    stack = {"server_id": "writers", "postgres": postgres, "broker_url": valkey}
    with model_service(folder, catalog, weights, **stack, **settings) as made:
        yield made


def make(writers: Service, **fields: Any) -> dict[str, Any]:
    return finished.make(writers, "text", **{"prompt": "hello", "max_tokens": 30, "seed": 7, **fields})


def chat(**fields: Any) -> dict[str, Any]:
    return {"prompt": None, **fields}


@pytest.mark.parametrize(
    "model",
    ["qwen3.5", pytest.param("qwen3", marks=pytest.mark.long), pytest.param("llama", marks=pytest.mark.long)],
)
def test_the_text_is_the_one_that_transformers_writes(writers: Service, weights: Path, model: str) -> None:
    status = make(writers, model=model, temperature=1.2, top_p=0.9)
    text = directly(weights / model, HELLO, 7, max_new_tokens=30, do_sample=True, temperature=1.2, top_p=0.9)
    (output,) = status["outputs"]
    assert (text, READ, 7) == (output["text"], output["input_tokens"], status["seed"])
    file = httpx.get(output["url"], follow_redirects=True)
    assert text.encode() == file.content
    assert file.headers["content-type"].startswith("text/plain")
    assert "charset=utf-8" in file.headers["content-type"]
    manifest = writers.client.get(f"/jobs/v1/{status['job_id']}/manifest").json()
    assert (READ, output["output_tokens"]) == tuple(
        manifest["outputs"][0][name] for name in ("input_tokens", "output_tokens")
    )


@pytest.mark.contract("A76")
def test_plain_and_markdown_are_files_of_their_kind(writers: Service) -> None:
    plain, markdown = (make(writers, output_format=ending)["outputs"][0] for ending in ("txt", "md"))
    assert ("text/plain", "text/markdown") == (plain["media_type"], markdown["media_type"])
    assert markdown["input_tokens"] == plain["input_tokens"] + len(f"\n\n{MARKDOWN}")
    assert markdown["url"].split("?")[0].endswith(".md")


@pytest.mark.contract("A75")
def test_a_template_is_the_prompt_that_it_says(writers: Service) -> None:
    asked = {"template": "headline", "variables": {"product": "a mug", "count": "two"}}
    filled = [
        {"role": "system", "content": "You write headlines for advertisements, of at most eight words each."},
        {"role": "user", "content": "Write two headlines for an advertisement of a mug."},
    ]
    one, other = (make(writers, **chat(**fields))["outputs"][0] for fields in (asked, {"messages": filled}))
    assert (one["text"], one["input_tokens"]) == (other["text"], other["input_tokens"])


@pytest.mark.contract("C19")
def test_a_better_prompt_is_written_before_the_picture(writers: Service) -> None:
    size = {"width": 64, "height": 64, "num_inference_steps": 1, "output_format": "png"}
    asked = {"prompt": "a red circle", "seed": 7, **size}
    enhanced = finished.make(writers, "image", **asked, enhance_prompt=True)
    template = chat(template="image-prompt", variables={"prompt": "a red circle"})
    revised = as_prompt(make(writers, **template, max_tokens=MOST_TOKENS)["outputs"][0]["text"])
    output = enhanced["outputs"][0]
    plain = finished.make(writers, "image", **{**asked, "prompt": revised})["outputs"][0]
    assert (revised, None) == (output["revised_prompt"], plain["revised_prompt"])
    assert revised != asked["prompt"]
    assert plain["sha256"] == output["sha256"]
    manifest = writers.client.get(f"/jobs/v1/{enhanced['job_id']}/manifest").json()
    assert ("a red circle", revised) == (manifest["params"]["prompt"], manifest["revised_prompt"])
    assert ["qwen3.5", "shapes"] == sorted(one["bundle"] for one in manifest["weights"])[-2:]
    again = writers.client.post(f"/jobs/v1/{enhanced['job_id']}/reproduce").raise_for_status().json()["job_id"]
    assert () == writers.ended(again, 60).warnings
    made = writers.client.get(f"/jobs/v1/{again}/manifest").json()
    assert (True, revised) == (made["reproduces"]["identical"], made["params"]["prompt"])


def data_url(level: int) -> str:
    """A gray picture of 64 x 64 pixels."""
    file = BytesIO()
    Image.new("RGB", (64, 64), (level,) * 3).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


@pytest.mark.long
def test_a_model_that_sees_is_shown_pictures(writers: Service, gpt: OpenAI) -> None:
    """A picture of that size is four tokens between two marks; what is seen is compared in the family's tests."""
    asked = {"model": "qwen3.5", "temperature": 2.0}
    blind = make(writers, **asked)["outputs"][0]
    one, same, other = (make(writers, **asked, images=[data_url(level)])["outputs"][0] for level in (0, 0, 255))
    assert [READ, READ + 6, READ + 6] == [each["input_tokens"] for each in (blind, one, other)]
    assert one["text"] == same["text"]
    assert 3 == len({blind["text"], one["text"], other["text"]})
    picture = {"type": "image_url", "image_url": {"url": data_url(0), "detail": "low"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "hello"}, picture]}]
    answer = gpt.chat.completions.create(**GPT | {"messages": messages, "max_tokens": 30, "temperature": 2.0})
    assert (one["text"], READ + 6) == (answer.choices[0].message.content, answer.usage and answer.usage.prompt_tokens)


@pytest.mark.long
def test_a_model_that_sees_is_shown_a_film(writers: Service) -> None:
    film = film_of([Image.new("RGB", (64, 64), (level,) * 3) for level in range(0, 240, 10)])
    url = f"data:video/mp4;base64,{base64.b64encode(film).decode()}"
    asked = {"model": "qwen3.5", "temperature": 0}
    seen = make(writers, **asked, input_video=url)["outputs"][0]
    words = make(writers, **asked, prompt=f"hello\n\n{FILM.format(4)}")["outputs"][0]
    assert words["input_tokens"] + 4 * 6 == seen["input_tokens"]
    assert words["text"] != seen["text"]


@pytest.mark.contract("D32")
def test_videogens_client_reads_what_is_in_its_file(writers: Service) -> None:
    """The description is the one that the model writes of the same picture; temporary files get none."""
    black = base64.b64decode(data_url(0).partition(",")[2])
    with (
        WebhookReceiver() as sink,
        videogen.VideoGen(api_key=writers.key, base_url=f"{writers.url}/videogen") as client,
    ):
        vg: Any = client
        end, poll = "file.analysis_completed", {"type": "IMAGE", "poll_interval_ms": 50}
        secret = vg.webhooks.create_webhook_endpoint(url=sink.url, events=[end])["signing_secret"]
        left = vg.upload_file(black, display_name="a.png", temporary=True, **poll)["file_id"]
        kept = vg.upload_file(black, display_name="b.png", **poll)["file_id"]

        def seen() -> list[Any]:
            sent = [videogen.verify_webhook_signature(one.body, one.headers, secret) for one in list(sink.received)]
            return [event for event in sent if event["file_id"] == kept]

        (event,) = until(seen, 60, "the webhook")
        files = [vg.files.get_file(file_id=file_id) for file_id in (left, kept)]
    states = [file["file_analysis_metadata"]["analysis_loading_state"] for file in files]
    assert ["UNATTEMPTED", "FULFILLED"] == states
    assert (end, kept) == (event["event"], event["file_id"])
    asked = chat(template="description", images=[data_url(0)], max_tokens=120, temperature=0, model="qwen3.5")
    text = make(writers, **asked)["outputs"][0]["text"].strip()
    assert [None, text, text] == [file["description"] for file in (*files, event["file"])]


def test_a_stop_sequence_ends_it(writers: Service) -> None:
    whole = make(writers)["outputs"][0]["text"]
    status = make(writers, stop=[whole[5:7]])
    (output,) = status["outputs"]
    assert (whole[: whole.index(whole[5:7])], "stop") == (output["text"], output["finish_reason"])


@pytest.mark.long
def test_its_progress_rises_and_a_cancel_ends_it(writers: Service) -> None:
    endless = {"prompt": "hello", "max_tokens": 300, "temperature": 2.0, "seed": 1}
    followed = writers.client.post("/generate/text/v1", json=endless).json()["job_id"]
    finished.assert_progress_rises(writers, followed)
    job_id = writers.client.post("/generate/text/v1", json=endless).json()["job_id"]
    finished.assert_a_cancel_ends_it(writers, "writers", job_id)
    assert make(writers, max_tokens=3)["outputs"][0]["text"]


@pytest.mark.long
def test_a_run_without_memory_is_made_again(writers: Service) -> None:
    """`test_hampered_runs.py` has what else befalls runs, and other kinds of engine."""
    again, plain = (make(writers, model=model)["outputs"][0]["text"] for model in (ONCE_FULL, "qwen3.5"))
    assert plain == again
    assert f"engine: out of memory, tried again model={ONCE_FULL}" in writers.log("writers")


LONG = {"prompt": "hello", "max_tokens": 300, "seed": 7}
WHALE = "/v1/generate/text"


@pytest.mark.long
def test_it_is_read_while_it_is_written(writers: Service) -> None:
    job_id = writers.client.post("/generate/text/v1", json=LONG).json()["job_id"]
    path = f"/jobs/v1/{job_id}/events"
    with writers.client.stream("GET", path, params={"previews": True}, timeout=120) as stream:
        seen = list(events(stream))
    texts = [event.data["text"] for event in seen if event.name == "preview"] + [seen[-1].data["outputs"][0]["text"]]
    assert "completed" == seen[-1].name
    assert 3 <= len(set(texts))
    assert all(after.startswith(before) for before, after in pairwise(texts))


@pytest.mark.contract("A62", "A63", "A64", "A65", "A66", "A69", "A70", "A71", "A72", "A73", "A74")
def test_a_text_in_the_form_of_whaletools(writers: Service) -> None:
    body = {"prompt": "hello", "model": "claude-sonnet-4-6", "max_tokens": 25, "temperature": 0.4, "seed": 3}
    answer = writers.client.post(WHALE, json=body, timeout=90)
    assert 200 == answer.status_code, answer.text
    made = answer.json()
    native = make(writers, max_tokens=25, temperature=0.4, seed=3)["outputs"][0]
    assert (native["text"], "claude-sonnet-4-6") == (made["text"], made["model"])
    assert {"input_tokens": READ, "output_tokens": 25} == made["usage"]
    assert native["text"] != make(writers, max_tokens=25, temperature=2.0, seed=3)["outputs"][0]["text"]
    assert re.fullmatch("gen_txt_[0-9a-f]{32}", made["id"])
    assert datetime.fromisoformat(made["created_at"]).utcoffset() is not None
    assert made == writers.client.get(f"{WHALE}/{made['id']}").json()


@pytest.mark.contract("A67", "A68")
def test_a_stream_in_the_form_of_whaletools(writers: Service) -> None:
    with writers.client.stream("POST", WHALE, json={**LONG, "stream": True}, timeout=120) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
    assert "[DONE]" == lines.pop()
    chunks = [json.loads(line) for line in lines]
    assert make(writers, **LONG)["outputs"][0]["text"] == "".join(chunk["text"] for chunk in chunks)
    assert 3 <= sum(chunk["text"] != "" for chunk in chunks)
    assert {"input_tokens": READ, "output_tokens": 300} == chunks[-1]["usage"]


@pytest.mark.long
def test_the_statements_of_whaletools_document(writers: Service, node: Path, tmp_path: Path) -> None:
    last = """
const whale = new WhaleClient({ apiKey: '%s', gatewayUrl: '%s/whaletools' });
const parts = [];
for await (const part of await whale.generate.text({ prompt: 'a', max_tokens: 3, stream: true })) parts.push(part);
console.log("|" + parts.at(-1).usage.output_tokens);
try {
  for await (const chunk of await whale.generate.text({ prompt: 'a'.repeat(400), stream: true })) void chunk;
} catch (error) {
  console.log(error.name, error.code);
}
"""
    written = run(node, tmp_path, texts_of_whaletools(writers.url, writers.key) + last % (writers.key, writers.url))
    text, counts = written.rsplit("|", 1)
    assert len(text) > 100
    assert ["3", "AtelierError out_of_range"] == counts.split("\n")[:2]


def test_a_stream_of_a_text_that_fails_says_why(writers: Service) -> None:
    body = {"prompt": "a" * 400, "stream": True}
    answer = writers.client.post(WHALE, json=body, timeout=90)
    assert "event: error" in answer.text
    assert '"code":"out_of_range"' in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")


SHOWN: Any = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "text", "text": "What is it?"},
        ],
    }
]
GPT: Any = {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 40, "seed": 7}


@pytest.fixture(scope="module")
def gpt(writers: Service) -> OpenAI:
    return OpenAI(base_url=f"{writers.url}/openai/v1", api_key=writers.key)


@pytest.mark.long
def test_openais_client_continues_a_chat(writers: Service, gpt: OpenAI) -> None:
    raw = gpt.chat.completions.with_raw_response.create(**GPT)
    answer, native = raw.parse(), make(writers, max_tokens=40)["outputs"][0]
    (choice,) = answer.choices
    assert (native["text"], "assistant", "length") == (
        choice.message.content,
        choice.message.role,
        choice.finish_reason,
    )
    assert answer.usage is not None
    assert (READ, 40, READ + 40) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.total_tokens,
    )
    assert ("gpt-4o-mini", "qwen3.5") == (answer.model, raw.headers["x-atelier-model"])
    stop = native["text"][5:7]
    parts: Any = [
        {"role": "developer", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "hello"}]},
    ]
    cut = gpt.chat.completions.create(
        **GPT | {"messages": parts, "stop": stop, "max_completion_tokens": 40, "store": True}
    )
    assert (native["text"].partition(stop)[0], "stop") == (cut.choices[0].message.content, cut.choices[0].finish_reason)


@pytest.mark.long
def test_openais_client_reads_while_it_is_written(writers: Service, gpt: OpenAI) -> None:
    asked = GPT | {"max_tokens": 300, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = list(gpt.chat.completions.create(**asked))
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert make(writers, **LONG)["outputs"][0]["text"] == "".join(texts)
    assert 3 <= sum(text != "" for text in texts)
    assert ("assistant", "length") == (chunks[0].choices[0].delta.role, chunks[-1].choices[0].finish_reason)
    assert ([], READ + 300) == (last.choices, last.usage.total_tokens)
    assert {None} == {chunk.usage for chunk in chunks}
    with pytest.raises(APIError, match="tokens"):
        list(gpt.chat.completions.create(**asked | {"messages": [{"role": "user", "content": "a" * 400}]}))


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"messages": []}, "out_of_range", "messages"),
        ({"messages": [{"role": "system", "content": " "}]}, "missing_field", "messages"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "a"}]}, "invalid_request", "messages[1].role"),
        ({"messages": [{"role": "tool", "content": "a", "tool_call_id": "a"}]}, "out_of_range", "messages[0].role"),
        ({"messages": [{"role": "user", "content": "a" * 501}]}, "out_of_range", "messages"),
        ({"model": "blind", "messages": SHOWN}, "not_supported_by_model", "messages"),
        ({"messages": [{"role": "user", "content": SHOWN[0]["content"][:1]}]}, "missing_field", "messages[0]"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "not_supported_yet", "tools"),
        ({"response_format": {"type": "json_object"}}, "not_supported_yet", "response_format"),
        ({"logprobs": True}, "not_supported_yet", "logprobs"),
        ({"n": 2}, "not_supported_yet", "n"),
        ({"temperature": 3}, "out_of_range", "temperature"),
        ({"extra_body": {"nonsense": 1}}, "unknown_field", "nonsense"),
    ],
)
def test_openais_client_is_refused_with_a_code(gpt: OpenAI, fields: Any, code: str, param: str) -> None:
    for stream in (False, True):
        with pytest.raises(BadRequestError) as refused:
            gpt.chat.completions.create(**GPT | fields | {"stream": stream})
        assert (code, param) == (refused.value.code, refused.value.param)


RESPONSE: Any = {"model": "gpt-4o-mini", "input": "hello", "max_output_tokens": 40, "temperature": 0}


@pytest.mark.long
def test_openais_client_gets_a_response(writers: Service, gpt: OpenAI) -> None:
    turns = [{"role": "system", "content": "be brief"}, *HELLO]
    (native,) = make(writers, prompt=None, messages=turns, max_tokens=40, temperature=0)["outputs"]
    raw = gpt.responses.with_raw_response.create(**RESPONSE, instructions="be brief", store=True)
    whole = raw.parse()
    assert (native["text"], "incomplete") == (whole.output_text, whole.status)
    assert "max_output_tokens" == (whole.incomplete_details and whole.incomplete_details.reason)
    assert whole.usage is not None
    assert 40 == whole.usage.output_tokens == whole.usage.total_tokens - whole.usage.input_tokens
    assert ("gpt-4o-mini", "qwen3.5") == (whole.model, raw.headers["x-atelier-model"])
    assert "store is ignored" in raw.headers["x-atelier-warnings"]
    parts = [{"role": "developer", "content": "be brief"}]
    parts.append({"role": "user", "content": [{"type": "input_text", "text": "hello"}], "type": "message"})
    assert native["text"] == gpt.responses.create(**RESPONSE | {"input": parts}).output_text
    again = gpt.responses.create(**RESPONSE | {"input": [*parts, *whole.output, {"role": "user", "content": "go on"}]})
    assert again.output_text


@pytest.mark.long
def test_openais_client_reads_a_response_as_it_is_written(writers: Service, gpt: OpenAI) -> None:
    whole = gpt.responses.create(**RESPONSE).output_text
    events = list(gpt.responses.create(**RESPONSE, stream=True))
    assert [*range(len(events))] == [each.sequence_number for each in events]
    assert whole == "".join(each.delta for each in events if each.type == "response.output_text.delta")
    kinds = [each.type for each in events if each.type != "response.output_text.delta"]
    assert ["response.created", "response.in_progress", "response.output_item.added"] == kinds[:3]
    assert ["response.output_item.done", "response.incomplete"] == kinds[-2:]
    with gpt.responses.stream(**RESPONSE) as stream:
        assert whole == [each.snapshot for each in stream if each.type == "response.output_text.delta"][-1]
    with pytest.raises(APIError, match="tokens"):
        list(gpt.responses.create(**RESPONSE | {"input": "a" * 400, "max_output_tokens": 300}, stream=True))


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": ""}, "out_of_range", "input"),
        ({"input": [{"role": "assistant", "content": "a"}]}, "invalid_request", "input"),
        ({"input": "a" * 501}, "out_of_range", "input"),
        ({"input": [{"type": "function_call_output", "output": "b"}]}, "out_of_range", "input[0].type"),
        ({"tools": [{"type": "web_search"}]}, "not_supported_yet", "tools"),
        ({"previous_response_id": "resp_1"}, "not_supported_yet", "previous_response_id"),
        ({"text": {"format": {"type": "json_object"}}}, "not_supported_yet", "text.format"),
        ({"extra_body": {"nonsense": 1}}, "unknown_field", "nonsense"),
    ],
)
def test_a_response_is_refused_with_a_code(gpt: OpenAI, fields: Any, code: str, param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        gpt.responses.create(**RESPONSE | fields)
    assert (code, param) == (refused.value.code, refused.value.param)


@pytest.mark.long
def test_openais_client_in_node(writers: Service, node: Path, tmp_path: Path) -> None:
    said = OpenAIInNode(node, tmp_path).run("chat", writers.url, writers.key, tmp_path)
    text = make(writers, max_tokens=40)["outputs"][0]["text"]
    assert (text, text) == (said["whole"]["choices"][0]["message"]["content"], said["text"])
    assert ("qwen3.5", READ + 40) == (said["model"], said["usage"]["total_tokens"])
    assert ["BadRequestError", 400, "not_supported_yet", "tools"] == said["tools"]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"prompt": None}, "missing_field", "$.prompt"),
        ({"prompt": "a" * 501}, "out_of_range", "$.prompt"),
        ({"prompt": "a\0b"}, "nul_in_text", "$.prompt"),
        (chat(messages=[{"role": "user", "content": "a" * 251}] * 3), "out_of_range", "$.messages"),
        (chat(messages=[{"role": "assistant", "content": "a"}]), "invalid_request", "$.messages[0].role"),
        (chat(template="nonsense"), "out_of_range", "$.template"),
        (chat(template="caption"), "missing_field", "$.variables.subject"),
        ({"variables": {"subject": "a"}}, "missing_field", "$.template"),
        ({"temperature": 3}, "out_of_range", "$.temperature"),
        ({"images": ["inp_unknown"], "model": "blind"}, "not_supported_by_model", "$.images"),
        ({"input_video": "inp_unknown", "model": "blind"}, "not_supported_by_model", "$.input_video"),
        (chat(template="description"), "missing_field", "$.images"),
        (chat(messages=[{"role": "user", "content": "a", "images": [0]}]), "out_of_range", "$.messages[0].images"),
    ],
)
def test_bad_input_is_refused_before_it_waits(writers: Service, fields: Any, code: str, field: str) -> None:
    answer = writers.client.post("/generate/text/v1", json={"prompt": "hello", **fields})
    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])


def test_a_chat_beyond_the_context_fails_with_its_code(writers: Service) -> None:
    job_id = writers.client.post("/generate/text/v1", json={"prompt": "a" * 400}).json()["job_id"]
    failed = writers.ended(job_id, 60)
    assert failed.error is not None
    assert (JobStatus.FAILED, "out_of_range") == (failed.status, failed.error.code)
    assert f"reads {tiny_texts.CONTEXT} tokens" in failed.error.message


@pytest.mark.long
def test_the_client_has_a_method(writers: Service, tmp_path: Path) -> None:
    with Atelier(writers.url, writers.key) as atelier:
        status = atelier.text(prompt="hello", max_tokens=12, seed=7, output_format="md")
        atelier.download(status.outputs[0], tmp_path / "text.md")
    assert (tmp_path / "text.md").read_text("utf-8") == status.outputs[0].text
