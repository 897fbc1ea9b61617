"""Batches of what lies in S3, from a real S3 server: listed page by page, fetched by the worker, not kept."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evidence.errors import FetchFailed, LimitExceeded, MediaError, UsageError
from tests.command_line import write_picture
from tests.worker_service import Shop
from worker.fetching import Fetcher
from worker.places import list_place
from worker.requests import BatchItem, BatchRequest, open_batch
from worker.settings import Settings


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 that speaks the protocol and keeps everything in memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
            while True:
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until, "the S3 server did not start"
                    time.sleep(0.1)
            yield url
        finally:
            server.terminate()


@pytest.fixture
def settings(shop: Shop, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-a-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return shop.settings.model_copy(update={"s3_endpoint": endpoint, "places": "s3://archive/2026"})


@pytest.fixture
def bucket(endpoint: str, settings: Settings, tmp_path: Path) -> Iterator[Any]:
    """The bucket `archive` with two pictures and a text below 2026/, and one beside it."""
    import s3fs

    files = s3fs.S3FileSystem(endpoint_url=endpoint, use_listings_cache=False)
    files.call_s3("create_bucket", Bucket="archive")
    red = write_picture(tmp_path / "red.png", 6, side=64).read_bytes()
    blue = write_picture(tmp_path / "blue.png", -6, side=64).read_bytes()
    for key, body in (
        ("2026/a/red.png", red),
        ("2026/blue.png", blue),
        ("2026/notes.txt", b"no picture"),
        ("2026/folder/", b""),
        ("20260/other.png", red),
    ):
        files.call_s3("put_object", Bucket="archive", Key=key, Body=body)
    yield files
    for key in [entry["Key"] for entry in files.call_s3("list_objects_v2", Bucket="archive")["Contents"]]:
        files.call_s3("delete_object", Bucket="archive", Key=key)
    files.call_s3("delete_bucket", Bucket="archive")


def test_a_place_lists_what_lies_below_it_and_nothing_beside(bucket: Any, settings: Settings) -> None:
    listed = ["s3://archive/2026/a/red.png", "s3://archive/2026/blue.png", "s3://archive/2026/notes.txt"]
    assert list(list_place("s3://archive/2026", settings)) == listed
    assert list(list_place("s3://archive/2026/", settings)) == listed
    assert len(list(list_place("s3://archive", settings))) == 4
    assert list(list_place("s3://archive/none", settings)) == []


def test_a_long_list_is_read_page_by_page(
    bucket: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    asked = type(bucket).call_s3

    def counted(self: Any, method: str, *args: Any, **more: Any) -> Any:
        pages.append(method)
        return asked(self, method, *args, **more, MaxKeys=1)

    with monkeypatch.context() as patch:
        patch.setattr(type(bucket), "call_s3", counted)
        listing = list_place("s3://archive/2026", settings)
        assert pages == []
        assert next(listing) == "s3://archive/2026/a/red.png"
        assert len(pages) == 1
        assert len(list(listing)) == 2


def test_a_batch_of_a_bucket_is_scanned_and_leaves_nothing_on_the_disk(
    bucket: Any, shop: Shop, settings: Settings
) -> None:
    shop.settings = settings
    open_batch(
        shop.store, BatchRequest([BatchItem(it, path=it) for it in list_place("s3://archive/2026", settings)])
    )
    (outcome,) = shop.perform()
    assert outcome.result is not None
    rows = outcome.result["rows"]
    assert [row["verdict"] for row in rows] == ["fake", "real", None]
    assert rows[0]["media"]["path"] == "s3://archive/2026/a/red.png"
    assert rows[2]["reason"]["code"] == "unsupported"
    assert list((shop.media.folder / "incoming").iterdir()) == []


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("s3://archive/2026/nothing.png", FetchFailed, "is not there"),
        ("s3://nosuch/a.png", FetchFailed, "is not there"),
        ("s3://archive/2026/a/red.png", LimitExceeded, "99 are allowed"),
        ("s3://archive/2026/../20260/other.png", FetchFailed, "no place that can be named"),
        ("nosuch://a/b.png", FetchFailed, "cannot be read here"),
    ],
)
def test_what_cannot_be_fetched_is_said(
    bucket: Any, shop: Shop, settings: Settings, address: str, kind: type[MediaError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        Fetcher(settings.model_copy(update={"max_bytes": 99}), shop.media).reach(address)


def test_a_place_that_cannot_be_listed_says_what_to_check(endpoint: str, settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"s3://nosuch cannot be listed: .*credentials"):
        list(list_place("s3://nosuch", settings))
    with pytest.raises(UsageError, match=r"gs:// cannot be read here: .*Install"):
        list(list_place("gs://archive", settings))
