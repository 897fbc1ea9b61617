"""Whatever number a person sets an option of a system to, it is built, or one line says why it is not."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import UsageError
from generators import catalogue
from generators.contract import Optimisation
from generators.options import require_sensible
from generators.training import command
from generators.training.command import run
from tests.toy_gan import Conditioned

SYSTEMS = list(catalogue.CATALOGUE)
HUGE = 10**30
GENERAL = {field.name for field in fields(Optimisation)}


@pytest.fixture(autouse=True)
def _random_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "open_data", lambda data, shape, **_: Conditioned(shape))


def odd_values(system: str) -> list[tuple[str, str]]:
    """Each number among the options as none, less than none, far too many, and one that divides nothing."""
    found = []
    for name, now in catalogue.options(catalogue.preset(system, "smoke")).items():
        first = now[0] if isinstance(now, tuple) and now else now
        if isinstance(first, bool | str) or first == () or (name in GENERAL and system != "vanilla"):
            continue
        odd = [0, -1, HUGE, 2 * first + 1] if isinstance(first, int) else [0.0, -1.0, 1e30]
        rest = [str(item) for item in now[1:]] if isinstance(now, tuple) else []
        found += [(name, ",".join([str(value), *rest])) for value in odd]
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_odd_number_is_built_or_refused_in_a_line(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Built(Exception):
        """The networks stand; their training is another test's."""

    def built(*_: Any, **__: Any) -> None:
        raise Built

    monkeypatch.setattr(command, "train", built)
    for name, text in odd_values(system):
        with pytest.raises((Built, UsageError)) as caught:
            run(system, preset="smoke", out=tmp_path, overrides={name: text})
        if isinstance(caught.value, UsageError):
            assert name in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_preset_has_a_number_that_would_be_refused(system: str) -> None:
    for preset in catalogue.system(system).load()[1].values():
        require_sensible(preset.config, asdict(preset.config))
        require_sensible(preset.optimisation, asdict(preset.optimisation))


@pytest.mark.parametrize("system", ["pix2pix", "cyclegan"])
def test_more_layers_than_a_picture_has_room_for_are_refused(system: str) -> None:
    with pytest.raises(
        UsageError, match=r"patch_layers=4 cannot judge pictures of 32 px. Take patch_layers of 3"
    ):
        catalogue.create(system, "smoke", patch_layers=4)
    assert catalogue.create(system, "smoke", patch_layers=3)


def test_a_network_that_fails_in_its_first_step_is_laid_to_what_was_set(tmp_path: Path) -> None:
    asked = {"batch": "1", "total_images": "4"}
    with pytest.raises(
        UsageError,
        match=r"^vanilla cannot be trained with batch=1: Expected more than 1 value.* "
        r"Its preset smoke has batch=8\.$",
    ):
        run("vanilla", preset="smoke", out=tmp_path / "run", overrides=asked)
    assert not (tmp_path / "run" / "config.json").exists()  # the folder serves for a better try


def test_a_fault_that_nobody_asked_for_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("sizes differ")

    monkeypatch.setattr(catalogue, "build", broken)
    with pytest.raises(ValueError, match=r"^sizes differ$"):
        run("vanilla", preset="smoke", out=tmp_path / "run")
