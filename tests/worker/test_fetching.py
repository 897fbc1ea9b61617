"""Media fetched from the web: a real server that misbehaves, and addresses that lead into our own network."""

from __future__ import annotations

import datetime
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.errors import AddressRefused, FetchFailed, LimitExceeded, MediaError, UnsupportedMedia
from tests.web_site import Site, incoming, serving
from tests.worker_service import Shop
from worker import addresses
from worker.fetching import Fetcher
from worker.jobs.holdings import media_of
from worker.media import MediaStore
from worker.requests import BatchItem, BatchRequest, ScanRequest, open_batch, scan_job
from worker.workman import Workman


def fetcher(shop: Shop, **settings: Any) -> Fetcher:
    given = {"fetch_web": True, "fetch_private": True, **settings}
    return Fetcher(shop.settings.model_copy(update=given), shop.media)


def test_what_is_fetched_is_there_byte_for_byte_until_it_is_dropped(shop: Shop, site: Site) -> None:
    fetching = fetcher(shop)
    for path in ("/red.png", "/moved"):
        local = Path(fetching.reach(site.at(path)))
        assert local.read_bytes() == site.picture
        fetching.drop(site.at(path))
        assert incoming(shop) == []
    kept = site.at("/red.png")
    fetching.reach(kept)
    stored = fetching.keep(kept)
    assert stored is not None
    assert shop.media.path(stored.sha256).read_bytes() == site.picture
    assert fetching.keep(kept) is None


def test_no_cookie_password_or_name_of_ours_is_passed_on(
    shop: Shop, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fetching = fetcher(shop)
    fetching.reach(site.at("/red.png"))
    fetching.reach(site.at("/red.png"))
    fetching.close()
    for head in site.asked:
        assert set(head) == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
        assert (head["User-Agent"], head["Accept-Encoding"]) == ("touchstone", "identity")


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/nothing.png", FetchFailed, "answers 404"),
        ("/round", FetchFailed, "redirected"),
        ("/large", LimitExceeded, "1000000000000 bytes"),
        ("/endless", LimitExceeded, "more than"),
        ("/page.html", UnsupportedMedia, "web page"),
        ("/cut", FetchFailed, "broke off after 100"),
        ("/to/ftp://example.org/a.png", AddressRefused, "no address that can be called"),
        ("/to/file:///etc/passwd", AddressRefused, "no address that can be called"),
    ],
)
def test_what_cannot_be_had_is_said_and_leaves_nothing_behind(
    shop: Shop, site: Site, path: str, kind: type[MediaError], said: str
) -> None:
    shop.media = MediaStore(shop.media.folder, max_bytes=200_000)
    fetching = fetcher(shop, max_bytes=200_000)
    with pytest.raises(kind, match=said):
        fetching.reach(site.at(path))
    assert incoming(shop) == []


def test_a_sender_that_dawdles_is_left_at_the_time_that_was_set(shop: Shop, site: Site) -> None:
    with pytest.raises(FetchFailed, match="not here in time"):
        fetcher(shop, fetch_seconds=0.5).reach(site.at("/slow"))
    assert not site.sent_all.is_set()
    assert incoming(shop) == []


def test_nobody_listening_and_a_certificate_of_ones_own_are_said(
    shop: Shop, site: Site, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchFailed, match="cannot be reached"):
        fetcher(shop).reach(f"http://127.0.0.1:{port}/a.png")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    secure = Site(site.picture)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    with serving(secure), pytest.raises(FetchFailed, match="cannot be trusted: self"):
        fetcher(shop).reach(secure.at("/red.png").replace("http:", "https:"))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.0.0.1",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0",
    ],
)
def test_our_own_network_is_never_asked(shop: Shop, site: Site, host: str) -> None:
    with pytest.raises(AddressRefused):
        fetcher(shop, fetch_private=False).reach(site.at("/red.png", host))
    assert site.asked == []


def test_a_redirect_into_our_own_network_is_not_followed(
    shop: Shop, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    fetching = fetcher(shop, fetch_private=False)
    fetching.reach(site.at("/red.png"))
    fetching.close()
    with pytest.raises(AddressRefused):
        fetching.reach(site.at(f"/to/{site.at('/red.png', '127.0.0.2')}"))
    assert len(site.asked) == 2


def test_a_name_that_changes_its_address_is_asked_once_and_held_to_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.215.14", "127.0.0.1"])
    connected = []

    def name_server(host: str, port: Any, *_: Any, flags: int = 0, **__: Any) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: tuple[str, int], *_: Any) -> socket.socket:
        connected.append(address)
        raise OSError("far away")

    monkeypatch.setattr(socket, "getaddrinfo", name_server)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(FetchFailed, match="far away"):
        fetcher(shop, fetch_private=False).reach("http://rebound.example/a.png")
    assert connected == [("93.184.215.14", 80)]


def test_a_scan_by_address_is_that_of_the_file_and_its_medium_is_kept(shop: Shop, site: Site) -> None:
    settings = shop.settings.model_copy(update={"fetch_web": True, "fetch_private": True})
    url = site.at("/red.png")
    job = shop.store.submit(scan_job(ScanRequest("", url, 0, url=url)))[0].id
    gone = shop.store.submit(scan_job(ScanRequest("", "gone", 0, url=site.at("/gone"))))[0].id
    off = shop.settings

    with Workman(shop.store, shop.media, settings) as workman:
        assert workman.work() == 2

    report = shop.result(job)["report"]
    assert (report["verdict"], report["media"]["path"]) == ("fake", url)
    assert media_of(shop.store.engine, job) == [report["media"]["sha256"]]
    assert shop.media.path(report["media"]["sha256"]).read_bytes() == site.picture
    assert shop.result(gone)["report"]["reason"]["code"] == "fetch_failed"
    assert media_of(shop.store.engine, gone) == []
    with pytest.raises(AddressRefused, match="TOUCHSTONE_FETCH_WEB"):
        Fetcher(off, shop.media).reach(url)


def test_a_batch_takes_files_and_addresses_alike_and_keeps_nothing_of_them(shop: Shop, site: Site) -> None:
    shop.settings = shop.settings.model_copy(update={"fetch_web": True, "fetch_private": True})
    items = [
        BatchItem("first", path=site.at("/red.png")),
        BatchItem("second", path=site.at("/page.html")),
        BatchItem("third", path=str(shop.picture(-6))),
        BatchItem("fourth", path=site.at("/red.png")),
    ]
    open_batch(shop.store, BatchRequest(items))

    (outcome,) = shop.perform()

    assert outcome.result is not None
    rows = outcome.result["rows"]
    assert [row["media"]["path"] for row in rows] == ["first", "second", "third", "fourth"]
    assert [row["verdict"] for row in rows] == ["fake", None, "real", "fake"]
    assert rows[1]["reason"]["code"] == "unsupported"
    assert incoming(shop) == []


def _certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "own.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
