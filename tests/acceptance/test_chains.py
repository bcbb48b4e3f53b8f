"""A chain through real processes: a picture, its cut-out and a mesh of that, with one webhook at the end."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from standardwebhooks import Webhook

from core.signing import webhook_secret
from tests.support.servers.webhook_receiver import Received, Reply, WebhookReceiver
from tests.support.service import finished
from tests.support.service.service import Service
from tests.support.wait import until

STEPS = [
    {"name": "picture", "modality": "image", "prompt": "a red circle on white", "model": "demo-shapes",
     "width": 256, "height": 256},
    {"name": "cutout", "modality": "remove-background", "input_image": "step:picture"},
    {"name": "mesh", "modality": "3d", "input_image": "step:cutout"},
]  # fmt: skip


@pytest.fixture
def sink() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as made:
        yield made


@pytest.mark.contract("F40")
def test_words_become_a_mesh_by_way_of_a_picture(studio: Service, sink: WebhookReceiver) -> None:
    answer = studio.client.post("/chains/v1", json={"steps": STEPS, "callback_url": f"{sink.url}/done"})
    assert 202 == answer.status_code, answer.text
    chain = answer.json()
    assert ["pending", "pending"] == [step["job"]["status"] for step in chain["steps"][1:]]

    (received,) = until(lambda: list(sink.received), 120, "the webhook")
    event = Webhook(webhook_secret(studio.settings.secret_key, studio.tenant, 1)).verify(
        received.body, received.headers
    )

    ended = show(studio, chain)
    assert ("chain.completed", "completed", 1.0) == (event["type"], ended["status"], ended["progress"])
    assert ended == event["data"]
    picture, cutout, mesh = (finished.download(step["job"]["result_url"]) for step in ended["steps"])
    assert "RGB" == Image.open(BytesIO(picture)).mode
    alpha = np.asarray(Image.open(BytesIO(cutout)).convert("RGBA"))[..., 3]
    assert alpha.min() == 0 < alpha.max()
    assert len(trimesh.load_mesh(BytesIO(mesh), file_type="glb").faces) > 50
    assert ended["result_url"] == ended["steps"][2]["job"]["result_url"]


@pytest.mark.long
def test_an_endpoint_gets_the_end_of_every_chain(studio: Service, sink: WebhookReceiver) -> None:
    events = ["chain.completed", "chain.failed", "chain.cancelled"]
    endpoint = studio.client.post("/webhooks/v1", json={"url": sink.url, "events": events}).raise_for_status().json()
    assert events == endpoint["events"]
    unreachable = {"modality": "remove-background", "input_image": f"{sink.url}/not-a-picture"}
    sink.reply_to["/hook/not-a-picture"] = Reply(404)
    made = {"modality": "image", "prompt": "a red circle on white", "width": 64, "height": 64}

    completed, failed, cancelled = (
        studio.client.post("/chains/v1", json={"steps": steps}).raise_for_status().json()
        for steps in (
            [made],
            [unreachable],
            [made | {"num_inference_steps": 150}, STEPS[1] | {"input_image": "step:1"}],
        )
    )
    studio.client.post(f"/chains/v1/{cancelled['chain_id']}/cancel").raise_for_status()

    def ends() -> list[Received]:
        return [one for one in sink.received if one.path == "/hook"]

    until(lambda: len(ends()) >= 3, 120, "the ends of three chains")
    secret = Webhook(endpoint["secret"])
    sent = [secret.verify(one.body, one.headers) for one in ends()]
    expected = zip(events, (completed, failed, cancelled), strict=True)
    assert {(type_, chain["chain_id"]) for type_, chain in expected} == {
        (event["type"], event["data"]["chain_id"]) for event in sent
    }
    assert {event["data"]["chain_id"]: event["data"] for event in sent} == {
        chain["chain_id"]: show(studio, chain) for chain in (completed, failed, cancelled)
    }
    log = studio.client.get("/webhooks/v1/deliveries", params={"webhook_id": endpoint["webhook_id"]}).json()
    assert sorted(one["data"]["chain_id"] for one in sent) == sorted(one["chain_id"] for one in log["deliveries"])
    studio.client.delete(f"/webhooks/v1/{endpoint['webhook_id']}").raise_for_status()


def show(studio: Service, chain: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = studio.client.get(f"/chains/v1/{chain['chain_id']}").json()
    return shown
