"""The functions of the database that belong to this version of the source.

The name of each has a digest of its text, so a change makes another function: processes of before and after an upgrade
each call their own. `atelier migrate` adds those of its version, and removes others that have been superseded for
`KEPT_DAYS`.
"""

from sqlalchemy import ARRAY, Text, TextClause, bindparam, text

from jobs.statements.maintenance import due
from jobs.statements.queue import commit_function, forecast
from jobs.statements.queue.claim_function import claim_function
from jobs.statements.queue.look import LOOK, LOOK_AGAIN, LOOK_SESSION
from jobs.statements.queue.submit_function import SUBMIT
from jobs.statements.webhooks import delivery_functions

KEPT_DAYS = 30
"""How long a function stays after another version has superseded it: for processes that were not restarted since."""
KINDS = (
    "claim",
    "forecast",
    "look",
    "look_again",
    "look_session",
    "submit",
    due.KIND,
    commit_function.KIND,
    *delivery_functions.KINDS,
)
"""What the names begin with, before the digest."""
FORMER_KINDS = ("delivery_subjects",)
"""Those of versions before, which none of this version replaces."""


def definitions() -> dict[str, str]:
    """Return the SQL that makes each function, by name."""
    claims = [claim_function(dedicated=alone, remote=remote) for alone in (False, True) for remote in (False, True)]
    others = (
        commit_function.commit_function(),
        due.due_function(),
        delivery_functions.take_function(),
        delivery_functions.delivered_function(),
    )
    return {
        **{claim.name: claim.definition for claim in claims},
        forecast.NAME: forecast.DEFINITION,
        **{function.name: function.definition for function in others},
        **{function.name: function.definition for function in (LOOK, LOOK_AGAIN, LOOK_SESSION, SUBMIT)},
    }


def add_functions() -> list[TextClause]:
    """Return the statements that bring the functions of a database to this version."""
    own = definitions()
    kinds = "|".join((*KINDS, *FORMER_KINDS))
    added = [text(definition) for definition in own.values()]
    wanted = [text(f"COMMENT ON FUNCTION {name} IS NULL") for name in own]
    superseded = text(f"""
        DO $$ DECLARE other record; BEGIN
            FOR other IN SELECT oid::regprocedure AS name, obj_description(oid, 'pg_proc')::timestamptz AS since
                FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
                    AND proname ~ '^({kinds})_[0-9a-f]{{12}}$' AND proname <> ALL ('{{{",".join(own)}}}')
            LOOP
                IF other.since IS NULL THEN
                    EXECUTE format('COMMENT ON FUNCTION %s IS %L', other.name, now());
                ELSIF other.since < now() - interval '{KEPT_DAYS} days' THEN
                    EXECUTE format('DROP FUNCTION %s', other.name);
                END IF;
            END LOOP;
        END $$
    """)
    return [*added, *wanted, superseded]


def missing_functions() -> TextClause:
    """Return the names of the functions that the database lacks."""
    return text("""
        SELECT name FROM unnest(:names) AS wanted (name)
        WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = name AND pg_function_is_visible(oid))
    """).bindparams(bindparam("names", list(definitions()), ARRAY(Text)))
