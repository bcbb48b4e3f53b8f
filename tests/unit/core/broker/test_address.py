"""The broker's URL: one reading of it, for every library."""

import ssl

import certifi
import pytest
from kombu.utils.url import parse_url

from core.broker.address import BrokerAddress, BrokerTls, broker_address
from core.broker.clients import celery_options
from core.settings import Settings

PUBLIC = BrokerTls(ca_bundle=certifi.where())


def read(url, **settings):
    return broker_address(Settings(broker_url=url, **settings))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", BrokerAddress(hosts=(("localhost", 6379),))),
        ("redis://broker", BrokerAddress(hosts=(("broker", 6379),))),
        ("redis://broker:1/3", BrokerAddress(hosts=(("broker", 1),), db=3)),
        ("redis://:p%40ss@broker", BrokerAddress(hosts=(("broker", 6379),), password="p@ss")),
        ("redis://me:pw@[::1]:2/", BrokerAddress(hosts=(("::1", 2),), username="me", password="pw")),
        ("rediss://broker", BrokerAddress(hosts=(("broker", 6379),), tls=PUBLIC)),
        ("redis+socket:///run/redis.sock", BrokerAddress(path="/run/redis.sock")),
        ("redis+socket:///run/redis.sock?virtual_host=2", BrokerAddress(path="/run/redis.sock", db=2)),
        ("unix://:pw@/run/redis.sock?db=2", BrokerAddress(path="/run/redis.sock", db=2, password="pw")),
        ("sentinel://a:1,b/main", BrokerAddress(hosts=(("a", 1), ("b", 26379)), master="main")),
        ("sentinels://a/main/4", BrokerAddress(hosts=(("a", 26379),), master="main", db=4, tls=PUBLIC)),
        (
            "sentinel://:pw@a/main?sentinel_username=s&sentinel_password=t",
            BrokerAddress(
                hosts=(("a", 26379),), master="main", password="pw", sentinel_username="s", sentinel_password="t"
            ),
        ),
    ],
)
def test_a_url_is_read(url, address):
    assert address == read(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "broker", "amqp://broker", "redis://a,b", "redis://a:x", "redis://a:70000", "redis://a/x", "redis://a#b"),
        *("redis+socket://", "sentinel://a", "sentinel://a/", "sentinel://a/main/x", "redis://a?db=1", "redis://a?b"),
        *("redis://a?ssl_cert_reqs=none", "sentinel://a/main?ssl_ca_certs=x", "redis://:a/b@c", "redis://:a?b@c"),
    ],
)
def test_another_form_is_refused_by_the_settings_name(url):
    with pytest.raises(ValueError, match=r"^ATELIER_BROKER_URL=.*use redis://"):
        read(url)


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_check_hostname=false"])
@pytest.mark.parametrize("url", ["rediss://broker?", "sentinels://broker/main?"])
def test_only_development_may_leave_tls_unverified(url, option):
    with pytest.raises(ValueError, match="ATELIER_CA_BUNDLE"):
        read(url + option)
    assert not (read(url + option, development=True).tls.options())["ssl_check_hostname"]


@pytest.mark.parametrize("options", ["", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_OPTIONAL"])
def test_a_certificate_is_required_and_has_to_name_the_host(options):
    options = read(f"rediss://broker{options}", ca_bundle="/etc/ca.pem").tls.options()
    assert {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, "ssl_ca_certs": "/etc/ca.pem"} == options


def test_the_urls_own_authority_comes_before_the_settings():
    tls = read("rediss://b?ssl_ca_certs=/a.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem", ca_bundle="/etc/ca.pem").tls
    assert BrokerTls(ca_bundle="/a.pem", certificate="/c.pem", key="/k.pem") == tls


@pytest.mark.parametrize(
    ("url", "celerys"),
    [
        ("redis://broker:1/3", "redis://broker:1/3"),
        ("rediss://me:p%40s%2Fs@broker?ssl_ca_certs=/a.pem", "rediss://me:p%40s%2Fs@broker:6379/0"),
        ("unix://:pw@/run/redis.sock?db=2", "redis+socket://:pw@/run/redis.sock?virtual_host=2"),
        ("sentinel://:a%3Bb@a:1,[::1]/main/4", "sentinel://:a%3Bb@a:1/4;sentinel://:a%3Bb@[::1]:26379/4"),
    ],
)
def test_celery_gets_the_same_place(url, celerys):
    address = read(url)
    assert celerys == address.celery_url()
    if not address.path:
        for part, (host, port) in zip(celerys.split(";"), address.hosts, strict=True):
            read_by_kombu = parse_url(part)
            assert (host, port, address.password or None, str(address.db)) == tuple(
                read_by_kombu[name] for name in ("hostname", "port", "password", "virtual_host")
            )


def test_celery_gets_the_same_tls_and_the_masters_name():
    options = celery_options(Settings(broker_url="sentinels://:pw@a/main?sentinel_password=s"), socket_timeout=1)
    tls = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, "ssl_ca_certs": certifi.where()}
    assert tls == options["broker_use_ssl"]
    assert "main" == options["broker_transport_options"]["master_name"]
    of_sentinels = options["broker_transport_options"]["sentinel_kwargs"]
    assert {"ssl": True, "password": "s", "socket_timeout": 1, **tls}.items() <= of_sentinels.items()


def test_its_representation_has_no_secret():
    assert "SECRET" not in repr(read("sentinel://:SECRET@a,b/main?sentinel_password=SECRET"))
