"""The broker's address, read once from `ATELIER_BROKER_URL` for every library that connects to it.

::

    redis://[user:password@]host[:port][/db]            rediss:// with TLS
    redis+socket:///path/of/the.sock[?db=1]             or unix://
    sentinel://[user:password@]host[:port],host[:port]/name-of-the-master[/db]     sentinels:// with TLS

With TLS the certificate has to be valid for the host. Its authority is one of `ATELIER_CA_BUNDLE`, else a public one.
"""

import ssl
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import certifi
import msgspec

from core.settings import Settings
from core.urls import shown

PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379, "sentinels": 26379}
WITH_TLS = ("rediss", "sentinels")
SOCKETS = ("redis+socket", "unix")
FORMS = "redis://host:port/0, rediss:// with TLS, redis+socket:///path, or sentinel://host:port,host:port/master/0"

TLS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
SENTINEL_OPTIONS = {"sentinel_username", "sentinel_password"}
SOCKET_OPTIONS = {"db", "virtual_host"}
"""The database's number, as redis-py and as Celery call it."""


class BrokerTls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS of the broker: files as paths of PEM. Only development may leave something unverified."""

    ca_bundle: str
    certificate: str = ""
    key: str = ""
    verified: bool = True
    named: bool = True
    """Whether the certificate has to name the host."""

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of a connection of redis-py."""
        options = {
            "ssl_cert_reqs": ssl.CERT_REQUIRED if self.verified else ssl.CERT_NONE,
            "ssl_check_hostname": self.verified and self.named,
            "ssl_ca_certs": self.ca_bundle,
        }
        if self.certificate:
            options |= {"ssl_certfile": self.certificate, "ssl_keyfile": self.key or self.certificate}
        return options


class BrokerAddress(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Where the broker is: a server, a unix socket (`path`), or Sentinels that know the server called `master`."""

    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    master: str = ""
    db: int = 0
    username: str = ""
    password: str = ""
    sentinel_username: str = ""
    sentinel_password: str = ""
    tls: BrokerTls | None = None

    def __repr__(self) -> str:
        """Show the place without the passwords."""
        return f"BrokerAddress({shown(self.celery_url())})"

    def login(self) -> dict[str, str]:
        """Return the keyword arguments of redis-py that log in at the server."""
        return _login(self.username, self.password)

    def sentinel_options(self) -> dict[str, Any]:
        """Return the keyword arguments of redis-py for connections to the Sentinels themselves."""
        tls = {"ssl": True, **self.tls.options()} if self.tls else {}
        return _login(self.sentinel_username, self.sentinel_password) | tls

    def celery_url(self) -> str:
        """Return the URL as Celery reads it; Sentinels are one URL each, and TLS is in options of their own."""
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        if self.path:
            return f"redis+socket://{user}{quote(self.path)}?virtual_host={self.db}"
        scheme = "sentinel" if self.master else "rediss" if self.tls else "redis"
        return ";".join(f"{scheme}://{user}{_bracketed(host)}:{port}/{self.db}" for host, port in self.hosts)


def broker_address(settings: Settings) -> BrokerAddress:
    """Return the address of `ATELIER_BROKER_URL`.

    Raises `ValueError`, without any secret in it, for a URL of another form, an option that does not exist, and TLS
    that verifies nothing outside of development.
    """
    url = settings.broker_url
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        if parts.scheme in SOCKETS and parts.path and not parts.fragment:
            return _of_socket(parts, options)
        if parts.scheme in PORTS and not parts.fragment:
            return _of_hosts(parts, options, settings)
    except ValueError as error:
        reason = error if isinstance(error, _Wrong) else "it cannot be read"
        raise ValueError(f"ATELIER_BROKER_URL={shown(url)}: {reason}; use {FORMS}") from None
    raise ValueError(f"ATELIER_BROKER_URL={shown(url)}: use {FORMS}")


class _Wrong(ValueError):
    """A reason of ours, which names no part of the URL that could be a secret."""


def _of_socket(parts: SplitResult, options: dict[str, str]) -> BrokerAddress:
    _refuse_unknown(options, SOCKET_OPTIONS)
    username, password, _ = _split_netloc(parts.netloc)
    number = options.get("db", options.get("virtual_host", "0"))
    return BrokerAddress(path=unquote(parts.path), db=_database(number), username=username, password=password)


def _of_hosts(parts: SplitResult, options: dict[str, str], settings: Settings) -> BrokerAddress:
    with_tls, with_sentinels = parts.scheme in WITH_TLS, parts.scheme.startswith("sentinel")
    _refuse_unknown(options, (TLS_OPTIONS if with_tls else set()) | (SENTINEL_OPTIONS if with_sentinels else set()))
    username, password, places = _split_netloc(parts.netloc)
    hosts = tuple(_host(place, PORTS[parts.scheme]) for place in places.split(","))
    path = unquote(parts.path).strip("/").split("/")
    master = path.pop(0) if with_sentinels else ""
    if with_sentinels and not master:
        raise _Wrong("the path has to name the master, as Sentinel knows it")
    if len(hosts) > 1 and not with_sentinels:
        raise _Wrong("only Sentinels may be several")
    return BrokerAddress(
        hosts=hosts,
        master=master,
        db=_database("/".join(path) or "0"),
        username=username,
        password=password,
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=options.get("sentinel_password", ""),
        tls=_tls(options, settings) if with_tls else None,
    )


def _tls(options: dict[str, str], settings: Settings) -> BrokerTls:
    tls = BrokerTls(
        ca_bundle=options.get("ssl_ca_certs") or settings.ca_bundle or certifi.where(),
        certificate=options.get("ssl_certfile", ""),
        key=options.get("ssl_keyfile", ""),
        verified=options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_") != "none",
        named=options.get("ssl_check_hostname", "true").lower() not in ("false", "no", "0"),
    )
    if not (tls.verified and tls.named) and not settings.development:
        raise _Wrong(
            "ssl_cert_reqs=none and ssl_check_hostname=false would give the password to anyone in between, and are for "
            "development only; name the authority of the certificate in ATELIER_CA_BUNDLE"
        )
    return tls


def _split_netloc(netloc: str) -> tuple[str, str, str]:
    """Return user, password and hosts. A name without a colon is a user, as redis-py and Celery read it."""
    userinfo, _, places = netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    return unquote(username), unquote(password), places


def _host(place: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    return unquote(parts.hostname or "localhost"), parts.port or default_port


def _database(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise _Wrong("the database is a number")
    return int(text)


def _refuse_unknown(options: dict[str, str], known: set[str]) -> None:
    if not options.keys() <= known:
        allowed = f"only {', '.join(sorted(known))}" if known else "nothing"
        raise _Wrong(f"{allowed} may come after the ?")


def _login(username: str, password: str) -> dict[str, str]:
    return {name: value for name, value in (("username", username), ("password", password)) if value}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
