"""Database errors as sentences for a terminal."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import rich_click as click
from sqlalchemy.exc import DBAPIError

from cli.operator.admin import SecretMissing, UnknownTenant
from core.database import is_unreachable, state_of
from jobs.schema.migrate import LOCK_NOT_FREE

REASON = re.compile(r"^connection failed: (?:connection to )?")
"""How the driver begins each reason."""


@contextmanager
def database_errors_explained() -> Iterator[None]:
    """Turn an unreachable database, a URL that is none and the errors of `cli.operator.admin` into `ClickException`."""
    try:
        yield
    except (SecretMissing, UnknownTenant, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if not is_unreachable(error):
            raise
        if isinstance(error, DBAPIError) and state_of(error) in LOCK_NOT_FREE:
            raise click.ClickException(
                "A table was in use all the time: end the long transaction that has it (pg_stat_activity shows it), or "
                "run this again later."
            ) from None
        raise click.ClickException(away_sentence(error)) from None


def away_sentence(error: Exception) -> str:
    """Return what to do about a database that does not answer, with the driver's reason."""
    reason = (str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__])[0]
    reason = REASON.sub("", reason)
    return f"The database does not answer: {reason}. Start `atelier up`, or correct ATELIER_DATABASE_URL."
