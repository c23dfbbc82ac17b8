from collections.abc import Sequence

import pytest

from services.outgoing.guard import (
    SETTING,
    Allowed,
    NotAllowedUrl,
    Resolve,
    addresses_of,
    check_url,
    parse_allowed,
    target_of,
)

NOTHING = Allowed()
PUBLIC = "93.184.216.34"


def answering(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        return addresses

    return resolve


async def found(url: str, *answers: str, allow: str = "") -> list[str]:
    allowed = parse_allowed(allow)
    return await addresses_of(target_of(url, allowed), allowed, answering(*answers))


@pytest.mark.parametrize(
    "url",
    [
        "https://receiver.example.com/hook?a=1&b=%20",
        "https://RECEIVER.example.com:443",
        "https://receiver.example.com:8443/",
        "https://xn--bcher-kva.example/",
        f"https://{PUBLIC}/hook",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/hook",
    ],
)
def test_a_public_https_endpoint_is_allowed(url: str) -> None:
    check_url(url, NOTHING)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[2002:7f00:1::]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ],
)
async def test_a_private_or_reserved_address_is_refused_in_a_url_and_in_an_answer(
    address: str,
) -> None:
    with pytest.raises(NotAllowedUrl, match="private or reserved") as caught:
        check_url(f"https://{address}/hook", NOTHING)
    assert SETTING in str(caught.value)
    with pytest.raises(NotAllowedUrl, match="private or reserved"):
        await found("https://receiver.example.com/", address.strip("[]"))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.01",
        "1.2.3.256",
        "0x",
        "127.0.0.1.",
        "receiver.example.com.",
        "receiver..example.com",
        "-receiver.example.com",
        "127%2e0.0.1",
        "[fe80::1%25eth0]",
        "[::1",
        "[127.0.0.1]",
        "\uff11\uff12\uff17.0.0.1",
        "receiver\u3002example",
        "localhost\\.example.com",
        "a" * 64 + ".example",
        "a." * 127 + "example",
        "",
    ],
)
def test_a_host_that_is_written_in_disguise_is_refused(host: str) -> None:
    with pytest.raises(NotAllowedUrl):
        check_url(f"https://{host}/", NOTHING)
    with pytest.raises(NotAllowedUrl):
        check_url(f"https://{host}/", parse_allowed("127.0.0.0/8"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://receiver.example.com/", "https"),
        ("ftp://receiver.example.com/", "https"),
        ("file:///etc/passwd", "https"),
        ("//receiver.example.com/", "https"),
        ("receiver.example.com", "https"),
        ("", "https"),
        ("https:receiver.example.com/", "needs a host"),
        ("https://receiver.example.com:22/", "port must be 443 or 8443"),
        ("https://receiver.example.com:0/", "port must be"),
        ("https://receiver.example.com:99999/", "cannot be read"),
        ("https://receiver.example.com:x/", "cannot be read"),
        ("https://user:word@receiver.example.com/", "user name or password"),
        ("https://receiver.example.com@127.0.0.1/", "user name or password"),
        ("https://@receiver.example.com/", "user name or password"),
        ("https://receiver.example.com/#top", "after #"),
        ("https://receiver.example.com/\r\nX: y", "percent-encode"),
        ("https://127.0.0.1\t/", "percent-encode"),
        ("https://receiver.example.com/ü", "percent-encode"),
        ("https://receiver.example.com\\@127.0.0.1/", "percent-encode"),
        ("https://receiver/", "private network"),
        ("https://localhost/", "this machine"),
        ("https://api.localhost/", "this machine"),
        ("https://receiver.example.com/" + "a" * 2048, "too long"),
    ],
)
def test_what_else_is_wrong_with_a_url_is_said_in_a_sentence(url: str, says: str) -> None:
    with pytest.raises(NotAllowedUrl, match=says) as caught:
        check_url(url, NOTHING)
    assert str(caught.value).endswith(".")


