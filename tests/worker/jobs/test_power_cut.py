"""A service at work, stopped at random instants: what lies on its disk then is whole and works on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.power_cut import cut


@pytest.mark.slow
def test_what_was_answered_before_a_cut_is_on_the_disk_whole_and_the_copy_works_on(tmp_path: Path) -> None:
    found = cut(tmp_path, 3, random.Random(0))
    assert found["cuts"] == 3
    assert found["answered"] > 0
    assert [found[name] for name in ("lost", "torn", "damaged", "stuck")] == [0] * 4
