"""The guard: which addresses a URL may lead to, however it is written."""

import socket
from ipaddress import ip_address

import pytest

from core.errors.fields import ForbiddenUrl
from core.net.url_guard import check_literal, forbidden_reason, parse_networks, parse_ports, resolve_and_check
from core.settings import Settings

CLOSED = Settings()

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
]

FORBIDDEN = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("100.100.100.200", "metadata"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("168.63.129.16", "metadata"),
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.8", "protocol"),
    ("192.0.0.192", "metadata"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::2", "IPv4-compatible"),
    ("::8.8.8.8", "IPv4-compatible"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("::169.254.169.254", "IPv4-compatible"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:0:127.0.0.1", "not global"),
    ("64:ff9b::8.8.8.8", "NAT64"),
    ("64:ff9b::a9fe:a9fe", "NAT64"),
    ("64:ff9b:1::1", "NAT64"),
    ("100::1", "discard"),
    ("2001::1", "Teredo"),
    ("2001:0:5ef5:79fb:0:59e:a03a:5601", "Teredo"),
    ("2001:2::1", "protocol"),
    ("2001:10::1", "protocol"),
    ("2001:1ff:ffff::1", "protocol"),
    ("2001:db8::1", "documentation"),
    ("2002:808:808::1", "6to4"),
    ("2002:7f00:1::1", "6to4"),
    ("3fff::1", "documentation"),
    ("4000::1", "not global"),
    ("5f00::1", "not global"),
    ("fc00::1", "private"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::23", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fd12:3456::1", "private"),
    ("fe80::1", "link-local"),
    ("febf::1", "link-local"),
    ("fec0::1", "site-local"),
    ("feff::1", "site-local"),
    ("ff02::1", "multicast"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address):
    assert forbidden_reason(ip_address(address), 443, CLOSED) is None


@pytest.mark.parametrize(("address", "kind"), FORBIDDEN)
def test_a_special_address_is_forbidden_and_its_kind_named(address, kind):
    reason = forbidden_reason(ip_address(address), 443, CLOSED)
    assert reason is not None
    assert kind in reason


@pytest.mark.parametrize(("address", "kind"), FORBIDDEN)
def test_a_url_with_a_special_address_is_forbidden(address, kind):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ForbiddenUrl) as caught:
        resolve_and_check(f"http://{host}/hook", CLOSED)
    assert "leads to" in caught.value.detail


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "0", "localhost", "LOCALHOST", "127。0。0。1"],
)
def test_other_ways_to_write_this_machine_are_forbidden(host):
    try:
        resolve_and_check(f"http://{host}/", CLOSED)
    except (ForbiddenUrl, OSError):
        return
    raise AssertionError("it was allowed")


@pytest.mark.parametrize(("address", "kind"), FORBIDDEN)
def test_a_special_address_is_refused_without_a_lookup(address, kind):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ForbiddenUrl) as caught:
        check_literal(f"https://user:pw@{host}:8443/a.png", CLOSED)
    assert "does not connect there;" in caught.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7F.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "[::ffff:127.0.0.1]",
        "[fe80::1%25eth0]",
        "localhost",
        "LOCALHOST.",
        "app.localhost",
    ],
)
def test_other_spellings_are_refused_without_a_lookup(host):
    with pytest.raises(ForbiddenUrl):
        check_literal(f"http://{host}/", CLOSED)


