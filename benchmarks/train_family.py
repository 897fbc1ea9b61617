"""Train every decoder of the reconstruction family: `python -m benchmarks.train_family --out runs/family`.

Decoders train side by side, one process and one thread each, on native crops of training photographs
and faces. What is done is skipped and what was begun goes on, so the same command finishes an
interrupted family. Each run folder gets a `quality.json`, PSNR on pictures of the "cal" split, and the
verdict that lets it become a model.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from evidence.medium import Pixels
from generators.data.memory import ImageSet, decode
from generators.data.shards import load, sha256_of
from generators.systems.reconstruction import CROP, MEMBERS, PRESETS, ReconstructionGAN, load_member
from generators.training import checkpoint
from generators.training.command import judge_run
from generators.training.loop import Progress, train
from generators.verdict import VERDICT

# Half of the crops come from faces: as many as there are photographs, evenly spread over the persons.
PICTURES = {"photos": 1200, "faces-lfw": 900}
HELD_OUT_PICTURES = 32
HELD_OUT_SIDE = 240


@dataclass(frozen=True)
class Job:
    """One member to train: its preset's name, where to, from which seed, on how many images."""

    preset: str
    out: Path
    seed: int
    images: int | None
    minutes: float | None


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing and print a line for each member; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/family"))
    parser.add_argument("--only", nargs="*", default=list(MEMBERS), choices=list(MEMBERS))
    parser.add_argument("--images", type=int, help="images each member sees, instead of its preset's")
    parser.add_argument("--minutes", type=float, help="longest time for each member")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    jobs = [
        Job(name, chosen.out / name, chosen.seed, chosen.images, chosen.minutes)
        for name in chosen.only
        if not all((chosen.out / name / file).exists() for file in ("quality.json", VERDICT))
    ]
    print(f"{len(chosen.only) - len(jobs)} members are done, {len(jobs)} to train.", flush=True)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, mp_context=spawn, initializer=_prepare) as pool:
        for done in as_completed([pool.submit(train_member, job) for job in jobs]):
            print("  ".join(f"{name} {value}" for name, value in done.result().items()), flush=True)
    return 0


def train_member(job: Job) -> dict[str, Any]:
    """Train one member in this process and measure it; returns what `quality.json` holds."""
    preset = PRESETS[job.preset]
    options = replace(preset.optimisation, total_images=job.images or preset.optimisation.total_images)
    record = train(
        ReconstructionGAN(preset.config, options),
        _training_set(),
        out=job.out,
        seed=job.seed,
        budget_minutes=job.minutes or preset.budget_minutes,
        resume=(job.out / checkpoint.CHECKPOINT).exists(),
        command=f"python -m benchmarks.train_family --only {job.preset} --seed {job.seed}",
        on_progress=lambda progress: _warn(job.preset, progress),
    )
    quality = {
        "member": job.preset,
        "psnr_db": round(measure_psnr(job.out), 2),
        "images_seen": record.images_seen,
        "images_per_second": record.images_per_second,
        "seconds": round(record.seconds, 1),
        "parameters": record.parameters["generator"],
    }
    if record.stopped != "interrupted":
        judge_run(job.out, preset, "photos")
        checkpoint.write_text(job.out / "quality.json", json.dumps(quality, indent=2) + "\n")
    return quality


@torch.no_grad()
def measure_psnr(run: Path) -> float:
    """Mean PSNR in dB, on [0, 255], of the member's twins of central squares of "cal" photographs."""
    _, generator = load_member(run)
    total, count = 0.0, 0
    for item in islice(load("photos", "cal"), HELD_OUT_PICTURES):
        pixels = decode(item.data, item.key)[:HELD_OUT_SIDE, :HELD_OUT_SIDE]
        real = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
        twin = (generator(real / 127.5 - 1) * 127.5 + 127.5).round().clamp(0, 255)
        total += float(10 * torch.log10(255**2 / (twin - real).square().mean()))
        count += 1
    return total / count


_held: list[ImageSet] = []


def _prepare() -> None:
    torch.set_num_threads(1)


def _training_set() -> ImageSet:
    # Decoded once in each process, by the first member it trains.
    if not _held:
        pictures: list[Pixels] = []
        for name, count in PICTURES.items():
            items = list(load(name, "train"))
            step = max(1, len(items) // count)
            pictures += [decode(item.data, item.key) for item in items[::step][:count]]
        digests = {file: digest for name in PICTURES for file, digest in sha256_of(name).items()}
        _held.append(ImageSet(pictures, crop=CROP, sha256=digests))
    return _held[0]


def _warn(preset: str, progress: Progress) -> None:
    if progress.notice:
        print(f"{preset}: {progress.notice}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
