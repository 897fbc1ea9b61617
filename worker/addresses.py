"""Requests to an address that somebody else named, which must not reach into our own network.

The name is resolved once, every address it has must be of the public internet, and the connection goes to
the one that was looked at: no second answer of a name server, no redirect and no proxy can lead elsewhere.
A receiver that dawdles is left after `TIMEOUT_SECONDS`, however little by little it answers.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from urllib.parse import urljoin, urlsplit

from evidence.errors import AddressRefused, FetchFailed, LimitExceeded, UsageError

TIMEOUT_SECONDS = 10.0
MOST_READ = 4096
MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK_BYTES = 1 << 16
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What has been given to the internet of IPv6; what lies outside is of some network of its own.
_UNICAST = ipaddress.ip_network("2000::/3")
_WRITTEN = re.compile(r"[!-~]{1,2048}")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool = False) -> int:
    """POST and return the status; redirects are not followed. Raises UsageError, OSError."""
    parts = urlsplit(url)
    secure, host, port = check(url)
    address = resolve(host, port, private=private)
    connection = _Pinned(host, port, address, secure)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, dict(headers))
        return _status(connection.sock, time.monotonic() + TIMEOUT_SECONDS)
    except http.client.HTTPException as error:
        raise OSError(f"The receiver cannot be asked: {type(error).__name__}.") from None
    finally:
        connection.close()


def fetched(url: str, *, max_bytes: int, until: float, private: bool = False) -> Generator[bytes]:
    """The bytes at an address, each redirect looked at like the address itself; no cookie, no password.

    Raises AddressRefused, FetchFailed, LimitExceeded.
    """
    for _ in range(MOST_REDIRECTS + 1):
        connection, answer, alarm = _asked(url, until, private)
        try:
            if answer.status in _REDIRECTS and (place := answer.getheader("Location")):
                url = urljoin(url, place)
                continue
            yield from _body(url, answer, max_bytes)
            if alarm.rang:
                raise _too_late(url)
            return
        except (OSError, http.client.HTTPException, FetchFailed) as error:
            raise (_too_late(url) if alarm.rang else _failed(url, error)) from None
        finally:
            alarm.cancel()
            connection.close()
    raise FetchFailed(f"{url} was redirected to more than {MOST_REDIRECTS} times.", "Name the file itself.")


def check(url: str) -> tuple[bool, str, int]:
    """Whether an address is https, its host and its port; raises UsageError for what is no such address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    written = _WRITTEN.fullmatch(url) is not None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or not written:
        raise UsageError(
            f"{url[:200]!r} is no address that can be called.",
            "Give http:// or https:// with a host, without a user name; other letters than those of ASCII "
            "are written as xn-- in a host and as %C3%A9 behind it.",
        )
    secure = parts.scheme == "https"
    return secure, host, port or (443 if secure else 80)


def refuse_own(host: str) -> None:
    """Raise UsageError for a host that is of our own network as it is written, before any name is asked."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        found = []
    name = host.rstrip(".").lower()
    if (
        name == "localhost"
        or name.endswith(".localhost")
        or not all(is_public(str(row[4][0])) for row in found)
    ):
        raise _not_public(host)


def resolve(host: str, port: int, *, private: bool = False) -> str:
    """The address to connect to; raises UsageError when one of those of `host` is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OSError(f"The name {host} has no address.") from None
    addresses = [str(row[4][0]) for row in found]
    if not private and not all(is_public(address) for address in addresses):
        raise _not_public(host)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is of the public internet, also within the forms that carry one in another."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def _not_public(host: str) -> UsageError:
    """The refusal, which does not tell a stranger where a name of our network leads."""
    return UsageError(
        f"{host} has an address that is not of the public internet.",
        "Name a public host, or allow private ones with TOUCHSTONE_WEBHOOK_PRIVATE.",
    )