@pytest.mark.parametrize(
    "host", ["example.org", "8.8.8.8", "[2606:2800::1]", "no-such-host.invalid", "10.example.org", "xn--a", "a.xn--a"]
)
def test_names_and_public_addresses_pass(host, monkeypatch):
    look_up = socket.getaddrinfo

    def numeric_only(*args, flags=0, **kwargs):
        assert flags & socket.AI_NUMERICHOST, "a resolver was asked"
        return look_up(*args, flags=flags, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", numeric_only)
    check_literal(f"https://{host}/a.png", CLOSED)


@pytest.mark.parametrize(
    ("host", "allowed", "development", "open_"),
    [
        ("localhost:8080", "127.0.0.1:8080", True, True),
        ("localhost:8080", "::1", True, True),
        ("localhost:8080", "127.0.0.1:8081", True, False),
        ("localhost:8080", "127.0.0.1:8080", False, False),
        ("10.1.2.3", "10.0.0.0/8:80", False, True),
        ("10.1.2.3:81", "10.0.0.0/8:80", False, False),
        ("169.254.169.254", "0.0.0.0/0", True, False),
    ],
)
def test_opened_ranges_pass_without_a_lookup(host, allowed, development, open_):
    chosen = Settings(allowed_networks=allowed, development=development)
    if open_:
        check_literal(f"http://{host}/", chosen)
    else:
        with pytest.raises(ForbiddenUrl):
            check_literal(f"http://{host}/", chosen)


@pytest.mark.parametrize(
    ("address", "allowed", "port", "reason"),
    [
        ("10.1.2.3", "10.0.0.0/8", 80, None),
        ("10.1.2.3", "10.0.0.0/8:9000", 9000, None),
        ("10.1.2.3", "10.0.0.0/8:9000", 9001, "private"),
        ("10.1.2.3", "192.168.0.0/16, 10.1.2.3", 80, None),
        ("10.1.2.4", "10.1.2.3", 80, "private"),
        ("fd12::1", "fd12::/16", 80, None),
        ("fd12::1", "[fd12::/16]:443", 443, None),
        ("fd12::1", "[fd12::/16]:443", 80, "private"),
        ("fd12::1", "[fd12::/16]", 80, None),
        ("::ffff:10.1.2.3", "10.0.0.0/8", 80, None),
        ("64:ff9b::8.8.8.8", "64:ff9b::/96", 80, None),
        # what is opened as a way round does not open what lies behind it
        ("64:ff9b::10.0.0.1", "64:ff9b::/96", 80, "private"),
        ("64:ff9b::10.0.0.1", "64:ff9b::/96,10.0.0.0/8", 80, None),
        ("64:ff9b::169.254.169.254", "64:ff9b::/96,169.254.0.0/16", 80, "metadata"),
        ("2002:7f00:1::1", "2002::/16,127.0.0.0/8", 80, "loopback"),
        # never, whatever is opened
        ("169.254.169.254", "0.0.0.0/0", 80, "metadata"),
        ("::ffff:169.254.169.254", "0.0.0.0/0,::/0", 80, "metadata"),
        ("::169.254.169.254", "0.0.0.0/0,::/0", 80, "metadata"),
        ("fd00:ec2::254", "::/0", 80, "metadata"),
        ("0.0.0.0", "0.0.0.0/0", 80, "unspecified"),
        ("::", "::/0", 80, "unspecified"),
        # loopback needs more than a range
        ("127.0.0.1", "127.0.0.0/8", 80, "loopback"),
        ("::1", "::/0", 80, "loopback"),
    ],
)
def test_an_operator_can_open_ranges(address, allowed, port, reason):
    answer = forbidden_reason(ip_address(address), port, Settings(allowed_networks=allowed))
    assert (reason is None and answer is None) or (reason is not None and reason in (answer or "allowed"))


@pytest.mark.parametrize(
    ("address", "allowed", "development", "open_"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True, True),
        ("127.0.0.1", "127.0.0.1:8081", True, False),
        ("127.0.0.1", "127.0.0.1:8080", False, False),
        ("127.0.0.1", "", True, False),
        ("::1", "::1", True, True),
        ("169.254.169.254", "0.0.0.0/0", True, False),
        ("0.0.0.0", "0.0.0.0/0", True, False),
    ],
)
def test_loopback_opens_only_in_development(address, allowed, development, open_):
    chosen = Settings(allowed_networks=allowed, development=development)
    assert open_ == (forbidden_reason(ip_address(address), 8080, chosen) is None)


@pytest.mark.parametrize(
    ("ports", "open_", "closed"),
    [
        ("80,443,1025-65535", [80, 443, 1025, 6379, 65535], [1, 22, 25, 79, 81, 442, 1024]),
        ("443", [443], [80, 442, 444]),
        (" 8080 - 8090 , 443 ", [443, 8080, 8090], [80, 8079, 8091]),
        ("", [], [80, 443]),
    ],
)
def test_only_the_operators_ports_are_connected_to(ports, open_, closed):
    chosen = Settings(allowed_ports=ports)
    for port in open_:
        assert port == resolve_and_check(f"http://8.8.8.8:{port}/", chosen).port
        check_literal(f"http://example.org:{port}/", chosen)
    for port in closed:
        for check in (resolve_and_check, check_literal):
            with pytest.raises(ForbiddenUrl, match=f"port {port}; "):
                check(f"http://8.8.8.8:{port}/", chosen)


def test_the_port_of_an_opened_range_is_open_there_only():
    chosen = Settings(allowed_networks="10.0.0.0/8:81")
    assert 81 == resolve_and_check("http://10.1.2.3:81/", chosen).port
    check_literal("http://inside.example:81/", chosen)  # it may lead to that range
    with pytest.raises(ForbiddenUrl, match="port 81"):
        resolve_and_check("http://8.8.8.8:81/", chosen)


