"""The address of a stack's API."""

import socket
from ipaddress import ip_address

import msgspec

from core.net.listening import EVERYWHERE, listen_everywhere

WILDCARDS = ("0.0.0.0", EVERYWHERE)


class AddressTaken(Exception):
    """An address that the API cannot listen on; the text says why."""


class Address(msgspec.Struct, frozen=True):
    """A host and a port."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL for other machines; an API that listens everywhere is named by this machine's host name."""
        return self._url(socket.gethostname() if self.host in WILDCARDS else self.host)

    @property
    def local_url(self) -> str:
        """The URL for this machine itself."""
        return self._url("127.0.0.1" if self.host in WILDCARDS else self.host)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it; a name other than `localhost` may be any address."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def refuse_taken(self) -> None:
        """Raise `AddressTaken` when a process cannot listen here now."""
        try:
            self._try_to_listen()
        except OSError as error:
            reason = f"cannot listen on {self.host} port {self.port}: {error.strerror}"
            raise AddressTaken(f"{reason}; choose another --port or --host") from None

    def _try_to_listen(self) -> None:
        if self.host == EVERYWHERE:
            listen_everywhere(self.port).close()
            return
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, self.port))

    def _url(self, host: str) -> str:
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def free_address() -> Address:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", int(probe.getsockname()[1]))
