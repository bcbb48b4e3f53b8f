"""Secrets in settings: whatever is wrong with a value, no error, no log line and no command repeats them."""

import asyncio
import logging
import traceback

import msgspec
import pytest
from click.testing import CliRunner

from api.app import create_app
from cli.main import atelier
from cli.operator.checks import broker, database, run_check, schema, secret, store
from core.broker.clients import async_broker_client, broker_client
from core.database import sync_engine
from core.settings import Settings, read_settings
from core.storage.store import open_store
from core.tracing import start_tracing
from jobs.doorbell import celery_app
from jobs.events import Publisher
from jobs.schema.migrate import migrate
from workers.cpu.main import check

LEFT, RIGHT = "QQZXQQ", "XZQQXZ"
"""Halves of the planted secret; characters that URLs give a meaning to come between them."""
PASSWORDS = [f"{LEFT}{between}{RIGHT}" for between in ("", "/", "?", "#", "@", ":", "%", "%2F", "&x=")]

URLS = {
    "database_url": [
        *[f"postgresql://user:{password}@127.0.0.1:1/atelier" for password in PASSWORDS],
        *(f"postgresql://user:{LEFT}/atelier", f"postgres//user:{LEFT}@127.0.0.1:1/atelier", LEFT),
        f"postgresql://127.0.0.1:1/atelier?password={LEFT}&sslpassword={RIGHT}",
        f"postgresql://127.0.0.1:{LEFT}/atelier",
    ],
    "broker_url": [
        *[f"redis://:{password}@127.0.0.1:1/0" for password in PASSWORDS],
        f"rediss://:{LEFT}@127.0.0.1:1/0",
        *[f"sentinel://:{password}@127.0.0.1:1/main?sentinel_password={LEFT}" for password in PASSWORDS],
        *(f"redis://:{LEFT}/0", f"amqp://:{LEFT}@127.0.0.1:1/0", f"redis//:{LEFT}@127.0.0.1:1", f":{LEFT}@127.0.0.1"),
        *(f"redis://127.0.0.1:1/0?password={LEFT}", f"rediss://:{LEFT}@127.0.0.1:1/0?ssl_cert_reqs=none"),
        f"redis+socket://:{LEFT}@/nowhere/redis.sock",
        f"sentinel://:{LEFT}@127.0.0.1:1;sentinel://:{RIGHT}@127.0.0.1:2/0",
    ],
    "storage_url": [
        *[
            f"{start}?endpoint=http://127.0.0.1:1&access_key={LEFT}&secret_key={RIGHT}"
            for start in ("s3://b", "s3:///b")
        ],
        *(
            f"s3://b?access_key={LEFT}",
            f"s3://b?secret_key={LEFT}",
            f"s3:/b?secret_key={LEFT}",
            f"s3?secret_key={LEFT}",
        ),
        f"s3://b?endpoint=http://{LEFT}:{RIGHT}@127.0.0.1:1&access_key=a&secret_key={LEFT}",
        f"s3://b?endpoint=127.0.0.1:1&access_key={LEFT}&secret_key={RIGHT}",
        f"https://{LEFT}:{RIGHT}@127.0.0.1:1/bucket",
    ],
    "public_url": [f"https://user:{LEFT}@media.example"],
    "backend_keys": [LEFT, f"partner={LEFT},{RIGHT}", f"={LEFT}", f"partner={LEFT}"],
    "otlp_endpoint": [f"https://user:{LEFT}@127.0.0.1:x", f"user:{LEFT}@127.0.0.1:1", f"http://:{LEFT}/"],
}
"""Values of each setting that may hold a secret, most of them with a typing error."""

WITHOUT_SECRETS = {
    *("aliases", "catalog", "weights_dir", "weights_lock", "allowed_licenses", "scratch_dir", "server_id", "device"),
    "peer_devices",
    *("compile_cache", "preload", "allowed_networks", "ca_bundle", "webhook_schedule", "log_level", "metrics_host"),
    *("trusted_proxies", "cors_origins", "allowed_ports", "library_analyses"),
}
"""Text settings of names and paths, which messages may repeat."""


