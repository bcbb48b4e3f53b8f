"""/voices/v1: stored recordings, and jobs that name them."""

import io
import json
import re
import wave
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import update

from api.operations.voices import VoiceOperations
from cli.main import atelier
from core.errors.unavailable import DatabaseUnavailable, StorageUnavailable
from core.storage.directory import DirectoryStore
from jobs.schema.tables import inputs, jobs, uploads, voices
from jobs.statements import servers
from jobs.statements.clauses import ago
from tests.support.media.media import data_url, image_file
from tests.support.service.api_server import api_server
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until
from workers.cpu.job_maintenance import JobMaintenance

SPEECH = "/generate/speech/v1"


def recording(seconds=2.0):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"\x00\x10\x00\xf0" * round(4000 * seconds))
    return file.getvalue()


WAV = recording()
SOUND = data_url(WAV, "audio/wav")


@pytest.fixture(autouse=True)
def _served(all_models):
    """A server for everything."""


@pytest.fixture
def keep(client, store):
    """Keep a voice; the answer."""

    def post(name="Anna", source=SOUND):
        answer = client.post("/voices/v1", json={"name": name, "source": source})
        assert 201 == answer.status_code, answer.text
        return answer.json()

    return post


def refused(answer, status, code, field=None):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field")), problem
    return problem["detail"]


def listed(client, **filters):
    return client.get("/voices/v1", params=filters).raise_for_status().json()["voices"]


def ids(found):
    return [voice["voice_id"] for voice in found]


class TestKeeping:
    @pytest.mark.parametrize("way", ["data", "upload"])
    def test_a_recording_is_kept_under_an_object_of_its_own(self, keep, upload, rows, store, tenant, way, tmp_path):
        voice = keep(" Anna ", SOUND if way == "data" else upload(WAV))
        assert re.fullmatch("voi_[0-9a-f]{32}", voice["voice_id"])
        assert ("Anna", "stored", None, [], "audio/wav", len(WAV)) == tuple(
            voice[name] for name in ("name", "kind", "model", "languages", "media_type", "bytes")
        )
        (row,) = rows.execute(voices.select())
        assert (tenant, f"{tenant}/voices/{voice['voice_id']}") == (row.tenant, row.key)
        store.get(row.key, tmp_path / "object")
        assert WAV == (tmp_path / "object").read_bytes()

    def test_it_outlives_its_upload(self, client, keep, upload, rows, store, tenant):
        voice = keep(source=upload(WAV))
        store.remove_prefix(f"{tenant}/inputs/")
        rows.execute(uploads.delete())
        assert WAV == httpx.get(client.get(f"/voices/v1/{voice['voice_id']}").json()["preview_url"]).content

    def test_its_preview_is_the_recording_itself(self, keep):
        answer = httpx.get(keep()["preview_url"])
        assert (200, "audio/wav", WAV) == (answer.status_code, answer.headers["content-type"], answer.content)

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            ({"name": "Anna", "source": "https://shop.example/anna.wav"}, "invalid_request", "$.source"),
            ({"name": "Anna", "source": "voi_" + "0" * 32}, "invalid_request", "$.source"),
            ({"name": "Anna", "source": "anna.wav"}, "invalid_request", "$.source"),
            ({"name": "Anna", "source": "inp_" + "0" * 32}, "unknown_input", "$.source"),
            ({"name": "Anna", "source": "inp_x"}, "unknown_input", "$.source"),
            ({"name": "Anna", "source": data_url(image_file())}, "unsupported_media", "$.source"),
            ({"name": "Anna", "source": "data:audio/wav;base64,"}, "unsupported_media", "$.source"),
            ({"name": "Anna", "source": "data:audio/wav;base64,!!!"}, "input_unreadable", "$.source"),
            ({"name": "Anna", "source": data_url(bytes(20_000_001))}, "input_too_large", "$.source"),
            ({"name": "Anna"}, "missing_field", "$.source"),
            ({"source": SOUND}, "missing_field", "$.name"),
            ({"name": "", "source": SOUND}, "out_of_range", "$.name"),
            ({"name": "  ", "source": SOUND}, "out_of_range", "$.name"),
            ({"name": "a" * 101, "source": SOUND}, "out_of_range", "$.name"),
            ({"name": "a\0", "source": SOUND}, "nul_in_text", "$.name"),
            ({"name": 1, "source": SOUND}, "wrong_type", "$.name"),
            ({"name": "Anna", "source": SOUND, "language": "en"}, "unknown_field", "$.language"),
        ],
    )
    def test_what_is_refused_leaves_nothing_behind(self, client, rows, store, body, code, field):
        refused(client.post("/voices/v1", json=body), 422, code, field)
        assert [] == rows.execute(voices.select())
        assert [] == list(store.keys())

    def test_a_recording_without_a_row_goes_with_old_uploads(self, client, keep, rows, store, settings, monkeypatch):
        async def lost(self, *facts):
            raise DatabaseUnavailable

        voice_id = keep()["voice_id"]
        with monkeypatch.context() as patch:
            patch.setattr(VoiceOperations, "_commit", lost)
            answer = client.post("/voices/v1", json={"name": "Anna", "source": SOUND})
        refused(answer, 503, "database_unavailable")
        assert 2 == len(list(store.keys()))
        rows.execute(update(uploads).values(created_at=ago(3 * 86_400)))
        JobMaintenance(settings, rows.engine, store).remove_uploads()
        (key,) = store.keys()
        assert (voice_id, []) == (key.rpartition("/")[2], rows.execute(uploads.select()))

    def test_a_store_without_links_still_shows_the_voice(self, client, keep, monkeypatch):
        def away(self, key, *, seconds, media_type):
            raise StorageUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(DirectoryStore, "link", away)
            assert keep()["preview_url"] is None
        (voice,) = (voice for voice in listed(client) if voice["kind"] == "stored")
        assert 200 == httpx.get(voice["preview_url"]).status_code

    def test_an_upload_that_grew_after_it_was_looked_at(self, client, upload, rows, store, monkeypatch):
        source, real = upload(WAV), DirectoryStore.get

        def grown(self, key, target):
            real(self, key, target)
            with target.open("ab") as file:
                file.truncate(20_000_001)

        with monkeypatch.context() as patch:
            patch.setattr(DirectoryStore, "get", grown)
            answer = client.post("/voices/v1", json={"name": "Anna", "source": source})
        refused(answer, 422, "input_too_large", "$.source")
        assert ([], 1) == (rows.execute(voices.select()), len(list(store.keys())))

    def test_a_url_is_to_be_uploaded_first(self, client, store):
        answer = client.post("/voices/v1", json={"name": "Anna", "source": "https://shop.example/anna.wav"})
        assert "send the file with POST /inputs/v1" in answer.json()["detail"]

    def test_an_upload_of_another_tenant_is_unknown(self, stranger, upload, store):
        answer = stranger.post("/voices/v1", json={"name": "Anna", "source": upload(WAV)})
        refused(answer, 422, "unknown_input", "$.source")

    @pytest.mark.long
    def test_there_is_room_for_so_many(self, settings, key, rows, store):
        with api_server(msgspec.structs.replace(settings, max_voices=2)) as server, server.client(key) as client:
            body = {"name": "Anna", "source": SOUND}
            first, _ = (client.post("/voices/v1", json=body).json() for _ in range(2))
            assert "2 voices" in refused(client.post("/voices/v1", json=body), 422, "too_many_voices")
            assert 2 == len(list(store.keys()))
            assert 204 == client.delete(f"/voices/v1/{first['voice_id']}").status_code
            assert 201 == client.post("/voices/v1", json=body).status_code

    @pytest.mark.long
    def test_no_more_than_that_at_once_either(self, settings, key, rows, store):
        few = msgspec.structs.replace(settings, max_voices=2)
        body = {"name": "Anna", "source": SOUND}
        with api_server(few) as server, server.client(key) as client, ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: client.post("/voices/v1", json=body).status_code, range(6)))
        assert [201, 201, 422, 422, 422, 422] == sorted(answers)
        assert 2 == len(rows.execute(voices.select())) == len(list(store.keys()))


