"""The one adversarial training loop: every system trains here, through its contract alone.

`step.py` holds the arithmetic of a step, which depends on (seed, step) alone, so a run resumed after
kill -9 ends with the same weights to the bit on a CPU. Here are the clock, the files and the messages.
Time is counted in `images_seen`, the reals shown to the discriminator; samples come from the moving
average of the generator.

A run folder holds config.json, log.jsonl, checkpoint.pt, samples/*.png, training.png and record.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evidence.errors import Diverged
from generators.contract import AdversarialModel, TrainingData
from generators.training import checkpoint, stats
from generators.training.budget import Budget, Every, StopWish, rng_at, stop_on_signal
from generators.training.grids import save_sheet
from generators.training.machine import translated
from generators.training.step import Run


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever watches it; `notice` is a sentence when something happened."""

    images_seen: int
    total_images: int
    seconds: float
    seconds_left: float
    images_per_second: float
    losses: dict[str, float]
    notice: str = ""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Cadence:
    """How often a run logs, samples and saves; none of it touches the weights."""

    log_seconds: float = 5.0
    sample_seconds: float = 60.0
    checkpoint_seconds: float = 60.0


def train(
    model: AdversarialModel,
    data: TrainingData,
    *,
    out: Path,
    seed: int = 0,
    budget_minutes: float | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    command: str = "",
    device: str = "auto",
    cadence: Cadence | None = None,
) -> stats.RunRecord:
    """Train `model` on `data` until its images or the budget are used up; returns the run's record.

    `out` becomes the run folder; with `resume` a run found there goes on. Ctrl-C finishes the step,
    saves and returns with `stopped="interrupted"`. Raises ConfigMismatch when the folder's run had
    another configuration, and Diverged when a loss or gradient is no longer finite: the last checkpoint
    stays as it was.
    """
    settled = checkpoint.configuration(model, seed=seed, sha256=data.sha256)
    found = checkpoint.begin(out, settled, resume=resume)
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    with torch.random.fork_rng(), stop_on_signal() as wish:
        run = Run(model, data, seed=seed, device=place)
        state = checkpoint.load(out) if found else {}
        if found:
            checkpoint.require_system(out, state, settled["system"])
            with checkpoint.fitting(out):
                run.restore(state)
        sitting = _Sitting(run, out, state, budget_minutes, cadence or Cadence(), on_progress)
        return sitting.finish(sitting.train(wish), settled, command)


