"""Ports of loopback."""

import socket


def free_port() -> int:
    """A port that no process listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
