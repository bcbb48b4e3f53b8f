"""Probes."""

import msgspec
import pytest
from sqlalchemy import text

from jobs.statements import servers
from tests.support.service.api_server import api_server


def test_all_is_well(api):
    with api.client() as anybody:
        assert (200, {"status": "ok"}) == ((live := anybody.get("/health/live")).status_code, live.json())
        ready = anybody.get("/health/ready")
        assert (200, {"status": "ok", "database": "ok", "broker": "ok"}) == (ready.status_code, ready.json())


@pytest.mark.long
def test_a_database_without_a_schema_is_not_ready(settings, empty_database_url):
    empty = msgspec.structs.replace(settings, database_url=empty_database_url)
    with api_server(empty) as server, server.client() as anybody:
        answer = anybody.get("/health/ready")
    assert (503, "schema_behind") == (answer.status_code, answer.json()["code"])
    assert "atelier migrate" in answer.json()["detail"]


@pytest.mark.long
def test_an_older_schema_is_not_ready_until_it_is_migrated(settings, database_url, broker_url):
    from core.database import sync_engine
    from core.settings import Settings
    from tests.support.rows.rows import Rows

    engine = sync_engine(Settings(database_url=database_url))
    rows = Rows(engine)
    newest = rows.scalar(text("SELECT version_num FROM alembic_version"))
    rows.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with api_server(msgspec.structs.replace(settings, database_url=database_url)) as server, server.client() as anybody:
        assert "schema_behind" == anybody.get("/health/ready").json()["code"]
        rows.execute(text("UPDATE alembic_version SET version_num = :v").bindparams(v=newest))
        assert 200 == anybody.get("/health/ready").status_code
        rows.execute(text("UPDATE alembic_version SET version_num = '9999'"))  # by a newer version of the code
        assert 200 == anybody.get("/health/ready").status_code
        rows.execute(text("UPDATE alembic_version SET version_num = :v").bindparams(v=newest))
    engine.dispose()


def test_models_tell_which_are_served(client, rows):
    def served():
        models = client.get("/models/v1").json()["models"]
        return [(model["id"], model["available"], model["default"]) for model in models[:2]]

    assert [("chaos", False, False), ("chaos-two", False, False)] == served()
    rows.server("gpu-2", serves=["chaos-two"])
    assert [("chaos", False, False), ("chaos-two", True, True)] == served()
    rows.server("gpu-1", serves=["chaos", "chaos-two"])
    assert [("chaos", True, True), ("chaos-two", True, False)] == served()


def test_a_model_tells_what_a_caller_needs(client):
    model = client.get("/models/v1").json()["models"][0]
    assert ("Chaos", "image", "demo", 0.1) == tuple(
        model[name] for name in ("title", "modality", "tier", "estimated_seconds")
    )
    assert {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"} == model["licence"]
    assert 4000 == model["limits"]["max_prompt_chars"]


def test_a_model_tells_what_it_takes(client):
    model = client.get("/models/v1").json()["models"][0]
    assert (0, {}, 0, None, None, False) == tuple(
        model[name]
        for name in ("disk_bytes", "weights_bytes", "vram_bytes", "smallest_card_gb", "estimated_on", "is_measured")
    )


def test_a_model_tells_the_limits_of_its_modality(client):
    models = {model["modality"]: model["limits"] for model in client.get("/models/v1").json()["models"]}
    named = {
        "transcript": "max_audio_seconds",
        "upscale": "max_scale",
        "vectorize": "max_paths",
        "embedding": "max_texts",
    }
    assert [3600.0, 4, 5000, 256] == [models[modality][name] for modality, name in named.items()]
    assert [None] * 4 == [models["image"][name] for name in named.values()]


def test_a_model_tells_what_it_can_do(client):
    models = {model["id"]: model for model in client.get("/models/v1").json()["models"]}
    assert ["text-to-image", "references"] == models["chaos-references"]["capabilities"]
    assert 3 == models["chaos-references"]["limits"]["max_references"]
    film = models["chaos-video"]
    assert (["image-to-video"], 5.0, 24) == (
        *(film["capabilities"], film["limits"]["max_seconds"], film["defaults"]["fps"]),
    )


def test_a_model_tells_what_it_speaks(client):
    models = {model["id"]: model for model in client.get("/models/v1").json()["models"]}
    assert (["de", "en"], 1.0) == (
        models["chaos-speech"]["languages"],
        models["chaos-speech"]["limits"]["min_voice_seconds"],
    )
    assert [] == models["chaos"]["languages"]


def test_servers_tell_how_they_are(client, rows, create, worker):
    create()
    gone = rows.server("gpu-0")
    rows.execute(servers.leave(gone.server_id, gone.incarnation))
    dead, alive = client.get("/servers/v1").json()["servers"]
    assert ("gpu-0", False, "offline") == (dead["server_id"], dead["alive"], dead["state"])
    assert ("gpu-1", True, "ready", "active", "cpu", ["chaos"]) == tuple(
        alive[name] for name in ("server_id", "alive", "state", "desired", "device", "serves")
    )
    assert 0.0 <= alive["heartbeat_age_seconds"] < 60.0
