"""The suite's own servers: what the fixtures promise."""

import io
import subprocess
import urllib.request
from urllib.parse import urlsplit

import psycopg
import pytest
from minio import Minio
from redis import Redis

from core.storage.s3 import S3Store
from tests.support.servers.s3 import Swift


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows}


def client(server) -> Minio:
    place = urlsplit(server.endpoint)
    secure = place.scheme == "https"
    return Minio(place.netloc, server.access_key, server.secret_key, secure=secure, region=server.region)


def test_each_test_has_a_migrated_database_of_its_own(database_url, postgres):
    assert "jobs" in tables(database_url)
    with postgres.fresh() as other:
        assert other != database_url
        assert tables(other) == tables(database_url)


def test_a_database_is_gone_afterwards_even_when_it_is_in_use(postgres):
    with postgres.fresh() as url:
        lingering = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        lingering.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_an_empty_database_has_no_schema(empty_database_url):
    assert set() == tables(empty_database_url)


def test_the_broker_is_empty_for_each_test(broker_url):
    assert 0 == Redis.from_url(broker_url).dbsize()


def test_s3_stores_and_presigns(s3):
    bucket = client(s3)
    bucket.make_bucket("servers")
    bucket.put_object("servers", "a/b", io.BytesIO(b"hello"), 5)
    with urllib.request.urlopen(bucket.presigned_get_object("servers", "a/b"), timeout=10) as answer:
        assert b"hello" == answer.read()


def test_the_storage_url_opens_our_own_store(s3):
    store = S3Store.from_url(s3.storage_url("through-the-url"))
    store.make_bucket()
    store.check()


@pytest.mark.long
def test_s3_keeps_what_it_has_through_a_restart(tmp_path):
    server = Swift(tmp_path)
    server.start()
    try:
        client(server).make_bucket("kept")
        server.stop()
        server.start()
        assert client(server).bucket_exists("kept")
    finally:
        server.stop()


def test_node_runs(node):
    outcome = subprocess.run([node, "-e", "console.log(typeof fetch)"], check=True, capture_output=True)
    assert b"function\n" == outcome.stdout