@pytest.mark.parametrize("text", ["http", "80-", "-80", "0", "65536", "90-80", "1-65536", "80;443"])
def test_wrong_ports_name_the_variable(text):
    with pytest.raises(ValueError, match="ATELIER_ALLOWED_PORTS"):
        parse_ports(text)


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0.1/8", "somewhere", "10.0.0.0/8:http", "10.0.0.0/8:0", "[fd00::/8]:70000"]
)
def test_a_wrong_range_names_the_variable(text):
    with pytest.raises(ValueError, match="ATELIER_ALLOWED_NETWORKS"):
        parse_networks(text)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "//example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http://",
        "http:///hook",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://exa\0mple.com/",
        f"http://{'a' * 64}.example/",
        "http://a..b/",
        "http://[::1",
    ],
)
def test_a_url_that_is_not_http_is_forbidden(url):
    with pytest.raises(ForbiddenUrl) as caught:
        resolve_and_check(url, CLOSED)
    assert caught.value.detail.endswith(".")


class TestResolved:
    """Names, with a resolver of our own."""

    @pytest.fixture
    def resolve(self, monkeypatch):
        def answers(*addresses):
            def getaddrinfo(host, port, *args, **kwargs):
                return [
                    (
                        socket.AF_INET6 if ":" in address else socket.AF_INET,
                        socket.SOCK_STREAM,
                        6,
                        "",
                        (address, port),
                    )
                    for address in addresses
                ]

            monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

        return answers

    def test_the_connection_goes_to_the_checked_address(self, resolve):
        resolve("93.184.215.14", "93.184.215.14", "2606:2800::1")
        judged = resolve_and_check("https://user:pw@hooks.example:8443/a?b=c", CLOSED)
        assert ("93.184.215.14", "2606:2800::1") == judged.addresses
        assert "https://user:pw@93.184.215.14:8443/a?b=c" == judged.at(0)
        assert "https://user:pw@[2606:2800::1]:8443/a?b=c" == judged.at(1)
        assert judged.at(0) == judged.at(2)
        assert ("hooks.example", "hooks.example:8443", 8443) == (judged.host, judged.authority, judged.port)

    def test_one_forbidden_address_forbids_the_url(self, resolve):
        resolve("93.184.215.14", "10.0.0.5")
        with pytest.raises(ForbiddenUrl) as caught:
            resolve_and_check("https://hooks.example/", CLOSED)
        assert "private" in caught.value.detail
        assert "10.0.0.5" not in caught.value.detail

    def test_a_zone_does_not_hide_an_address(self, resolve):
        resolve("fe80::1%eth0")
        with pytest.raises(ForbiddenUrl, match="link-local"):
            resolve_and_check("https://hooks.example/", CLOSED)

    def test_the_port_of_the_scheme_counts(self, resolve):
        resolve("10.0.0.5")
        chosen = Settings(allowed_networks="10.0.0.0/8:443")
        assert 443 == resolve_and_check("https://hooks.example/", chosen).port
        with pytest.raises(ForbiddenUrl):
            resolve_and_check("http://hooks.example/", chosen)

    def test_an_unresolved_name_is_not_a_forbidden_url(self, monkeypatch):
        def getaddrinfo(*args, **kwargs):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with pytest.raises(OSError, match="Temporary failure"):
            resolve_and_check("https://hooks.example/", CLOSED)


@pytest.mark.parametrize(
    ("url", "opens"),
    [
        ("http://127.0.0.1:9000/", "`atelier up --dev`, or set ATELIER_DEVELOPMENT=1 and ATELIER_ALLOWED_NETWORKS"),
        ("http://localhost/", "`atelier up --dev`"),
        ("http://10.1.2.3/", "The operator can open it with ATELIER_ALLOWED_NETWORKS."),
        ("http://93.184.216.34:25/", "The operator can open it with ATELIER_ALLOWED_PORTS."),
        ("http://169.254.169.254/", "use a public URL."),
        ("http://0.0.0.0/", "use a public URL."),
    ],
)
def test_a_refusal_names_the_setting_that_would_allow_it(url, opens):
    with pytest.raises(ForbiddenUrl) as caught:
        check_literal(url, Settings())
    assert opens in caught.value.detail
    assert ("ATELIER_" in caught.value.detail) == ("ATELIER_" in opens or "--dev" in opens)