async def test_every_answer_of_dns_must_be_permitted_and_not_only_the_first() -> None:
    url = "https://receiver.example.com/"
    assert await found(url, PUBLIC, "2606:2800:220:1::1") == [PUBLIC, "2606:2800:220:1::1"]
    with pytest.raises(NotAllowedUrl) as caught:
        await found(url, PUBLIC, "10.1.2.3")
    assert "10.1.2.3" not in str(caught.value), "the answer would map the private network"
    with pytest.raises(NotAllowedUrl):
        await found(url, PUBLIC, "not an address")
    with pytest.raises(OSError, match="no address"):
        await found(url)


async def test_an_address_that_is_translated_counts_as_what_it_means() -> None:
    url = "https://receiver.example.com/"
    assert await found(url, f"::ffff:{PUBLIC}") == [PUBLIC]
    assert await found(url, f"64:ff9b::{PUBLIC}") == ["64:ff9b::5db8:d822"]
    assert await found(url, PUBLIC, f"::ffff:{PUBLIC}") == [PUBLIC]


async def test_an_allowed_network_permits_its_addresses_with_any_port_and_plain_http() -> None:
    allow = "127.0.0.0/8, 10.1.0.0/16"
    assert await found("http://127.0.0.1:9000/", allow=allow) == ["127.0.0.1"]
    assert await found("http://[::ffff:127.0.0.1]:9000/", allow=allow) == ["127.0.0.1"]
    assert await found("https://receiver.example.com/", "10.1.2.3", allow=allow) == ["10.1.2.3"]
    with pytest.raises(NotAllowedUrl):
        await found("https://receiver.example.com/", "10.2.2.3", allow=allow)
    with pytest.raises(NotAllowedUrl, match="https"):
        check_url("http://receiver.example.com/", parse_allowed(allow))
    with pytest.raises(NotAllowedUrl):
        check_url("http://10.2.0.1/", parse_allowed(allow))


async def test_localhost_is_this_machine_and_never_asked_of_dns() -> None:
    url = "http://localhost:9000/"
    assert await found(url, PUBLIC, allow="127.0.0.1") == ["127.0.0.1"]
    assert await found(url, PUBLIC, allow="127.0.0.0/8,::1") == ["127.0.0.1", "::1"]
    assert await found(url, PUBLIC, allow="localhost:9000") == ["127.0.0.1", "::1"]
    with pytest.raises(NotAllowedUrl):
        check_url("http://localhost:9001/", parse_allowed("localhost:9000"))


async def test_a_named_host_may_be_inside_but_not_where_credentials_are_handed_out() -> None:
    allow, url = "receiver.internal:8080", "http://receiver.internal:8080/"
    assert await found(url, "10.1.2.3", allow=allow) == ["10.1.2.3"]
    assert await found(url, "fd12::1", allow=allow) == ["fd12::1"]
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "224.0.0.1"):
        with pytest.raises(NotAllowedUrl):
            await found(url, address, allow=allow)
    for other in (
        "http://receiver.internal/",
        "http://receiver.internal:8081/",
        "http://sub.receiver.internal:8080/",
    ):
        with pytest.raises(NotAllowedUrl):
            check_url(other, parse_allowed(allow))


async def test_a_named_host_without_a_port_may_be_called_on_any() -> None:
    for url in ("http://receiver:1234/", "https://receiver/"):
        assert await found(url, "192.168.0.2", allow="Receiver") == ["192.168.0.2"]


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "receiver.internal:0",
        "receiver.internal:99999",
        "http://receiver.internal",
        "*.internal",
        "127.1",
        "0x7f.1:80",
        "receiver.internal.",
        "[::1",
        ":8080",
    ],
)
def test_an_entry_that_is_wrong_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="neither a network") as caught:
        parse_allowed(f"127.0.0.0/8,{text}")
    assert repr(text) in str(caught.value)


def test_an_empty_setting_allows_nothing_and_a_long_one_is_refused() -> None:
    assert parse_allowed(" , ") == Allowed()
    with pytest.raises(ValueError, match="too many"):
        parse_allowed(",".join(f"host{n}" for n in range(257)))


def test_an_address_with_a_port_can_be_named() -> None:
    allowed = parse_allowed("[::1]:8080,127.0.0.1:9000")
    check_url("http://[::1]:8080/", allowed)
    check_url("http://127.0.0.1:9000/", allowed)
    with pytest.raises(NotAllowedUrl):
        check_url("http://127.0.0.1:9001/", allowed)
