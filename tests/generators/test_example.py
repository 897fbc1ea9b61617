"""examples/train_dcgan.py trains on a folder of pictures and goes on where it stopped."""

from __future__ import annotations

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "train_dcgan.py"


def test_the_example_trains_and_a_second_call_finds_the_run_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for n in range(4):
        noise = np.random.default_rng(n).integers(0, 256, (40, 40, 3), np.uint8)
        cv2.imwrite(str(pictures / f"{n}.png"), noise)
    main = runpy.run_path(str(EXAMPLE))["main"]

    for _ in range(2):
        main(str(tmp_path / "run"), "5", str(pictures), "smoke")

    assert capsys.readouterr().out.count("32 images in") == 2
    assert list((tmp_path / "run" / "samples").glob("*.png"))
