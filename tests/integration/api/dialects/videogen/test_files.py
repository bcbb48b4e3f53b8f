"""Files through VideoGen's own client, without a worker that looks at them."""

import pytest
from sqlalchemy import update

from jobs.job import Artifact
from jobs.schema.tables import media

SOURCES = ("download_source", "preview_source", "thumbnail_source", "hls_source")


def made(number):
    return Artifact(
        key=f"ten/job/1/{number}.webp", media_type="image/webp", bytes=10, sha256="ab", metadata={"width": 8}
    )


@pytest.fixture
def execution(vg, worker):
    """An execution that has succeeded with two pictures."""
    started = vg.tools.generate_image(prompt="a serene garden", num_results=2)["tool_execution_id"]
    worker.complete(worker.claim(), made(0), made(1))
    return vg.tools.get_tool_execution_info(tool_execution_id=started)


@pytest.fixture
def file(execution):
    return execution["results"][0]["file"]


def test_results_have_their_files(execution):
    assert 2 == len({result["file_id"] for result in execution["results"]})
    for result in execution["results"]:
        file = result["file"]
        assert (result["file_id"], "IMAGE", "GLOBAL") == (file["file_id"], file["type"], file["scope"])
        assert ("GENERATE_IMAGE", execution["tool_execution_id"]) == (
            file["source_tool_type"],
            file["source_tool_execution_id"],
        )
        assert ("ready", 8, 10) == tuple(file["download_source"][name] for name in ("status", "width", "file_bytes"))


@pytest.mark.contract("D26")
def test_a_file_has_every_field_of_the_client(vg, file):
    found = vg.files.get_file(file_id=file["file_id"])
    assert found == file | {
        name: found[name] for name in ("download_url_expires_at", "download_source", "thumbnail_url_expires_at")
    }
    assert {
        *("file_id", "type", "scope", "display_name", "description", "duration_seconds", "transcript"),
        *("transcript_text", "download_url", "download_url_expires_at", "thumbnail_url", "thumbnail_url_expires_at"),
        *(*SOURCES, "is_public_preview_enabled", "static_public_preview_source", "public_hls_url"),
        *("public_playback_id", "source_tool_type", "source_tool_execution_id", "file_analysis_metadata"),
    } == set(found)
    assert "a serene garden" == found["description"]


@pytest.mark.contract("D24")
def test_files_are_listed_by_pages_those_that_changed_first(vg, execution, client, stranger_vg):
    first, second = (result["file_id"] for result in execution["results"])
    client.patch(f"/media/v1/{first.replace('vg_file', 'med')}", json={"description": "new"}).raise_for_status()
    page = vg.files.get_files(limit=1, include_export_files=True)
    assert ([first], True) == ([one["file_id"] for one in page["files"]], page["has_more"])
    rest = vg.files.get_files(limit=1, cursor=page["next_cursor"])
    assert ([second], False, None) == ([one["file_id"] for one in rest["files"]], rest["has_more"], rest["next_cursor"])
    assert [] == stranger_vg.files.get_files()["files"]


@pytest.mark.contract("D25")
def test_a_search_finds_words_of_the_prompt(vg, execution):
    found = vg.files.search_files(query="garden", num_results=5)["results"]
    assert 2 == len(found)
    assert all(0 < one["similarity"] <= 1 for one in found)
    assert {one["file"]["file_id"] for one in found} == {one["file_id"] for one in execution["results"]}
    assert [] == vg.files.search_files(query="motorcycle")["results"]


@pytest.mark.contract("D8")
def test_a_temporary_result_is_kept_for_a_day_and_not_found(vg, worker, rows):
    started = vg.tools.generate_image(prompt="a serene garden", is_output_temporary=True)["tool_execution_id"]
    worker.complete(worker.claim(), made(0))
    (result,) = vg.tools.get_tool_execution_info(tool_execution_id=started)["results"]
    assert "TEMPORARY" == result["file"]["scope"]
    assert [] == vg.files.search_files(query="garden")["results"] == vg.files.get_files()["files"]
    (row,) = rows.execute(media.select())
    assert 86_400 == (row.expires_at - row.created_at).total_seconds()
    assert result["file_id"] == vg.files.get_file(file_id=result["file_id"])["file_id"]


@pytest.mark.contract("D29")
def test_an_archived_file_is_in_no_list(vg, file):
    archived = vg.files.archive_file(file_id=file["file_id"])
    assert file["file_id"] == archived["file_id"]
    listed = [one["file_id"] for one in vg.files.get_files()["files"]]
    assert file["file_id"] not in listed
    assert 1 == len(listed) == len(vg.files.search_files(query="garden")["results"])


@pytest.mark.contract("D30")
@pytest.mark.contract("D31")
def test_a_public_preview_needs_no_key_until_it_is_disabled(vg, file):
    shown = vg.create_public_preview(file["file_id"], wait_for_embed_playback_id=True)
    source = shown["static_public_preview_source"]
    assert (True, "ready", None) == (shown["is_public_preview_enabled"], source["status"], source["expires_at"])
    again = vg.files.enable_public_preview(file_id=file["file_id"])
    assert source["url"] == again["static_public_preview_source"]["url"]
    hidden = vg.files.disable_public_preview(file_id=file["file_id"])
    assert (False, None, None) == tuple(
        hidden[name] for name in ("is_public_preview_enabled", "static_public_preview_source", "public_playback_id")
    )


