"""The checks of `atelier doctor`, each of one dependency of the service."""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum

import certifi
import httpx
import msgspec
from redis.exceptions import RedisError
from rich.filesize import decimal
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from cli.local.gpus import torch_has_cuda, try_gpus, visible_gpus
from cli.operator.admin import connected
from cli.operator.database_errors import away_sentence
from cli.output.sizes import format_objects
from core.broker.clients import broker_client
from core.database import is_unreachable
from core.sandbox.account import unprivileged_account
from core.sandbox.confinement import try_confinement
from core.settings import Settings
from core.signing import check_secret_key
from core.storage.store import open_store
from core.urls import shown
from jobs.schema.migrate import schema_versions
from jobs.statements.maintenance.growth import database_bytes, sizes
from pipelines.catalog.licenses import read_allowed
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.gpu_check import find_gpu, torch_version
from pipelines.weights.local_lock import read_locks
from pipelines.weights.status import state_of
from pipelines.weights.verify import weights_folder


class CheckStatus(Enum):
    """The status of a check, in the words of the terminal."""

    OK = "ok"
    WARNING = "note"
    ERROR = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """The result of a check; lines of its text after the first are details."""

    name: str
    status: CheckStatus
    text: str


Check = Callable[[Settings], tuple[CheckStatus, str]]

LEAST_POSTGRES = 15
READY_SECONDS = 10.0
LEAST_FREE_BYTES = 5_000_000_000
"""Less than that on the store's disk is worth a note."""


def run_check(check: Check, settings: Settings) -> Finding:
    """Run a check; an error that it does not catch is a finding too."""
    name = check.__name__.replace("_", " ")
    try:
        status, sentence = check(settings)
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        status, sentence = CheckStatus.ERROR, away_sentence(error) if is_unreachable(error) else first_line
    return Finding(name, status, sentence)


def device(settings: Settings) -> tuple[CheckStatus, str]:
    """Check torch, and have it multiply a matrix on each GPU."""
    torch = torch_version()
    if not torch:
        return (
            CheckStatus.WARNING,
            "torch is not installed, so no GPU worker can run here: pip install 'atelier[worker]'",
        )
    if settings.device == "cpu":
        return CheckStatus.OK, f"torch {torch} computes on the CPU, as ATELIER_DEVICE says"
    if not torch_has_cuda():
        if settings.device:
            return CheckStatus.ERROR, f"torch {torch} is built for the CPU, but ATELIER_DEVICE is {settings.device}"
        return (
            CheckStatus.WARNING,
            f"torch {torch} computes on the CPU: enough for the demo tier, too slow for large models",
        )
    gpus = visible_gpus() or (["0"] if settings.device or find_gpu() else [])
    if not gpus:
        return (
            CheckStatus.WARNING,
            f"torch {torch}, but no NVIDIA GPU or driver is visible; workers compute on the CPU",
        )
    trials = try_gpus(gpus)
    problems = [f"GPU {gpu}: {trial.text}" for gpu, trial in zip(gpus, trials, strict=True) if not trial.works]
    if problems:
        return CheckStatus.ERROR, "; ".join(problems)
    return CheckStatus.OK, f"torch {torch} multiplies on {'; '.join(trial.text for trial in trials)}"


def attention(settings: Settings) -> tuple[CheckStatus, str]:
    """Check the attention backends that work here, and name the one that models use by default."""
    if not visible_gpus():
        return CheckStatus.OK, "native, which is PyTorch's own; others need a GPU"
    import torch  # takes seconds, and most checks do not need it

    from pipelines.diffusion.attention import choose, working

    names = working("cuda:0", torch.bfloat16)
    return (
        CheckStatus.OK,
        f"native by default; {', '.join(names)} work; auto takes {choose('auto', 'cuda:0', torch.bfloat16)}",
    )


def weights(settings: Settings) -> tuple[CheckStatus, str]:
    """Check the models of the catalog whose weights are complete here."""
    folder, catalog = weights_folder(settings.weights_dir), load_catalog(settings.catalog or None)
    lock, allowed = read_locks(settings.weights_lock or None, folder, catalog), read_allowed(settings.allowed_licenses)
    states = [state_of(spec, lock, folder, allowed) for spec in catalog.models if spec.is_local]
    served = [state.id for state in states if state.why is None]
    absent = [state.id for state in states if not state.files_here and state.state not in ("ready", "licence refused")]
    details = [state.why for state in states if state.why is not None and state.id not in absent]
    if absent:
        details.append(f"not fetched: {', '.join(absent)}; `atelier weights fetch NAME` brings one")
    if not served:
        return CheckStatus.ERROR, "\n".join([f"no model can be served from {folder}", *details])
    return CheckStatus.WARNING if details else CheckStatus.OK, "\n".join(
        [f"{', '.join(served)} can be served", *details]
    )