class TestListing:
    def test_stored_ones_newest_first_then_those_of_models(self, client, keep):
        anna, ben = keep("Anna"), keep("Ben")
        found = listed(client)
        assert [ben["voice_id"], anna["voice_id"], "builtin:chaos-speech"] == ids(found)
        assert ("Chaos", "builtin", "chaos-speech", ["de", "en"], None) == tuple(
            found[2][name] for name in ("name", "kind", "model", "languages", "created_at")
        )
        assert "/voices/v1/builtin:chaos-speech/sample?signature=" in found[2]["preview_url"]
        assert found[2] == client.get("/voices/v1/builtin:chaos-speech").json()
        assert "Ben" == client.get(f"/voices/v1/{ben['voice_id']}").json()["name"]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"model": "chaos-speech"}, ["stored", "builtin"]),
            ({"model": "chaos-speech", "language": "de-AT"}, ["stored", "builtin"]),
            ({"language": "en"}, ["stored", "builtin"]),
            ({"language": "fr"}, ["stored"]),  # a recording speaks any language, with a model that does
            ({"model": "chaos-speech", "language": "fr"}, []),
            ({"model": "chaos"}, []),
            ({"model": "unknown"}, []),
        ],
    )
    def test_filters(self, client, keep, filters, expected):
        keep()
        assert expected == [voice["kind"] for voice in listed(client, **filters)]

    def test_a_model_that_is_not_served_offers_no_voice(self, client, rows, store, all_models):
        rows.execute(servers.leave(all_models.server_id, all_models.incarnation))
        assert [] == listed(client)
        refused(client.get("/voices/v1/builtin:chaos-speech"), 404, "unknown_voice")

    def test_a_voice_of_another_tenant_is_unknown(self, keep, stranger):
        voice = keep()
        assert ["builtin:chaos-speech"] == ids(listed(stranger))
        for method in ("GET", "DELETE"):
            foreign = stranger.request(method, f"/voices/v1/{voice['voice_id']}")
            unknown = stranger.request(method, "/voices/v1/voi_" + "0" * 32)
            assert refused(foreign, 404, "unknown_voice") == refused(unknown, 404, "unknown_voice")
            refused(stranger.request(method, "/voices/v1/voi_x"), 404, "malformed_id")


