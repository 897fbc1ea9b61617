"""A forge folder in small: real pictures, and twins whose every second pixel betrays them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evidence.medium import Pixels
from tests.detector.pictures import checkered, photograph, striped


def write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[:, :, ::-1])


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve reals of two sources, each with twins of two families; one twin is forged on its left half."""
    folder = tmp_path_factory.mktemp("forge")
    rows: list[dict[str, Any]] = []
    forgers: dict[str, Callable[[Pixels], Pixels]] = {"checkered": checkered, "striped": striped}
    for number in range(12):
        real = photograph(number)
        split = ("train", "train", "cal", "test")[number % 4]
        common = {"group": f"g{number}", "split": split, "source": ("photos", "faces")[number % 2]}
        name = f"real/{number}.png"
        write(folder / name, real)
        rows.append({"path": name, "label": "real", "twin_of": None, "mask": None, **common})
        for family, forger in forgers.items():
            fake, mask = forger(real), None
            if number == 0 and family == "striped":
                mask = "mask/0.png"
                left = np.zeros(real.shape[:2], np.uint8)
                left[:, :76] = 255
                fake = np.where(left[:, :, None] > 0, fake, real)
                write(folder / mask, left)
            path = f"fake/{family}/{number}.png"
            write(folder / path, fake)
            forged = {"path": path, "label": "fake", "family": family, "generator": f"{family}-1"}
            rows.append({**forged, "twin_of": name, "mask": mask, **common})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "manifest.jsonl").write_text(lines, encoding="utf-8")
    return folder
