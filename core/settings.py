"""Settings: the environment's `ATELIER_*`, read here only, once, into a frozen struct."""

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

STANDARD = {"otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Settings that may also have the standard name of another project; `ATELIER_*` takes precedence."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of every process; `docs/settings.md` documents each one.

    The variable of a field is `ATELIER_` and its name in capitals; `ATELIER_<NAME>_FILE` names a file that
    holds the value, for secrets. Intervals are seconds, sizes are bytes.
    """

    database_url: str = "postgresql://localhost/atelier"
    broker_url: str = "redis://localhost:6379/0"
    storage_url: str = "file:///var/lib/atelier/objects"
    public_url: str = "http://127.0.0.1:8000"
    secret_key: str = ""

    catalog: str = ""
    aliases: str = ""
    weights_dir: str = ""
    weights_lock: str = ""
    allowed_licenses: str = ""
    scratch_dir: str = ""

    server_id: str = msgspec.field(default_factory=socket.gethostname)
    device: str = ""
    peer_devices: str = ""
    cpu_threads: int = -1
    compile_cache: str = ""
    vram_budget: int = 0
    host_budget: int = -1
    idle_unload_seconds: float = 300.0
    idle_drop_seconds: float = 3600.0
    preload: str = ""
    drift_bytes: int = 2**31
    spare_engine: bool = True
    previews: bool = True

    allowed_networks: str = ""
    allowed_ports: str = "80,443,1025-65535"
    development: bool = False
    ca_bundle: str = ""

    max_waiting_jobs: int = 10_000
    watermark: bool = False
    max_voices: int = 100
    max_webhooks: int = 20
    max_profiles: int = 1000
    max_entities: int = 1000
    max_keys: int = 1000
    credit_usd: float = 0.01
    max_streams: int = 200
    max_uploads: int = 10_000
    max_upload_bytes: int = 100_000_000_000
    library_items: int = 100_000
    library_bytes: int = 1_000_000_000_000
    library_file_bytes: int = 100_000_000
    library_analyses: str = ""
    max_attempts: int = 3
    deadline_seconds: float = 86_400.0
    body_limit: int = 256_000
    media_body_limit: int = 28_000_000
    body_budget: int = 256_000_000
    file_budget: int = 1_000_000_000
    head_limit: int = 49_152
    connections: int = 4096
    connections_per_address: int = 2048
    cors_origins: str = ""
    console: bool = True
    session_idle_seconds: float = 43_200.0
    session_seconds: float = 604_800.0
    link_seconds: float = 3600.0
    wait_limit: float = 300.0
    sync_seconds: float = 55.0
    rate_limit: float = 0.0
    rate_burst: int = 100
    unknown_key_limit: float = 10.0
    unknown_key_burst: int = 100
    trusted_proxies: str = ""

    lease_seconds: float = 30.0
    renew_seconds: float = 10.0
    poll_seconds: float = 2.0
    progress_seconds: float = 0.25
    retry_backoff: float = 5.0
    warm_bound_seconds: float = 60.0
    server_lease_seconds: float = 15.0
    takeover_seconds: float = 30.0
    grace_seconds: float = 30.0
    upload_retry_seconds: float = 120.0
    clock_skew_limit: float = 300.0

    backend_keys: str = ""
    backend_poll_seconds: float = 0.5
    backend_check_seconds: float = 15.0
    backend_breaker_seconds: float = 5.0

    input_poll_seconds: float = 0.5
    input_lease_seconds: float = 60.0
    input_max_attempts: int = 3
    input_backoff: float = 2.0
    input_max_bytes: int = 20_000_000
    film_max_bytes: int = 100_000_000
    lora_max_bytes: int = 500_000_000
    input_max_pixels: int = 64_000_000
    input_tenant_bytes: int = 20_000_000_000
    input_connect_timeout: float = 5.0
    input_timeout: float = 30.0
    sanitise_timeout: float = 15.0
    input_keep_seconds: float = 3600.0
    prompt_keep_seconds: float = -1.0
    output_keep_seconds: float = -1.0
    delivery_keep_seconds: float = 2_592_000.0
    job_keep_seconds: float = -1.0
    row_keep_seconds: float = 7_776_000.0
    orphan_seconds: float = 86_400.0
    upload_seconds: float = 172_800.0
    upkeep_seconds: float = 5.0
    purge_delay: float = 600.0
    reread_seconds: float = 5.0
    webhook_poll_seconds: float = 1.0
    webhook_connect_timeout: float = 5.0
    webhook_timeout: float = 15.0
    webhook_schedule: str = "0,5,300,1800,7200,18000,36000,50400,72000,86400"
    webhook_breaker_failures: int = 10
    webhook_breaker_seconds: float = 10.0
    webhook_disable_seconds: float = 432_000.0

    head_seconds: float = 20.0
    body_seconds: float = 30.0
    body_wait_seconds: float = 5.0
    send_seconds: float = 60.0

    db_timeout: float = 2.0
    db_pool: int = 10
    broker_timeout: float = 0.5
    broker_health_seconds: float = 15.0
    breaker_seconds: float = 5.0
    order_timeout: float = 3.0
    bell_limit: int = 32
    log_level: str = "INFO"
    log_format: Literal["text", "json"] = "text"
    metrics_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    metrics_host: str = "0.0.0.0"
    otlp_endpoint: str = ""

    def __repr__(self) -> str:
        """Show no value: some are secrets, and URLs may hold some."""
        return "Settings(...)"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environment` (the process's own by default).

    Raises `ValueError` with the name of the variable when a value does not fit its type, or when a `_FILE` cannot be
    read.
    """
    source = os.environ if environment is None else environment
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(Settings):
        variable = f"ATELIER_{field.name.upper()}"
        text = _value(source, variable)
        if text is None and field.name in STANDARD:
            text = source.get(STANDARD[field.name])
        if text is not None:
            try:
                found[field.name] = msgspec.convert(text, field.type, strict=False)
            except msgspec.ValidationError as error:
                shown = variable if f"{variable}_FILE" in source else f"{variable}={text!r}"
                raise ValueError(f"{shown}: {error}") from None
    return Settings(**found)  # type: ignore[arg-type]


def read_log_format() -> str:
    """Return the format of the logs, for a process whose other settings cannot be read."""
    try:
        return read_settings({"ATELIER_LOG_FORMAT": os.environ.get("ATELIER_LOG_FORMAT", "text")}).log_format
    except ValueError:
        return "text"


@cache
def settings() -> Settings:
    """Return the settings of this process, read once."""
    return read_settings()


def _value(source: Mapping[str, str], variable: str) -> str | None:
    file = source.get(f"{variable}_FILE")
    if not file:
        return source.get(variable)
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        reason = error.strerror or "it cannot be read"  # without the value: it may be the secret instead of its file
        raise ValueError(f"{variable}_FILE does not name a file that can be read: {reason}") from None
