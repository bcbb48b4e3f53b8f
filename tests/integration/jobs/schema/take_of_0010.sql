-- How a worker of schema 0010 leases deliveries, as its statement was sent; columns that only the answer needs are left out.
WITH chosen AS MATERIALIZED (
    SELECT outbox.id FROM outbox JOIN (
        SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY leased DESC, available_at) AS at_tenant
        FROM (
            SELECT *, row_number() OVER (PARTITION BY host ORDER BY leased DESC, available_at) AS at_host
            FROM (
                SELECT outbox.id, outbox.tenant, outbox.available_at,
                    coalesce(outbox.lease_until >= now(), false) AS leased,
                    lower(split_part(split_part(split_part(split_part(outbox.url, '/', 3), '?', 1), '#', 1), '@', -1))
                        AS host,
                    CASE WHEN coalesce(webhook_hosts.failures >= 10, false) THEN 1 ELSE 4 END AS allowed
                FROM outbox LEFT OUTER JOIN webhook_hosts ON webhook_hosts.host
                    = lower(split_part(split_part(split_part(split_part(outbox.url, '/', 3), '?', 1), '#', 1), '@', -1))
                WHERE outbox.delivered_at IS NULL AND outbox.given_up_at IS NULL AND outbox.superseded_at IS NULL
                    AND outbox.available_at <= now()
                    AND (coalesce(outbox.lease_until >= now(), false)
                        OR NOT coalesce(webhook_hosts.open_until > now(), false) AND NOT EXISTS (
                            SELECT * FROM outbox AS earlier
                            WHERE earlier.delivered_at IS NULL AND earlier.given_up_at IS NULL
                                AND earlier.superseded_at IS NULL AND earlier.job_id = outbox.job_id
                                AND earlier.webhook_id IS NOT DISTINCT FROM outbox.webhook_id
                                AND earlier.event_seq < outbox.event_seq))
            ) AS waiting
        ) AS by_host
        WHERE at_host <= allowed
    ) AS by_tenant ON by_tenant.id = outbox.id
    WHERE at_tenant <= 32 AND NOT leased AND outbox.delivered_at IS NULL AND outbox.given_up_at IS NULL
        AND outbox.superseded_at IS NULL AND outbox.available_at <= now()
        AND (outbox.lease_until IS NULL OR outbox.lease_until < now())
    ORDER BY at_host, outbox.available_at
    LIMIT 9 FOR UPDATE OF outbox SKIP LOCKED
)
UPDATE outbox SET attempt = attempt + 1, lease_until = clock_timestamp() + make_interval(secs => 30)
FROM chosen WHERE outbox.id = chosen.id RETURNING outbox.id