def ping(settings):
    async def work():
        async with async_broker_client(settings) as client:
            await client.ping()

    asyncio.run(work())


def connect(settings):
    db = sync_engine(settings)
    try:
        db.connect()
    finally:
        db.dispose()


def establish(settings):
    connection = celery_app(settings).connection_for_write()
    logging.getLogger("test").warning("%s %r", connection, connection.as_uri())
    connection.transport.establish_connection()


def represent(settings):
    raise ValueError(f"{settings!r} {settings}")


STEPS = {
    "database_url": [connect, lambda settings: migrate(settings.database_url)],
    "broker_url": [
        *(lambda settings: broker_client(settings).ping(), ping, establish),
        lambda settings: Publisher(settings).publish([]),
    ],
    "storage_url": [lambda settings: open_store(settings).check()],
    "public_url": [],
    "backend_keys": [],
    "otlp_endpoint": [lambda settings: start_tracing(settings, "tests")()],
}
CHECKS = {"database_url": (database, schema), "broker_url": (broker,), "storage_url": (store,)}
PLANTED = [(name, value) for name, values in URLS.items() for value in values]


def outputs(settings, name):
    """Everything that is said of the settings by what reads this one."""
    for step in (represent, check, *STEPS[name]):
        try:
            step(settings)
        except Exception as error:
            yield "".join(traceback.format_exception(error))
    for finding in CHECKS.get(name, ()):
        yield run_check(finding, settings).text


def test_every_text_setting_is_known_to_hold_secrets_or_none():
    texts = {field.name for field in msgspec.structs.fields(Settings) if field.type is str}
    assert texts <= URLS.keys() | WITHOUT_SECRETS | {"secret_key"}


@pytest.mark.matrix
@pytest.mark.parametrize(("name", "value"), PLANTED)
def test_34_no_error_and_no_log_line_repeats_a_secret(name, value, caplog):
    caplog.set_level(logging.DEBUG)
    settings = read_settings({f"ATELIER_{name.upper()}": value, "ATELIER_SECRET_KEY": "k" * 32})
    said = [*outputs(settings, name), caplog.text]
    assert 2 <= len(said)
    for text in said:
        assert LEFT not in text, text
        assert RIGHT not in text, text


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(Settings)])
def test_a_secret_in_place_of_its_file_is_not_repeated(field):
    with pytest.raises(ValueError, match=f"^ATELIER_{field.upper()}_FILE ") as caught:
        read_settings({f"ATELIER_{field.upper()}_FILE": LEFT})
    assert LEFT not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("command", ["doctor", "migrate", "keys list"])
def test_34_no_command_repeats_a_secret(command, monkeypatch, tmp_path):
    for name, values in URLS.items():
        if name != "otlp_endpoint":
            monkeypatch.setenv(f"ATELIER_{name.upper()}", values[-1])
    monkeypatch.setenv("ATELIER_SECRET_KEY", LEFT)
    result = CliRunner().invoke(atelier, [*command.split(), "--data", str(tmp_path)])
    said = result.output + "".join(traceback.format_exception(result.exception))
    assert 0 != result.exit_code
    assert "ATELIER_" in said
    assert LEFT not in said
    assert RIGHT not in said


def test_the_api_does_not_repeat_a_secret():
    for name in ("database_url", "broker_url", "storage_url"):
        for value in URLS[name][-2:]:
            settings = read_settings({f"ATELIER_{name.upper()}": value, "ATELIER_SECRET_KEY": "k" * 32})
            try:
                create_app(settings)
            except ValueError as error:
                said = "".join(traceback.format_exception(error))
                assert f"ATELIER_{name.upper()}=" in said
                assert LEFT not in said
                assert RIGHT not in said


@pytest.mark.parametrize("value", ["s3://b?access_key=A", "s3://b?secret_key=A", "s3:///b?access_key=A&secret_key=B"])
def test_a_mistyped_store_is_an_error_that_says_what_to_do(value):
    with pytest.raises(ValueError, match=r"^ATELIER_STORAGE_URL=s3://"):
        open_store(Settings(storage_url=value))


def test_the_secret_key_is_not_shown_by_its_check():
    assert LEFT not in run_check(secret, Settings(secret_key=LEFT)).text
