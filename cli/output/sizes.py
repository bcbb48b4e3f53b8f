"""Bytes that are stored, as a person reads them."""

from rich.filesize import decimal

from jobs.wire.servers import StoredBytes


def format_stored(stored: StoredBytes) -> str:
    """Return what is stored as one line: database, objects and what is free."""
    parts = [f"database {decimal(stored.database)}"]
    if stored.store is not None and stored.objects is not None and stored.measured_at is not None:
        parts.append(f"{stored.objects} files {decimal(stored.store)} (on {stored.measured_at:%Y-%m-%d})")
    if stored.store_free is not None:
        parts.append(f"{decimal(stored.store_free)} free")
    return ", ".join(parts)
