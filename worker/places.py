"""Object stores and other places that fsspec knows, `s3://bucket/prefix` first: what is there, its bytes.

The only home of fsspec, which the extra `s3` installs with s3fs. Credentials come from the environment alone,
as the store's own tools read them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

from evidence.errors import FetchFailed, LimitExceeded, UsageError
from worker.settings import Settings

_CHUNK_BYTES = 1 << 20
_READ_AHEAD_BYTES = 4 << 20
_S3 = ("s3", "s3a")


def list_place(place: str, settings: Settings) -> Iterator[str]:
    """The address of every file below a place, page by page. Raises UsageError where it cannot be listed."""
    files, path = _files(place, settings)
    scheme = place.partition("://")[0]
    try:
        listed = _keys(files, path) if scheme in _S3 else _walk(files, path)
        yield from (f"{scheme}://{name}" for name in listed)
    except UsageError:
        raise
    except Exception as error:  # each store has errors of its own
        raise UsageError(
            f"{place} cannot be listed: {_why(error)}.", "Check the name, the endpoint and the credentials."
        ) from None


def chunks_of(address: str, settings: Settings, until: float) -> Generator[bytes]:
    """The bytes of one file. Raises FetchFailed, LimitExceeded."""
    try:
        files, path = _files(address, settings)
        size = int(files.info(path)["size"])
        if size > settings.max_bytes:
            raise LimitExceeded(
                f"{address} has {size} bytes; {settings.max_bytes} are allowed.",
                "Leave it out, or raise TOUCHSTONE_MAX_BYTES.",
            )
        with files.open(path, "rb", block_size=_READ_AHEAD_BYTES) as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                yield chunk
                if time.monotonic() > until:
                    raise FetchFailed(
                        f"{address} was not here within {settings.fetch_seconds:g} s.",
                        "Raise TOUCHSTONE_FETCH_SECONDS.",
                    )
    except (LimitExceeded, FetchFailed):
        raise
    except UsageError as error:
        raise FetchFailed(error.message, error.advice) from None
    except FileNotFoundError:
        raise FetchFailed(f"{address} is not there.", "Check the name.") from None
    except PermissionError:
        raise FetchFailed(f"{address} may not be read.", "Check the credentials.") from None
    except Exception as error:  # each store has errors of its own
        raise FetchFailed(f"{address} cannot be read: {_why(error)}.", "Try again later.") from None


def _files(address: str, settings: Settings) -> tuple[Any, str]:
    """The file system of an address and the path in it."""
    scheme, _, rest = address.partition("://")
    if "::" in address or ".." in rest.split("/") or scheme in ("file", "local", "http", "https"):
        raise UsageError(f"{address} is no place that can be named.", "Name one such as s3://bucket/prefix.")
    options: dict[str, Any] = {}
    if scheme in _S3:
        options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 3}}
        if settings.s3_endpoint:
            options["endpoint_url"] = settings.s3_endpoint
    try:
        import fsspec

        files, path = fsspec.core.url_to_fs(address, use_listings_cache=False, **options)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"{scheme}:// cannot be read here: {_why(error)}.",
            "Install what reads it, for S3: pip install 'touchstone[s3]'.",
        ) from None
    return files, str(path)


def _keys(files: Any, path: str) -> Iterator[str]:
    """The keys of a bucket below a prefix, a thousand at a time."""
    bucket, _, prefix = path.partition("/")
    more: dict[str, str] = {}
    while True:
        page = files.call_s3(
            "list_objects_v2", Bucket=bucket, Prefix=f"{prefix.rstrip('/')}/" if prefix else "", **more
        )
        for entry in page.get("Contents", ()):
            if not entry["Key"].endswith("/"):
                yield f"{bucket}/{entry['Key']}"
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _walk(files: Any, path: str) -> Iterator[str]:
    for folder, _, names in files.walk(path):
        yield from (f"{folder.rstrip('/')}/{name}" for name in sorted(names))


def _why(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")[:300]
