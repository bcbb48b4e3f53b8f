"""Every command that prints a table: 80 columns on a terminal, a line a row in a pipe."""

from datetime import UTC, datetime

import pytest
import rich_click as click

from atelier_client.models import FoundMedia, MediaItem, MediaMatches, MediaPage, UsageRow
from cli.commands.client.jobs import jobs
from cli.commands.client.media import media
from cli.commands.client.servers import servers
from cli.commands.client.voices import voices
from cli.commands.client.webhooks import webhooks
from cli.commands.host.keys import keys
from cli.commands.host.retention import retention
from cli.commands.host.weights import weights
from cli.http.client import Client
from jobs.job import JobError, JobStatus
from jobs.wire.jobs import ListedJob
from jobs.wire.models import ModelAnswer, ModelDefaults, ModelLicense, ModelLimits
from jobs.wire.servers import ResidentModel, ServerAnswer, ServerList, StoredBytes
from jobs.wire.voices import VoiceAnswer
from jobs.wire.wait_reasons import Reason, waiting_for
from jobs.wire.webhooks import EVENTS, Attempt, Delivery, Webhook

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HEX = "0123456789abcdef" * 2
URL = "https://hooks.shop.example/atelier/of/a/long/path/with/a/token/0123456789abcdef"
CLIENT = ["--url", "http://127.0.0.1:1", "--key", "k"]

JOB = ListedJob(
    job_id=f"job_{HEX}",
    title="what its owner has asked for, which is rather long, as people write prompts",
    status=JobStatus.PROCESSING,
    modality="image",
    model="birefnet-general-lite",
    progress=0.5,
    stage="step",
    queue_position="1000+",
    waiting_for=waiting_for(Reason.NO_SERVER_FOR_MODEL),
    estimated_seconds=1.0,
    result_url=None,
    outputs=[],
    warnings=[],
    error=JobError("engine_lost", "It died."),
    processing_time_seconds=1234.567,
    balance_remaining_usd=None,
    server_id="local",
    seed=1,
    attempt=1,
    created_at=NOW,
    started_at=None,
    finished_at=None,
)
VOICE = VoiceAnswer(
    voice_id=f"voi_{HEX}",
    name="The voice of the manager of the shop",
    kind="stored",
    model="demo-espeak",
    languages=tuple(f"{n:02}" for n in range(130)),
    created_at=NOW,
)
LIMITS = ModelLimits(
    max_prompt_chars=1,
    min_side=1,
    max_side=1,
    side_multiple=None,
    native_sizes=(),
    max_references=0,
    max_seconds=0,
    min_voice_seconds=0,
)
DEFAULTS = ModelDefaults(num_inference_steps=None, guidance_scale=None, strength=None, fps=None)
SERVER = ServerAnswer(
    server_id="gpu-node-0123456789-gpu7",
    alive=True,
    state="store_away",
    problem="NoSuchBucket",
    desired="cordoned",
    busy=True,
    current_job=None,
    dedicated=True,
    device="NVIDIA H200 NVL",
    memory_total=150 * 10**9,
    memory_used=10**10,
    serves=[f"model-{n}" for n in range(20)],
    resident=[],
    versions={},
    started_at=NOW,
    heartbeat_age_seconds=3.0,
    models=[ResidentModel(id=f"model-{n}", bytes=10**10, where="host", pinned=True) for n in range(8)],
)
HOOK = Webhook(
    webhook_id=f"whk_{HEX}",
    url=URL,
    events=EVENTS[1:],
    enabled=True,
    disabled_because=None,
    failing_since=NOW,
    created_at=NOW,
)
DELIVERY = Delivery(
    delivery_id=f"msg_{HEX}",
    webhook_id=HOOK.webhook_id,
    job_id=JOB.job_id,
    media_id=None,
    type="job.completed",
    url=URL,
    state="failed",
    problem="x",
    next_attempt_at=NOW,
    created_at=NOW,
    attempts=(Attempt(attempt=1, at=NOW, status=None, problem="the receiver closed the connection", milliseconds=1),),
)

