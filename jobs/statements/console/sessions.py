"""Statements about sessions of the console: browsers that were signed in with a key.

`jobs.statements.queue.look` finds the key of a session. Only the digest of a session's cookie is stored.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Delete, Insert, Update, delete, func, update

from jobs.schema.tables import console_sessions
from jobs.statements.clauses import after, ago, now

SEEN_SECONDS = 60.0
"""How exactly `seen_at` is known: a session that is in use is written once in so long."""
MOST_AGENT_CHARS = 200


def add_session(digest: str, key_id: str, *, agent: str, idle_seconds: float) -> Insert:
    """Add a session of a key; `agent` is the browser, as it names itself."""
    return console_sessions.insert().values(
        digest=digest, key_id=key_id, agent=agent[:MOST_AGENT_CHARS], expires_at=after(idle_seconds)
    )


def note_seen(digests: Collection[str], *, idle_seconds: float, most_seconds: float) -> Update:
    """Move the ends of sessions that are in use, at most to `most_seconds` after they began; returns their digests."""
    last = console_sessions.c.created_at + timedelta(seconds=most_seconds)
    return (
        update(console_sessions)
        .where(console_sessions.c.digest.in_(digests), console_sessions.c.seen_at < ago(SEEN_SECONDS))
        .values(seen_at=now, expires_at=func.least(last, after(idle_seconds)))
        .returning(console_sessions.c.digest)
    )


def end_session(digests: Collection[str]) -> Delete:
    """End the session with one of these digests."""
    return delete(console_sessions).where(console_sessions.c.digest.in_(digests))


def remove_expired() -> Delete:
    """Remove the sessions that are over."""
    return delete(console_sessions).where(console_sessions.c.expires_at < now)