@pytest.mark.contract("D27")
@pytest.mark.contract("D28")
def test_an_upload_is_pending_until_it_was_looked_at(vg, rows, refused):
    created = vg.files.create_file_upload(display_name="chair.png", type="IMAGE")
    assert {"file_id", "upload_url"} == set(created)
    waiting = vg.files.hydrate_file(file_id=created["file_id"])
    assert ("pending", None) == tuple(waiting["download_source"][name] for name in ("status", "url"))
    error = refused(vg.files.enable_public_preview, file_id=created["file_id"])
    assert (409, "conflict") == (error.status, error.body["code"])
    rows.execute(update(media).values(status="failed", problem={"code": "input_unreadable", "message": "No."}))
    assert "failed" == vg.files.hydrate_file(file_id=created["file_id"])["download_source"]["status"]


def test_a_transcript_is_kept_in_its_shape(vg):
    transcript = {"language_code": "en-US", "words": [{"start_seconds": 0.1, "end_seconds": 0.5, "word": "hello"}]}
    created = vg.files.create_file_upload(display_name="talk.wav", type="AUDIO", transcript=transcript)
    found = vg.files.get_file(file_id=created["file_id"])
    assert (transcript, "hello") == (found["transcript"], found["transcript_text"])


HEARD = {
    "language": "en",
    "segments": [{"start": 1.0, "end": 2.0, "text": " a blue mug "}, {"start": 2, "end": 2, "text": ""}],
}


@pytest.mark.parametrize(
    ("values", "state", "percent"),
    [
        ({"analyzed": []}, "UNATTEMPTED", 0),
        ({"analysis_job": "job_1", "analyzed": ["transcript", "description"]}, "LOADING", 33),
        ({"analyzed": ["transcript"], "transcript": HEARD}, "FULFILLED", 100),
        ({"analyzed": ["embedding", "description"], "embedding_model": "a"}, "FULFILLED", 100),
        ({"analyzed": ["description"], "embedding_model": "a"}, "REJECTED", 0),
    ],
)
def test_an_analysis_has_its_state(vg, rows, file, values, state, percent):
    rows.execute(update(media).values(**values))
    shown = vg.files.get_file(file_id=file["file_id"])["file_analysis_metadata"]
    assert (state, percent, 0) == tuple(
        shown[f"analysis_{name}"] for name in ("loading_state", "progress_percentage", "attempt_index")
    )


@pytest.mark.parametrize(
    ("kept", "words", "text"),
    [
        (HEARD, [(1.0, 1.125, "a"), (1.125, 1.625, "blue"), (1.625, 2.0, "mug")], "a blue mug"),
        ({"segments": [{"begin": 1}]}, None, None),
        ([1], None, None),
        ("said", None, "said"),
    ],
)
def test_a_transcript_of_sentences_has_words(vg, rows, file, kept, words, text):
    rows.execute(update(media).values(transcript=kept))
    shown = vg.files.get_file(file_id=file["file_id"])
    timed = words and [dict(zip(("start_seconds", "end_seconds", "word"), word, strict=True)) for word in words]
    expected = words and {"language_code": "en", "words": timed}
    assert (expected, text) == (shown["transcript"], shown["transcript_text"])


def test_files_of_others_are_unknown(stranger_vg, file, refused):
    calls = ("get_file", "hydrate_file", "archive_file", "enable_public_preview", "disable_public_preview")
    for call in calls:
        error = refused(getattr(stranger_vg.files, call), file_id=file["file_id"])
        assert (404, "not_found") == (error.status, error.body["code"])


@pytest.mark.parametrize(
    ("call", "fields", "code"),
    [
        ("get_file", {"file_id": "vg_exec_1"}, "invalid_id"),
        ("get_files", {"cursor": "tampered"}, "invalid_parameters"),
        ("get_files", {"limit": 201}, "invalid_parameters"),
        ("search_files", {"query": ""}, "invalid_parameters"),
        ("search_files", {"query": "a", "num_results": 101}, "invalid_parameters"),
        ("create_file_upload", {}, "invalid_parameters"),
        ("create_file_upload", {"display_name": "a", "type": "MESH"}, "invalid_parameters"),
        ("create_file_url_import", {}, "invalid_parameters"),
        ("create_file_url_import", {"url": "http://10.0.0.1/a.png"}, "invalid_parameters"),
    ],
)
def test_what_makes_no_sense_is_400(vg, refused, call, fields, code):
    error = refused(getattr(vg.files, call), **fields)
    assert (400, code) == (error.status, error.body["code"])


def test_an_entity_brings_its_picture_and_its_words(vg, client, rows, upload_picture):
    rows.server("gpu-edit", serves=["chaos-references"])
    files = [upload_picture(f"{number}.png") for number in range(3)]
    chair = vg.entities.create_entity(entity_type="PRODUCT", name="Chair", description="green velvet")
    for number, file in enumerate(files[:2]):
        chair = vg.entities.add_entity_reference(
            entity_id=chair["entity_id"], file_id=file, description="", is_default=number == 1
        )
    assert [False, True] == [one["is_default"] for one in chair["references"]]
    started = vg.tools.generate_image(prompt="In a garden.", image_file_ids=files[2:], entity_ids=[chair["entity_id"]])
    job = client.get(f"/jobs/v1/{started['tool_execution_id'].replace('vg_exec', 'job')}/request").json()
    native = [file.replace("vg_file", "med") for file in files]
    assert (native[2], [native[1]], "In a garden. Chair: green velvet.") == (
        job["params"]["input_image"],
        job["params"]["reference_images"],
        job["params"]["prompt"],
    )
    gone = vg.entities.remove_entity_reference(entity_id=chair["entity_id"], file_id=files[1])
    assert files[:1] == [one["file_id"] for one in gone["references"]]


def test_a_reference_must_be_a_file_of_the_key(vg, refused):
    chair = vg.entities.create_entity(entity_type="PRODUCT", name="Chair")
    error = refused(vg.entities.add_entity_reference, entity_id=chair["entity_id"], file_id=f"vg_file_{'1' * 32}")
    assert (404, "not_found") == (error.status, error.body["code"])
