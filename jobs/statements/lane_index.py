"""A loose scan of an index whose rows lie in lanes: from tenant to tenant and from lane to lane, not from row to row.

It is SQL text, since a loose index scan needs a recursive query. Each step names the condition of its index in that
index's own words and sorts by its columns: no other index fits then, even when the planner has old statistics or none.
"""

from collections.abc import Mapping

import msgspec

SECOND = "extract(epoch FROM now())::bigint"
"""A number that changes from second to second and is the same for all workers."""


class LaneIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index that is sorted by tenant, lane and `order`; everything is SQL of `table`.

    `lane` is a number of 64 bits, spread evenly, and `available_at` the first column of `order`. `columns` are what is
    read of a lane's first row, by name.
    """

    table: str
    condition: str
    lane: str
    order: str
    columns: Mapping[str, str]

    def tenants(self) -> str:
        """Return `tenant_step`, a recursive query: the tenants that have rows, then null."""
        return f"""
    tenant_step (tenant) AS (
        (SELECT tenant FROM {self.table} WHERE {self.condition} {self._first})
        UNION ALL
        SELECT (
            SELECT tenant FROM {self.table}
            WHERE {self.condition} AND {self.table}.tenant > tenant_step.tenant {self._first}
        )
        FROM tenant_step WHERE tenant_step.tenant IS NOT NULL
    )"""

    def lanes_of(self, tenant: str, most: int, second: str = SECOND) -> str:
        """Return a query of at most so many lanes of a tenant: `lane`, the `columns`, `available_at` of the first row.

        It goes round, and begins at a point that moves from second to second, so all lanes get their turn. They are
        spread evenly, so the point is as often before the one as before the other.
        """
        columns = ", ".join(f"{column} AS {name}" for name, column in self.columns.items())
        row = f"""
            SELECT {self.lane} AS lane, {columns}, available_at
            FROM {self.table} WHERE {self.condition} AND tenant = {tenant}"""
        begin = f"hashtextextended('', {second})"
        following = f"""
            ({row} AND {self.lane} {{beyond}} {self._first}) UNION ALL ({row} {self._first}) LIMIT 1"""
        return f"""
        WITH RECURSIVE lane_step AS (
            SELECT found.*, found.lane AS begin, 1 AS number FROM ({following.format(beyond=f">= {begin}")}) AS found
            UNION ALL
            SELECT found.*, lane_step.begin, lane_step.number + 1
            FROM lane_step
            CROSS JOIN LATERAL ({following.format(beyond="> lane_step.lane")}) AS found
            WHERE found.lane <> lane_step.begin AND lane_step.number < {most}
        )
        SELECT lane, {", ".join(self.columns)}, available_at FROM lane_step"""

    @property
    def _first(self) -> str:
        return f"ORDER BY tenant, {self.lane}, {self.order} LIMIT 1"
