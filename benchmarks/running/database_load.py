"""What the database has done: transactions, as PostgreSQL counts them, and processor time, as the kernel counts it."""

from typing import Any

import msgspec
import psutil
import psycopg


class Load(msgspec.Struct, frozen=True):
    """What the database has done so far: transactions, and seconds of processor time."""

    transactions: int
    cpu: float

    def since(self, before: "Load") -> "Load":
        return Load(self.transactions - before.transactions, self.cpu - before.cpu)


def load(database: psycopg.Connection[Any]) -> Load:
    """See `Load`. PostgreSQL's processes are the children of the one that started this connection's."""
    counted = database.execute("""
        SELECT pg_backend_pid(), pg_stat_clear_snapshot(), xact_commit + xact_rollback
        FROM pg_stat_database WHERE datname = current_database()
    """).fetchone()
    assert counted is not None
    server = psutil.Process(counted[0]).parent()
    assert server is not None
    times = [process.cpu_times() for process in [server, *server.children()]]
    ended_backends = server.cpu_times().children_user + server.cpu_times().children_system
    return Load(int(counted[2]), ended_backends + sum(each.user + each.system for each in times))
