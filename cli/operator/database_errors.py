"""Database troubles as a sentence for the person who typed the command."""

from collections.abc import Iterator
from contextlib import contextmanager

import rich_click as click


@contextmanager
def explained() -> Iterator[None]:
    """Turn "the database is away" and what the operator's commands refuse into a `ClickException`."""
    from cli.operator.admin import SecretMissing, UnknownTenant
    from core.database import is_unreachable

    try:
        yield
    except (SecretMissing, UnknownTenant) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if not is_unreachable(error):
            raise
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise click.ClickException(
            f"The database does not answer: {reason}. Is `atelier up` running, or ATELIER_DATABASE_URL right?"
        ) from None
