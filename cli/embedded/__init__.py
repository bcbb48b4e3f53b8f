"""PostgreSQL and Valkey for one box, the demo and the tests: real servers, started from wheels as our children."""

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.server import ServerFailed
from cli.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey", "ServerFailed"]
