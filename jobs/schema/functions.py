"""The functions that indexes of the database are made of.

The migration that introduces a function has a copy of its own. A function is never changed, since an index holds what
it returned: another one takes another name.
"""

_authority = "lower(split_part(split_part(split_part(split_part(url, '/', 3), '?', 1), '#', 1), '@', -1))"

WEBHOOK_ORIGIN = f"""
CREATE OR REPLACE FUNCTION webhook_origin(url text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    lower(split_part(url, ':', 1)) || '://' || rtrim(regexp_replace({_authority}, ':[0-9]*$', ''), '.') || ':'
    || coalesce(
        nullif(ltrim(substring({_authority} FROM ':([0-9]*)$'), '0'), ''),
        CASE lower(split_part(url, ':', 1)) WHEN 'https' THEN '443' ELSE '80' END
    )
"""
"""The origin of a URL, `scheme://host:port` in small letters; an expression of any text, which raises no error."""

WEBHOOK_LANE = """
CREATE OR REPLACE FUNCTION webhook_lane(url text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    hashtextextended(webhook_origin(url), 0)
"""
"""A number that stands for the origin of a URL, spread evenly over all numbers."""

FUNCTIONS = (WEBHOOK_ORIGIN, WEBHOOK_LANE)
"""In the order in which they can be made."""
