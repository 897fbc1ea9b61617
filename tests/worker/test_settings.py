"""Settings come from arguments, environment and touchstone.toml, in that order, and say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import SettingsError
from evidence.limits import DecodeLimits
from worker.settings import load_settings


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_any_setting_the_limits_are_those_of_evidence() -> None:
    assert load_settings().limits == DecodeLimits()


def test_the_environment_wins_over_the_file_and_an_argument_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "touchstone.toml").write_text("max_pixels = 100\nmax_bytes = 200\nevery_seconds = 3\n")
    monkeypatch.setenv("TOUCHSTONE_MAX_BYTES", "300")
    monkeypatch.setenv("TOUCHSTONE_EVERY_SECONDS", "4")

    settings = load_settings(every_seconds=5.0, device=None)

    assert (settings.max_pixels, settings.max_bytes, settings.every_seconds) == (100, 300, 5.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOUCHSTONE_MAX_PIXELS", "many"),
        ("TOUCHSTONE_DECODERS", "0"),
        ("TOUCHSTONE_DEVICE", "tpu"),
        ("TOUCHSTONE_EVERY_SECONDS", "inf"),
    ],
)
def test_a_bad_value_is_named_with_what_was_found(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert name.removeprefix("TOUCHSTONE_").lower() in caught.value.message
    assert repr(value) in caught.value.message


@pytest.mark.parametrize("text", ["max_pixel = 1\n", "max_pixels = = 1\n"])
def test_a_file_with_an_unknown_name_or_bad_syntax_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "touchstone.toml").write_text(text)

    with pytest.raises(SettingsError):
        load_settings()


def test_the_fingerprint_follows_what_decides_a_result_and_nothing_else() -> None:
    plain = load_settings()

    assert plain.fingerprint("x") == load_settings(decoders=7, threads=1).fingerprint("x")
    assert plain.fingerprint("x") != load_settings(tiles_per_image=3).fingerprint("x")
    assert plain.fingerprint("x") != plain.fingerprint("y")
