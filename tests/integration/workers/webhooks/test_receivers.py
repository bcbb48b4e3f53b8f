"""Webhooks as receivers verify them, with the libraries that Standard Webhooks publishes for Python and JavaScript."""

import json
import subprocess

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core.settings import Settings
from core.signing import webhook_secret
from jobs.statements.queue import claimed
from jobs.statements.webhooks import endpoints
from tests.support.deploy.node_packages import FOLDER, RegistryAway, install
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until

ENDPOINT = "whk_" + "1" * 32


@pytest.fixture(scope="module")
def verify(node, tmp_path_factory):
    """Verify a webhook with the npm library; the payload. Raises `WebhookVerificationError`."""
    folder = tmp_path_factory.mktemp("npm")
    try:
        install(node, folder)
    except RegistryAway as error:
        pytest.skip(f"the npm library cannot be installed: {error}")

    def verified(secret, received):
        given = json.dumps({"secret": secret, "headers": received.headers, "body": received.body.decode()})
        done = subprocess.run(
            [str(node), str(FOLDER / "verify.mjs")],
            input=given,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            assert "WebhookVerificationError" in done.stderr, done.stderr
            raise WebhookVerificationError
        return json.loads(done.stdout)

    return verified


@pytest.fixture
def deliver(rows, database_url, tmp_path):
    """Settings, tenant, and what an endpoint whose secret was rotated, and a callback, receive of one job."""
    settings = Settings(
        database_url=database_url,
        broker_url="redis://127.0.0.1:1/0",
        storage_url=f"file://{tmp_path}/objects",
        scratch_dir=str(tmp_path),
        secret_key="a secret",
        development=True,
        allowed_networks="127.0.0.0/8",
        webhook_poll_seconds=0.05,
    )
    tenant = rows.tenant()
    with WebhookReceiver() as sink, WebhookReceiver() as callback:
        rows.execute(endpoints.add_webhook(ENDPOINT, tenant, url=sink.url, events=["job.completed"]))
        rows.execute(endpoints.rotate_webhook(ENDPOINT, tenant))
        rows.submit(tenant, callback_url=callback.url)
        job = rows.claim(rows.server())
        rows.change(claimed.commit(job.id, job.fence, artifacts=(), warnings=["größer als gewünscht"], cost=0.0))
        with cpu_worker(settings):
            until(lambda: sink.received and callback.received, what="both webhooks")
    return settings, tenant, sink.received[0], callback.received[0]


def test_in_python(deliver):
    settings, tenant, received, called = deliver
    for generation in (1, 2):
        secret = webhook_secret(settings.secret_key, ENDPOINT, generation)
        assert received.data == Webhook(secret).verify(received.body, received.headers)
    assert called.data == Webhook(webhook_secret(settings.secret_key, tenant, 1)).verify(called.body, called.headers)


@pytest.mark.long
def test_in_javascript(deliver, verify):
    settings, tenant, received, called = deliver
    for generation in (1, 2):
        assert received.data == verify(webhook_secret(settings.secret_key, ENDPOINT, generation), received)
    assert called.data == verify(webhook_secret(settings.secret_key, tenant, 1), called)
    for secret in (webhook_secret(settings.secret_key, ENDPOINT, 3), webhook_secret("another", ENDPOINT, 2)):
        with pytest.raises(WebhookVerificationError):
            verify(secret, received)
