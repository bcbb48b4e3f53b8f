"""Bytes that are stored, as a person reads them."""

from datetime import datetime

from rich.filesize import decimal

from atelier_client.models import StoredBytes


def format_stored(stored: StoredBytes) -> str:
    """Return what is stored as one line: database, objects and what is free."""
    parts = [f"database {decimal(stored.database)}", format_objects(stored.objects, stored.store, stored.measured_at)]
    if stored.store_free is not None:
        parts.append(f"{decimal(stored.store_free)} free")
    return ", ".join(parts)


def format_objects(objects: int | None, size: int | None, counted_at: datetime | None) -> str:
    """Return the number of objects, their bytes and when they were counted: today's time here, or another day."""
    if objects is None or size is None or counted_at is None:
        return "files not counted yet"
    here = counted_at.astimezone()
    when = (
        f"counted at {here:%H:%M}"
        if here.date() == datetime.now().astimezone().date()
        else f"counted on {here:%Y-%m-%d}"
    )
    return f"{objects} files {decimal(size)} ({when})"


def format_disk(size: int | None, *, is_whole: bool = True) -> str:
    """Return the bytes of a model's files on disk, as far as these are known; empty where it has none."""
    if size is None or not (size or is_whole):
        return "unknown"
    return f"{'' if is_whole else 'at least '}{decimal(size)}" if size else ""
