"""The socket of a server that listens on every interface."""

import errno
import os
import socket

EVERYWHERE = "::"
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def listen_everywhere(port: int, backlog: int = 2048) -> socket.socket:
    """Return a socket that listens on `::`, for IPv6 and IPv4; asyncio alone would have it take IPv6 only.

    Raises `OSError` with a reason in its `strerror`, also on a machine without IPv6.
    """
    try:
        if not socket.has_dualstack_ipv6():  # for which `create_server` has a `ValueError`
            raise OSError(errno.EAFNOSUPPORT, "")
        return socket.create_server((EVERYWHERE, port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        if error.errno in NO_IPV6:
            reason = f"this machine has no IPv6 ({reason}), 0.0.0.0 is every interface of IPv4"
        raise OSError(error.errno, reason) from None
