"""The checks of `atelier doctor`: each looks at one thing and says in a sentence what to do about it."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from importlib.metadata import PackageNotFoundError, version

import msgspec
from sqlalchemy import text

from core.settings import Settings


class State(Enum):
    """How it is."""

    OK = "ok"
    WARNING = "note"
    ERROR = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """What a check found."""

    name: str
    state: State
    text: str


Check = Callable[[Settings], tuple[State, str]]

LEAST_POSTGRES = 15


def look(check: Check, settings: Settings) -> Finding:
    """The finding of a check; an error that it did not expect is something wrong too."""
    name = check.__name__.replace("_", " ")
    try:
        state, sentence = check(settings)
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        state, sentence = State.ERROR, first_line
    return Finding(name, state, sentence)


def device(settings: Settings) -> tuple[State, str]:
    """torch, and the GPUs it can see."""
    from cli.local.gpus import torch_has_cuda, visible_gpus

    try:
        torch = version("torch")
    except PackageNotFoundError:
        return State.WARNING, "torch is not installed, so no GPU worker can run here: pip install 'atelier[worker]'"
    if not torch_has_cuda():
        return State.WARNING, f"torch {torch} computes on the CPU: enough for the demo tier, too slow for large models"
    gpus = visible_gpus()
    if not gpus:
        return State.WARNING, f"torch {torch}, but no NVIDIA GPU or driver is visible; workers compute on the CPU"
    return State.OK, f"torch {torch}, {len(gpus)} GPU(s)"


def attention(settings: Settings) -> tuple[State, str]:
    """What can compute a transformer's attention, and what does where the catalog says nothing."""
    from cli.local.gpus import visible_gpus

    if not visible_gpus():
        return State.OK, "native, which is PyTorch's own; others take a GPU"
    import torch

    from pipelines.diffusion.attention import choose, working

    names = working("cuda:0", torch.bfloat16)
    return (
        State.OK,
        f"native by default; {', '.join(names)} work; auto takes {choose('auto', 'cuda:0', torch.bfloat16)}",
    )


def weights(settings: Settings) -> tuple[State, str]:
    """Which models of the catalog could be served from the folder of weights."""
    from pipelines.catalog.licenses import read_allowed
    from pipelines.catalog.loader import load_catalog
    from pipelines.weights.lockfile import read_lock
    from pipelines.weights.verify import missing, weights_folder

    folder, lock = weights_folder(settings.weights_dir), read_lock(settings.weights_lock or None)
    specs = load_catalog(settings.catalog or None).models
    allowed = read_allowed(settings.allowed_licenses)
    problems = {spec.id: missing(spec, lock, folder, allowed) for spec in specs}
    served = [name for name, problem in problems.items() if problem is None]
    if not served:
        return State.ERROR, f"no model can be served from {folder}: {'; '.join(filter(None, problems.values()))}"
    absent = "".join(f"; not {name} ({problem})" for name, problem in problems.items() if problem is not None)
    return State.WARNING if absent else State.OK, f"{', '.join(served)} can be served{absent}"


def secret(settings: Settings) -> tuple[State, str]:
    """The key that everything is signed with."""
    if not settings.secret_key:
        return State.ERROR, "ATELIER_SECRET_KEY is not set: neither keys nor links can be checked"
    if len(settings.secret_key) < 32:
        return State.WARNING, "ATELIER_SECRET_KEY is short; use at least 32 random characters"
    return State.OK, "ATELIER_SECRET_KEY is set"


def database(settings: Settings) -> tuple[State, str]:
    """Whether it answers, and its version."""
    from cli.operator.admin import connected

    with connected(settings) as connection:
        known = str(connection.execute(text("SHOW server_version")).scalar_one())
    if int(known.split(".")[0]) < LEAST_POSTGRES:
        return State.ERROR, f"PostgreSQL {known} is too old; version {LEAST_POSTGRES} or newer is needed"
    return State.OK, f"PostgreSQL {known}"


def schema(settings: Settings) -> tuple[State, str]:
    """Whether the migrations have been run."""
    from jobs.schema.migrate import schema_versions

    current, wanted = schema_versions(settings)
    if current == wanted:
        return State.OK, f"at version {wanted}"
    return State.ERROR, f"at version {current or 'none'}, this code needs {wanted}: run `atelier migrate`"


def clock(settings: Settings) -> tuple[State, str]:
    """This machine's clock against the database's, which is the one that counts."""
    from cli.operator.admin import connected

    with connected(settings) as connection:
        theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    seconds = abs((datetime.now(UTC) - theirs).total_seconds())
    if seconds > settings.clock_skew_limit:
        return State.ERROR, f"{seconds:.0f} s off the database's: workers here refuse to work; set it by NTP"
    if seconds > 1:
        return State.WARNING, f"{seconds:.1f} s off the database's; set it by NTP"
    return State.OK, "agrees with the database's"


def broker(settings: Settings) -> tuple[State, str]:
    """Whether it answers, and whether it would throw doorbells away."""
    from redis.exceptions import RedisError

    from jobs.events import broker_client

    try:
        with broker_client(settings) as client:
            known = client.info("server")
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "")
    except (RedisError, OSError) as error:
        return State.ERROR, f"{error}: jobs still run, but start and report late"
    name = f"{known.get('server_name', 'redis')} {known.get('valkey_version') or known.get('redis_version')}"
    if policy not in ("noeviction", ""):
        return State.WARNING, f"{name} evicts ({policy}); set maxmemory-policy noeviction"
    return State.OK, name


def store(settings: Settings) -> tuple[State, str]:
    """Whether the object store answers and takes data."""
    from core.storage.store import open_store

    open_store(settings).check()
    return State.OK, settings.storage_url.partition("?")[0]


CHECKS: tuple[Check, ...] = (device, attention, weights, secret, database, schema, clock, broker, store)