class _Sitting:
    """One stretch of a run, from start or resume until it stops."""

    def __init__(
        self,
        run: Run,
        out: Path,
        state: dict[str, Any],
        budget_minutes: float | None,
        cadence: Cadence,
        on_progress: OnProgress | None,
    ) -> None:
        self.run, self.out, self.on_progress = run, out, on_progress
        self.total = run.options.total_images
        side = run.model.image_shape[1]
        count = 64 if side <= 64 else 32 if side <= 128 else 16
        self.grid_batch = run.data.draw(count, rng_at(run.seed, 0, "grid data"), run.device)
        self.watch = stats.CollapseWatch(self.grid_batch.images, **state.get("watch", {}))
        self.log = stats.Log(out / checkpoint.LOG, from_step=run.step)
        self.budget = Budget(budget_minutes, state.get("seconds", 0.0))
        self.losses: dict[str, float] = state.get("losses", {})
        self.saved_at: int | None = run.images_seen if state else None
        self.means = stats.Means()
        self.mark = (time.monotonic(), run.images_seen)
        self.logging = Every(cadence.log_seconds)
        self.sampling = Every(cadence.sample_seconds)
        self.saving = Every(cadence.checkpoint_seconds)

    def train(self, wish: StopWish) -> str:
        """Step until the images, the budget or the person's patience is used up; says which it was."""
        try:
            while self.run.images_seen < self.total:
                if self.budget.over:
                    return "budget"
                if wish.wanted:
                    return "interrupted"
                self.means.add(self.run.advance())
                if self.logging.due():
                    self.tell()
                if self.sampling.due():
                    self.show()
                if self.saving.due():
                    self.save()
        except Diverged as error:
            # Batch norm has seen the step and one player may have moved: what is on disk stays.
            self.write(event="diverged", message=error.message)
            raise Diverged(error.message, f"{self.kept()} {error.advice}") from error
        except (RuntimeError, MemoryError) as error:
            # The weights may be half way through a step: what is on disk stays the last good state.
            self.write(event="stopped", message=(str(error).splitlines() or ["no memory"])[0])
            raise translated(error, self.run.options.batch, self.kept()) from error
        return "total_images"

    def finish(self, stopped: str, settled: dict[str, Any], command: str) -> stats.RunRecord:
        """Save, sample, plot and write the record."""
        self.tell()
        self.show()
        self.save()
        self.write(event=stopped)
        if stopped == "interrupted":
            self.tell(f"Stopped and saved in {self.out}; the same command with --resume goes on.")
        run, seconds = self.run, self.budget.seconds
        record = stats.RunRecord(
            system=run.model.name,
            paper=run.model.paper,
            tags=run.model.fingerprint(),
            command=command,
            config=settled["config"],
            optimisation=settled["optimisation"],
            seed=run.seed,
            data_sha256=settled["data_sha256"],
            images_seen=run.images_seen,
            steps=run.step,
            seconds=round(seconds, 3),
            images_per_second=round(run.images_seen / seconds, 2),
            stopped=stopped,
            losses=self.losses,
            diversity=self.watch.ratio,
            collapsed_at=self.watch.collapsed_at,
            parameters=run.parameters(),
            hardware=stats.hardware(run.device),
            torch=torch.__version__,
            commit=stats.commit(),
        )
        record.write(self.out)
        return record

    def tell(self, notice: str = "") -> None:
        """Log the mean losses since the last line and report progress."""
        self.losses = self.means.take() or self.losses
        now, seen = time.monotonic(), self.run.images_seen
        rate = (seen - self.mark[1]) / max(now - self.mark[0], 1e-9)
        self.mark = (now, seen)
        if not notice:
            self.write(images_per_second=round(rate, 2), losses=self.losses)
        if self.on_progress is not None:
            left = self.budget.left(seen, self.total)
            self.on_progress(Progress(seen, self.total, self.budget.seconds, left, rate, self.losses, notice))

    def show(self) -> None:
        """Write a sheet of samples, and say so when they have become alike."""
        run = self.run
        run.ema.settle(run.model, run.data, seed=run.seed, step=run.step)
        samples = run.samples(self.grid_batch, rng_at(run.seed, 0, "grid", run.device))
        inputs = run.model.shown(self.grid_batch)
        save_sheet(self.out / "samples" / f"{run.images_seen:09d}.png", samples, inputs)
        stats.plot(self.log.lines(), self.out / "training.png")
        if self.watch.look(samples, run.images_seen):
            message = f"Samples vary {self.watch.ratio:.3f} times as much as reals: the generator collapsed."
            self.write(event="collapse", message=message)
            self.tell(message)

    def save(self) -> None:
        """Write the checkpoint."""
        carried = {"seconds": self.budget.seconds, "losses": self.losses, "watch": self.watch.state()}
        checkpoint.save(self.out, self.run.state() | carried)
        self.saved_at = self.run.images_seen

    def kept(self) -> str:
        """Where the last good state lies, as a sentence."""
        if self.saved_at is None:
            return f"No checkpoint had been written to {self.out} yet."
        return f"{self.out / checkpoint.CHECKPOINT} holds the last good state, of {self.saved_at:,} images."

    def write(self, **fields: Any) -> None:
        """Add a line to the log, with the position."""
        place = {
            "step": self.run.step,
            "images_seen": self.run.images_seen,
            "seconds": round(self.budget.seconds, 2),
        }
        self.log.write(place | fields)