def _status(sock: socket.socket, until: float) -> int:
    """The status that is answered before `until`; what else is said is not read."""
    said = b""
    while (left := until - time.monotonic()) > 0 and len(said) <= MOST_READ:
        found = _STATUS.match(said)
        if found and int(found[1]) >= 200:
            return int(found[1])
        if found and b"\r\n\r\n" in said:  # 1xx: the answer comes behind it
            said = said.partition(b"\r\n\r\n")[2]
            continue
        if not found and b"\n" in said:
            break
        sock.settimeout(left)
        more = sock.recv(MOST_READ)
        if not more:
            break
        said += more
    else:
        raise TimeoutError("The receiver did not answer in time.")
    raise OSError("The receiver did not speak HTTP.")


class _Alarm(threading.Timer):
    """Cuts a connection off at a time, wherever it stands: a sender that dawdles is left."""

    def __init__(self, connection: _Pinned, until: float) -> None:
        super().__init__(max(0.0, until - time.monotonic()), self._ring)
        self.daemon = True
        self.rang = False
        self._connection = connection

    def _ring(self) -> None:
        self.rang = True
        if self._connection.wire is not None:
            with contextlib.suppress(OSError):
                # Of the plain socket: that of TLS would pull the rug from under a thread that reads.
                socket.socket.shutdown(self._connection.wire, socket.SHUT_RDWR)


def _asked(
    url: str, until: float, private: bool
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse, _Alarm]:
    """A connection on which the medium at an address was asked for, and the head of the answer."""
    try:
        secure, host, port = check(url)
        if not private:
            refuse_own(host)
        address = resolve(host, port, private=private)
    except UsageError as error:
        raise AddressRefused(error.message, "Name a medium on a public host, or hand in the file.") from None
    except OSError as error:
        raise FetchFailed(str(error), "Check the address.") from None
    parts = urlsplit(url)
    connection = _Pinned(host, port, address, secure)
    alarm = _Alarm(connection, until)
    alarm.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "image/*, video/*", "User-Agent": "touchstone"})
        return connection, connection.getresponse(), alarm
    except (OSError, http.client.HTTPException) as error:
        alarm.cancel()
        connection.close()
        raise (_too_late(url) if alarm.rang else _failed(url, error)) from None


def _body(url: str, answer: http.client.HTTPResponse, max_bytes: int) -> Iterator[bytes]:
    if answer.status != 200:
        raise FetchFailed(f"{url} answers {answer.status} {answer.reason}.", "Check the address.")
    if answer.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed(f"{url} answers in a coding that was not asked for.", "Hand in the file.")
    announced, received = answer.length, 0
    if announced is not None and announced > max_bytes:
        raise LimitExceeded(
            f"{url} has {announced} bytes; {max_bytes} are allowed.",
            "Name a smaller file, or raise TOUCHSTONE_MAX_BYTES.",
        )
    while chunk := answer.read1(_CHUNK_BYTES):
        received += len(chunk)
        yield chunk
    if announced is not None and received < announced:
        raise FetchFailed(f"{url} broke off after {received} of {announced} bytes.", "Try again later.")


def _failed(url: str, error: Exception) -> FetchFailed:
    if isinstance(error, FetchFailed):
        return error
    if isinstance(error, TimeoutError):
        return FetchFailed(f"{url} does not answer within {TIMEOUT_SECONDS:g} s.", "Try again later.")
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason or "no common protocol"
        return FetchFailed(f"{url} cannot be trusted: {reason}.", "Its certificate must be valid.")
    if isinstance(error, OSError):
        return FetchFailed(f"{url} cannot be reached: {error.strerror or error}.", "Check the address.")
    return FetchFailed(f"{url} does not speak HTTP: {type(error).__name__}.", "Check the address.")


def _too_late(url: str) -> FetchFailed:
    return FetchFailed(f"{url} was not here in time.", "Raise TOUCHSTONE_FETCH_SECONDS, or hand in the file.")


class _Pinned(http.client.HTTPConnection):
    """A connection to `address` that speaks to `host`."""

    def __init__(self, host: str, port: int, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address, self._secure = address, secure
        self.default_port = 443 if secure else 80
        self.wire: socket.socket | None = None  # stays known when http.client hands it to an answer

    def connect(self) -> None:
        self.sock = self.wire = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            self.sock = self.wire = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self.host
            )
