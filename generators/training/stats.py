"""The story of a run: means between two log lines, `log.jsonl`, the collapse watch, the plot, the record."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evidence.errors import OutputError
from generators.training.checkpoint import RECORD, write_bytes, write_text

# Samples whose pixels vary this much less than those of reals are one picture, whatever its beauty.
COLLAPSED_BELOW = 0.1


@dataclass(frozen=True)
class RunRecord:
    """What `record.json` holds: how a model came to be, so that its card can say so."""

    system: str
    paper: str
    tags: dict[str, str]
    command: str
    config: dict[str, Any]
    optimisation: dict[str, Any]
    seed: int
    data_sha256: dict[str, str]
    images_seen: int
    steps: int
    seconds: float
    images_per_second: float
    stopped: str  # "total_images", "budget" or "interrupted"
    losses: dict[str, float]
    diversity: float  # of samples, as a share of that of reals
    collapsed_at: list[int]  # images seen at each grid that showed a collapse
    parameters: dict[str, int]
    hardware: str
    torch: str
    commit: str

    def write(self, folder: Path) -> None:
        """Write `record.json` into the run's folder."""
        write_text(folder / RECORD, json.dumps(asdict(self), indent=2) + "\n")


@dataclass
class Means:
    """Running means of named losses since the last reset."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] += value
            self.counts[name] += 1

    def take(self) -> dict[str, float]:
        """The means so far; counting starts anew."""
        means = {name: self.sums[name] / self.counts[name] for name in self.sums}
        self.sums.clear()
        self.counts.clear()
        return means


class Log:
    """`log.jsonl`: one JSON object a line, `step` in each; lines past a resumed step are dropped."""

    def __init__(self, path: Path, *, from_step: int) -> None:
        self.path = path
        lines = [line for line in self.lines() if line["step"] <= from_step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines))

    def lines(self) -> list[dict[str, Any]]:
        """Every whole line so far; a line cut by a kill is left out."""
        if not self.path.is_file():
            return []
        text = self.path.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def write(self, line: dict[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written: {error.strerror}.", "Free some space."
            ) from error


@dataclass
class CollapseWatch:
    """Notices when samples stop differing: their pixel deviation over that of reals falls to nothing.

    A generator starts out grey, so nothing is said before its samples once differed.
    """

    reals: Tensor
    collapsed_at: list[int] = field(default_factory=list)
    ratio: float = 0.0
    varied_once: bool = False

    def look(self, samples: Tensor, images_seen: int) -> bool:
        """Whether `samples` (B, C, H, W) show a collapse now."""
        self.ratio = float(diversity(samples) / diversity(self.reals).clamp_min(1e-8))
        if self.ratio >= COLLAPSED_BELOW:
            self.varied_once = True
            return False
        if self.varied_once:
            self.collapsed_at.append(images_seen)
        return self.varied_once

    def state(self) -> dict[str, Any]:
        """What a resumed watch must remember."""
        return {"collapsed_at": self.collapsed_at, "ratio": self.ratio, "varied_once": self.varied_once}


def diversity(images: Tensor) -> Tensor:
    """The mean over pixels of the deviation over the batch: 0 when all images are the same."""
    return images.float().std(dim=0, correction=0).mean()


def plot(lines: list[dict[str, Any]], path: Path) -> None:
    """Every loss of the log over the images seen, as PNG."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib import pyplot

    rows = [line for line in lines if line.get("losses")]
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for name in sorted({name for row in rows for name in row["losses"]}):
        points = [(row["images_seen"], row["losses"][name]) for row in rows if name in row["losses"]]
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
    axes.set_xlabel("images seen")
    axes.set_ylabel("loss")
    if rows:
        axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, format="png")
    pyplot.close(figure)
    write_bytes(path, picture.getvalue())


def hardware(device: torch.device) -> str:
    """The device in words, with the threads torch may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def commit() -> str:
    """The git commit of the code, "" outside a checkout."""
    if shutil.which("git") is None:
        return ""
    answer = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
