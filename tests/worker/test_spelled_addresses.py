"""Addresses that somebody else names: which of them may be called, in any spelling."""

from __future__ import annotations

import pytest

from evidence.errors import UsageError
from worker.addresses import check, is_public, refuse_own, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1",
        "fec0::1", "64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1", "5f00::1", "198.18.0.1",
        "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_an_address_of_our_own_network_is_not_public_in_any_form(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]"])
def test_every_spelling_of_loopback_is_refused(host: str) -> None:
    _, name, port = check(f"http://{host}/")

    with pytest.raises(UsageError, match="public internet") as refused:
        resolve(name, port)
    assert "127.0.0.1" not in str(refused.value).replace(name, ""), "it tells where our names lead"
    with pytest.raises(UsageError, match="public internet"):
        refuse_own(name)


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "[2606:4700::1111]", "desk.example", "my-localhost.example"]
)
def test_a_host_that_may_be_public_is_not_refused_before_its_name_is_asked(host: str) -> None:
    refuse_own(check(f"https://{host}/")[1])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.b/", "file:///etc/passwd", "http://", "https://me:pw@a.b/", "a.b", "http://a.b:x/",
        "http://a.b/\u00e9", "http://a.b/ c", "http://\u00fc.b/", "http://a.b/" + 2048 * "c",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address that can be called"):
        check(url)