class TestRemoving:
    def test_row_and_recording_are_gone(self, client, keep, rows, store):
        voice = keep()
        assert 204 == client.delete(f"/voices/v1/{voice['voice_id']}").status_code
        assert ([], []) == (rows.execute(voices.select()), list(store.keys()))
        refused(client.delete(f"/voices/v1/{voice['voice_id']}"), 404, "unknown_voice")
        assert 404 == httpx.get(voice["preview_url"]).status_code

    def test_while_the_store_is_away_it_stays(self, client, keep, rows, monkeypatch):
        voice = keep()

        def away(self, prefix):
            raise StorageUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(DirectoryStore, "remove_prefix", away)
            refused(client.delete(f"/voices/v1/{voice['voice_id']}"), 503, "storage_unavailable")
        assert 1 == len(rows.execute(voices.select()))
        assert 204 == client.delete(f"/voices/v1/{voice['voice_id']}").status_code

    def test_a_models_own_voice_can_not_be_removed(self, client, store):
        refused(client.delete("/voices/v1/builtin:chaos-speech"), 404, "malformed_id")


def test_on_the_command_line(client, api, key, store, tmp_path):
    (tmp_path / "anna.wav").write_bytes(WAV)

    def run(*words, status=0):
        outcome = CliRunner().invoke(atelier, ["voices", *words, "--url", api.url, "--key", key])
        assert status == outcome.exit_code, outcome.output
        return outcome.output

    voice = run("add", str(tmp_path / "anna.wav"), "--name", "Anna").strip()
    assert re.search(f"{voice} +Anna", run("list"))
    assert voice not in run("list", "--model", "chaos")
    assert [voice] == [found["voice_id"] for found in json.loads(run("list", "--json")) if "stored" == found["kind"]]
    run("remove", voice)
    assert "unknown_voice" in run("remove", voice, status=1)
    assert "invalid_request" in run("add", "https://shop.example/a.wav", "--name", "A", status=1)


class TestSpeaking:
    def test_a_job_names_a_voice_by_its_id(self, client, keep, rows, tenant):
        voice = keep()["voice_id"]
        answer = client.post(SPEECH, json={"text": "Hello", "target_voice_path": voice})
        assert (202, "pending") == (answer.status_code, answer.json()["status"])
        (row,) = rows.execute(inputs.select())
        assert ("target_voice_path", "audio", f"{tenant}/voices/{voice}", None, 1.0) == (
            *(row.name, row.kind, row.source_key, row.url, row.min_seconds),
        )
        assert voice == rows.scalar(jobs.select().with_only_columns(jobs.c.params))["target_voice_path"]

    @pytest.mark.parametrize("source", [SOUND, "https://shop.example/anna.wav"])
    def test_how_long_it_has_to_be_is_written_down_for_every_source(self, client, rows, store, source):
        assert 202 == client.post(SPEECH, json={"text": "Hello", "target_voice_path": source}).status_code
        assert 1.0 == rows.scalar(inputs.select().with_only_columns(inputs.c.min_seconds))

    def test_foreign_unknown_and_malformed_voices_are_refused_alike(self, client, stranger, keep, rows):
        said = {
            refused(
                asker.post(SPEECH, json={"text": "Hello", "target_voice_path": voice}),
                *(422, "unknown_input", "$.target_voice_path"),
            )
            for asker, voice in ((stranger, keep()["voice_id"]), (client, "voi_" + "0" * 32), (client, "voi_x"))
        }
        assert {"No stored voice has this id; GET /voices/v1 lists yours."} == said
        assert [] == rows.execute(jobs.select())

    @pytest.mark.long
    def test_removing_a_voice_fails_the_job_that_waits_for_it(self, client, keep, rows, settings):
        voice = keep()["voice_id"]
        job_id = client.post(SPEECH, json={"text": "Hello", "target_voice_path": voice}).json()["job_id"]
        assert 204 == client.delete(f"/voices/v1/{voice}").status_code
        with cpu_worker(settings):
            status = until(lambda: job if (job := client.get(f"/jobs/v1/{job_id}").json())["error"] else None, 20)
        assert ("failed", "input_unreachable", 0) == (status["status"], status["error"]["code"], status["attempt"])
        assert "the stored voice no longer exists" in status["error"]["message"]

    def test_a_voice_is_not_an_image(self, client, keep):
        answer = client.post("/generate/remove-background/v1", json={"image_url": keep()["voice_id"]})
        refused(answer, 422, "unsupported_media", "$.image_url")

    def test_a_language_that_no_model_speaks_is_refused_by_name(self, client, rows):
        answer = client.post(SPEECH, json={"text": "qaStaH nuq", "language_id": "tlh"})
        said = refused(answer, 422, "not_supported_by_model", "$.language_id")
        assert "chaos-speech does not speak 'tlh': ask for de or en." == said
        assert 202 == client.post(SPEECH, json={"text": "Servus", "language_id": "de-AT"}).status_code