def secret(settings: Settings) -> tuple[CheckStatus, str]:
    """Check the secret that signs keys and links."""
    try:
        check_secret_key(settings)
    except ValueError as error:
        return CheckStatus.ERROR, str(error)
    return CheckStatus.OK, "ATELIER_SECRET_KEY is set"


def database(settings: Settings) -> tuple[CheckStatus, str]:
    """Check that the database answers, and its version."""
    with connected(settings) as connection:
        found = str(connection.execute(text("SHOW server_version")).scalar_one())
        size = decimal(connection.execute(select(database_bytes)).scalar_one())
    if int(found.split(".")[0]) < LEAST_POSTGRES:
        return CheckStatus.ERROR, f"PostgreSQL {found} is too old; install version {LEAST_POSTGRES} or newer"
    return CheckStatus.OK, f"PostgreSQL {found}, {size} on its disk"


def schema(settings: Settings) -> tuple[CheckStatus, str]:
    """Check that the migrations have been run."""
    current, needed = schema_versions(settings)
    if current == needed:
        return CheckStatus.OK, f"at version {needed}"
    return CheckStatus.ERROR, f"at version {current or 'none'}, this code needs {needed}: run `atelier migrate`"


def clock(settings: Settings) -> tuple[CheckStatus, str]:
    """Compare this machine's clock with the database's, which leases and deadlines use."""
    with connected(settings) as connection:
        of_database: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    seconds = abs((datetime.now(UTC) - of_database).total_seconds())
    if seconds > settings.clock_skew_limit:
        return CheckStatus.ERROR, f"{seconds:.0f} s off the database's: workers here refuse to work; set it by NTP"
    if seconds > 1:
        return CheckStatus.WARNING, f"{seconds:.1f} s off the database's; set it by NTP"
    return CheckStatus.OK, "agrees with the database's"


def broker(settings: Settings) -> tuple[CheckStatus, str]:
    """Check that the broker answers, and that it does not evict doorbells."""
    try:
        with broker_client(settings) as client:
            server = client.info("server")
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "")
    except (RedisError, OSError) as error:
        reason = str(error).rstrip(".")
        return CheckStatus.ERROR, f"{reason}: jobs still run, but start and report late"
    name = f"{server.get('server_name', 'redis')} {server.get('valkey_version') or server.get('redis_version')}"
    if policy not in ("noeviction", ""):
        return CheckStatus.WARNING, f"{name} evicts ({policy}); set maxmemory-policy noeviction"
    return CheckStatus.OK, name


def store(settings: Settings) -> tuple[CheckStatus, str]:
    """Check that the object store answers and stores data, and how much of its disk is left."""
    found = open_store(settings)
    found.check()
    free = found.free_bytes()
    parts = [shown(settings.storage_url), *_measured(settings)]
    if free is not None:
        parts.append(f"{decimal(free)} free")
    if free is not None and free < LEAST_FREE_BYTES:
        return CheckStatus.WARNING, f"{', '.join(parts)}: make room, or let `atelier retention` remove old outputs"
    return CheckStatus.OK, ", ".join(parts)


def _measured(settings: Settings) -> list[str]:
    """Return the last count in words; nothing without a database of this schema."""
    try:
        with connected(settings) as connection:
            row = connection.execute(sizes()).one()
    except SQLAlchemyError:
        return []
    return [format_objects(row.store_objects, row.store_bytes, row.measured_at)]


def decoder(settings: Settings) -> tuple[CheckStatus, str]:
    """Check what the kernel of this machine takes from the process that decodes the files of callers."""
    given = try_confinement()
    taken, missing = list(given.taken), list(given.missing)
    if os.geteuid() == 0:
        account = unprivileged_account()
        (missing if account is None else taken).append(f"the account {account or 'of another user'}")
    text = f"files of callers are decoded under limits of time and memory, {', '.join(taken)}"
    if missing:
        return CheckStatus.WARNING, f"{text}; not {', '.join(missing)}, which this machine does not give"
    return CheckStatus.OK, text


def api(settings: Settings) -> tuple[CheckStatus, str]:
    """Check that the API answers at its public URL and is ready for jobs."""
    url = settings.public_url.rstrip("/")
    authorities = ssl.create_default_context(cafile=settings.ca_bundle or certifi.where())
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=READY_SECONDS, verify=authorities, trust_env=False)
    except httpx.HTTPError as error:
        return CheckStatus.ERROR, f"nothing answers at {url}, which is ATELIER_PUBLIC_URL: {error}"
    if answer.is_success:
        return CheckStatus.OK, f"ready at {url}"
    return CheckStatus.ERROR, f"{url}/health/ready answers {answer.status_code}: {answer.text}"


CHECKS: tuple[Check, ...] = (device, attention, weights, secret, database, schema, clock, broker, store, decoder)
