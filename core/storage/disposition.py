"""Content-Disposition (RFC 6266): whether a browser shows a file, and the name under which it saves it."""

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[^A-Za-z0-9 ._()-]")


def disposition(name: str, *, is_shown: bool = True) -> str:
    """Return the value for a file of this name: shown in place, else saved; under the name where it has one."""
    kind = "inline" if is_shown else "attachment"
    if not name:
        return kind
    plain = _PLAIN.sub("_", name)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{kind}; filename="{plain}"{encoded}'
