"""A secret comes from the file that the environment names, and is not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import SettingsError
from worker.secret_files import without_password
from worker.settings import load_settings


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_setting_is_read_from_the_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("postgresql+psycopg://touchstone:hush@postgres/touchstone\n")
    monkeypatch.setenv("TOUCHSTONE_DATABASE_URL_FILE", str(secret))
    (tmp_path / "touchstone.toml").write_text('database_url = "sqlite:///other.db"\n')

    settings = load_settings()

    assert settings.store_url == "postgresql+psycopg://touchstone:hush@postgres/touchstone"
    assert settings.shown()["database_url"] == "postgresql+psycopg://touchstone:***@postgres/touchstone"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_secret_that_is_missing_empty_or_no_text_is_refused_by_name(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "broker_url"
    if content is not None:
        secret.write_bytes(content)
    monkeypatch.setenv("TOUCHSTONE_BROKER_URL_FILE", str(secret))

    with pytest.raises(SettingsError, match="TOUCHSTONE_BROKER_URL_FILE") as caught:
        load_settings()

    assert str(secret) in caught.value.message


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("redis://one")
    monkeypatch.setenv("TOUCHSTONE_BROKER_URL_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("TOUCHSTONE_BROKER_URL", "redis://two")

    with pytest.raises(SettingsError, match="both set"):
        load_settings()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://:hush@redis:6379/0", "redis://:***@redis:6379/0"),
        ("redis://worker:hu@sh@redis/0", "redis://worker:***@redis/0"),
        ("postgresql://touchstone@/jobs?host=/run", "postgresql://touchstone@/jobs?host=/run"),
        ("sqlite:////var/lib/touchstone/jobs.db", "sqlite:////var/lib/touchstone/jobs.db"),
        (7, 7),
    ],
)
def test_an_address_is_shown_without_its_password(address: object, shown: object) -> None:
    assert without_password(address) == shown