ITEM = MediaItem(
    media_id=f"med_{HEX}",
    kind="image",
    status="ready",
    problem=None,
    filename="a name that its owner has made rather long, as people do.png",
    description=None,
    media_type="image/png",
    bytes=123_456_789,
    sha256=HEX,
    width=1,
    height=1,
    duration_seconds=None,
    url=URL,
    thumbnail_url=URL,
    optimized_url=URL,
    previews=[],
    public_url=None,
    job_id=None,
    output_number=None,
    prompt=None,
    model=None,
    seed=None,
    transcript=None,
    tags=tuple(f"tag {n}" for n in range(50)),
    labels={},
    links=(),
    source="upload",
    temporary=False,
    created_at=NOW,
    updated_at=NOW,
    expires_at=None,
    archived_at=None,
)
USAGE = UsageRow(
    since=NOW,
    model="chatterbox-multilingual-v3",
    key_id=f"key_{HEX}",
    completed=1_000_000,
    failed=10_000,
    cancelled=10_000,
    gpu_seconds=123_456.5,
    load_seconds=1.0,
    cost_usd=12_345.6789,
    credits=1.0,
    wait_p50_seconds=14_400,
    wait_p95_seconds=None,
    run_p50_seconds=120,
    run_p95_seconds=None,
)
STORED = StoredBytes(database=65_000_000, store=980_000_000_000, objects=1_000_000, store_free=10**12, measured_at=NOW)
ROWS = {"jobs": JOB, "voices": VOICE, "webhooks": HOOK, "deliveries": DELIVERY, "usage": USAGE}
COMMANDS = {
    "jobs list": CLIENT,
    "media list": CLIENT,
    "media search": ["chair", *CLIENT],
    "voices list": CLIENT,
    "servers list": CLIENT,
    "webhooks list": CLIENT,
    "webhooks deliveries": CLIENT,
    "models": CLIENT,
    "usage": ["--by", "model", "--by", "key", "--step", "1d", *CLIENT],
    "jobs redrive": ["--dry-run"],
    "keys list": [],
    "retention list": [],
    "weights list": [],
}


@pytest.fixture(autouse=True)
def answers(monkeypatch, database_url, run, rows):
    """Long answers of the API, a key with a long name, and a job that failed."""
    for name, row in ROWS.items():
        monkeypatch.setattr(Client, name, lambda self, row=row, **_: [row, row])
    monkeypatch.setattr(Client, "media", lambda self, **_: MediaPage(media=[ITEM, ITEM], next_cursor=None))
    found = MediaMatches(results=[FoundMedia(similarity=0.5, media=ITEM)], next_cursor=None)
    monkeypatch.setattr(Client, "search_media", lambda self, words, **_: found)
    monkeypatch.setattr(Client, "server_list", lambda self: ServerList([SERVER, SERVER], STORED))
    monkeypatch.setattr(Client, "models", lambda self: [model("birefnet-general-lite"), model("sdxl")])
    run("keys", "create", "--tenant", "the-tenant-of-the-shop", "--name", "a key for the website", "--admin")
    rows.tenant("default")
    rows.submit(rows.tenant(), deadline_seconds=-1.0)


def model(name: str) -> ModelAnswer:
    return ModelAnswer(
        id=name,
        title="A model with a title that is rather long for a table",
        modality="remove_background",
        tier="standard",
        available=True,
        default=True,
        capabilities=(),
        languages=(),
        limits=LIMITS,
        defaults=DEFAULTS,
        quality={},
        price_usd=0,
        estimated_seconds=1,
        licence=ModelLicense(name="MIT", url=""),
    )


def test_every_list_has_its_case():
    groups = {"jobs": jobs, "media": media, "servers": servers, "voices": voices, "webhooks": webhooks}
    groups |= {"keys": keys, "retention": retention, "weights": weights}
    lists = {
        f"{name} list" for name, group in groups.items() if isinstance(group, click.Group) and "list" in group.commands
    }
    assert lists <= COMMANDS.keys()


def test_a_search_that_compares_nothing_says_so(run, monkeypatch):
    nothing = MediaMatches(results=[], next_cursor=None)
    monkeypatch.setattr(Client, "search_media", lambda self, words, **_: nothing)
    assert "ATELIER_LIBRARY_ANALYSES" in run("media", "search", "--near", "chair", *CLIENT).stderr
    assert "" == run("media", "search", "chair", *CLIENT).stderr


@pytest.mark.matrix
@pytest.mark.parametrize("words", COMMANDS)
def test_a_list_fits_a_terminal_and_folds_nothing_in_a_pipe(words, run, monkeypatch):
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    head, *piped = run(*words.split(), *COMMANDS[words]).stdout.splitlines()
    assert head.strip()
    assert all(line[0] != " " and len(line.rstrip()) < 400 for line in piped)
    for name, value in {"TTY_COMPATIBLE": "1", "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    on_terminal = run(*words.split(), *COMMANDS[words]).stdout.splitlines()
    assert [line for line in on_terminal if len(line) > 80] == []
    assert {line.split()[0] for line in piped} <= {line.split()[0] for line in on_terminal if line.strip()}
