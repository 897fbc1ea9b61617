"""Train the detector on a forge's aligned twins, within a time budget, resumable.

`losses.py` says what it is held to, `masking.py` what it may not see. The learning rate stays level and
falls in the last part of the time, so that a run which is given more time later goes on from where the
fall began (Haegele et al. 2024, arXiv 2405.18392). What ships is the moving average.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detector.corrupt import NONE
from detector.losses import losses
from detector.masking import kept_patches, without_frequencies, without_patches
from detector.metrics import auc
from detector.model import PRESETS, DetectorConfig, FakeDetector, inherit, save
from detector.pairs import PairBatch, PairConfig, Pairs, loader
from detector.readers import MANIFEST
from evidence.digest import sha256_file
from evidence.errors import DataError, Diverged
from generators.training import checkpoint
from generators.training.budget import Budget, Every, rng_at, stop_on_signal
from generators.training.ema import MovingAverage
from generators.training.stats import Log, Means, commit, hardware

WEIGHTS = "detector.pt"
STEADY = "steady.pt"  # the state in which the fall of the learning rate began
LOOK_BATCHES = 4


@dataclass(frozen=True)
class TrainConfig:
    """How the detector is trained; the clock counts crops, `total_crops` or the budget ends the run."""

    model: DetectorConfig = PRESETS["default"]
    pairs: PairConfig = field(default_factory=PairConfig)
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warm_up_crops: int = 10_000
    total_crops: int = 4_000_000
    half_life_crops: float = 15_000.0
    cell_weight: float = 0.5
    rank_weight: float = 0.3
    family_weight: float = 0.1
    forged_share: float = 0.2  # a crop forged in less of its area has no label as a whole
    patch_dropout: float = 0.5  # the share of batches that lose patches
    patch_share: float = 0.4  # of the patches, at most
    frequency_dropout: float = 0.15  # the share of batches that lose frequencies
    frequency_share: float = 0.15  # of the frequencies, at most
    cooldown: float = 0.2  # the last part of the run, in which the learning rate falls
    bfloat16: bool = True
    log_seconds: float = 10.0
    look_seconds: float = 120.0
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows."""

    crops_seen: int
    seconds: float
    left_seconds: float
    losses: dict[str, float]
    auc: float


@dataclass(frozen=True)
class DetectorRecord:
    """What `record.json` holds: how the detector came to be, so that its card can say so."""

    command: str
    config: dict[str, Any]
    seed: int
    data_sha256: dict[str, str]
    families: list[str]
    crops_seen: int
    seconds: float
    crops_per_second: float
    stopped: str  # "total_crops", "budget" or "interrupted"
    auc: float  # of single crops of the split "cal", as delivered
    auc_degraded: float  # of the same under the degradations of training
    parameters: int
    hardware: str
    torch: str
    commit: str


def train_detector(
    twins: Path,
    out: Path,
    *,
    config: TrainConfig | None = None,
    budget_minutes: float | None = None,
    seed: int = 0,
    resume: bool = False,
    start: Path | None = None,
    workers: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> DetectorRecord:
    """Train on the pairs of a forge folder; `out` gets detector.pt, record.json, log.jsonl, checkpoint.pt.

    `start` is the folder of a run whose weights this one begins with. Ends after `config.total_crops` or
    `budget_minutes` (over all sittings), whichever comes first, or at Ctrl-C with everything saved. Raises
    DataError without aligned pairs, ConfigMismatch on a resume with another configuration, Diverged on a
    loss that is not finite.
    """
    run = _Run(twins, out, config or TrainConfig(), Budget(budget_minutes), seed, start, resume=resume)
    with stop_on_signal() as wish:
        for batch in loader(run.pairs, workers=workers):
            run.step(batch)
            if run.every_log.due() or run.over or wish.wanted:
                run.write_log(on_progress)
            if run.every_look.due():
                run.look()
            if run.every_checkpoint.due():
                run.save()
            if run.over or wish.wanted:
                break
    return run.finish("interrupted" if wish.wanted and not run.over else run.ending)


class _Run:
    """One training run: networks, optimiser, clocks and the folder they are kept in."""

    def __init__(
        self,
        twins: Path,
        out: Path,
        config: TrainConfig,
        budget: Budget,
        seed: int,
        start: Path | None,
        *,
        resume: bool,
    ) -> None:
        manifest = twins / MANIFEST
        if not manifest.is_file():
            raise DataError(f"There is no {MANIFEST} in {twins}.", "Give a folder that the forge made.")
        self.out, self.config, self.budget, self.seed = out, config, budget, seed
        self.data_sha256 = {MANIFEST: sha256_file(manifest)}
        if start is not None:
            self.data_sha256["start"] = sha256_file(start / WEIGHTS)
        settled = {"config": _plain(config), "seed": seed, "data_sha256": self.data_sha256}
        going_on = checkpoint.begin(out, settled, resume=resume, defaults={"config": _plain(TrainConfig())})
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(seed)
        families = Pairs(twins, config.pairs, seed=seed).families
        self.network = replace(config.model, families=families)
        self.model = FakeDetector(self.network).to(self.device).to(memory_format=torch.channels_last)
        if start is not None:
            inherit(self.model, start / WEIGHTS)
        self.average = MovingAverage(self.model, config.half_life_crops)
        self.optimiser = torch.optim.AdamW(
            _groups(self.model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99)
        )
        self.steps = 0
        self.steady_kept = False
        if going_on:
            with checkpoint.fitting(out):
                self._restore()
        self.pairs = Pairs(twins, config.pairs, seed=seed, first_step=self.steps)
        known = replace(config.pairs, left_out_treatments=(), aligned=True, formats_alike=True)
        clean = replace(known, corruption=NONE, partial=0.0, blended=0.0)
        ripe = replace(known, ramp_crops=0)
        self.as_delivered = Pairs(twins, clean, seed=seed + 1, split="cal")
        self.degraded = Pairs(twins, ripe, seed=seed + 1, split="cal")
        self.log = Log(out / checkpoint.LOG, from_step=self.steps)
        self.means = Means()
        self.auc = self.auc_degraded = float("nan")
        self.every_log = Every(config.log_seconds)
        self.every_look = Every(config.look_seconds)
        self.every_checkpoint = Every(config.checkpoint_seconds)

    @property
    def crops_seen(self) -> int:
        return self.steps * 2 * self.config.pairs.pairs

    @property
    def over(self) -> bool:
        return self.crops_seen >= self.config.total_crops or self.budget.over

    @property
    def ending(self) -> str:
        return "total_crops" if self.crops_seen >= self.config.total_crops else "budget"

    def step(self, batch: PairBatch) -> None:
        """One step of the optimiser."""
        self._set_learning_rate()
        self.model.train()
        config, cells = self.config, batch.cells.to(self.device)
        residuals = self._residuals(batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16):
            answers = self.model.from_residuals(residuals)
        found = losses(answers, cells, batch.families.to(self.device), forged_share=config.forged_share)
        total = found["picture"] + config.cell_weight * found["cells"] + config.rank_weight * found["rank"]
        if "family" in found:
            total = total + config.family_weight * found["family"]
        if not torch.isfinite(total):
            raise Diverged(
                f"The loss is {total.item()} after {self.crops_seen} crops.", "Lower the learning rate."
            )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        self.average.update(self.model, images=len(cells), images_seen=self.crops_seen)
        self.means.add({name: float(loss.detach()) for name, loss in found.items()})
        if not self.steady_kept and self.done >= 1.0 - config.cooldown:
            self.save(STEADY)
            self.steady_kept = True

    @torch.no_grad()
    def _residuals(self, batch: PairBatch) -> list[Tensor]:
        """What the networks see of a batch: all of it, or without some patches or frequencies."""
        rng, config = rng_at(self.seed, self.steps, "patches"), self.config
        pixels = batch.pixels.to(self.device)
        if torch.rand((), generator=rng) < config.frequency_dropout:
            share = float(torch.rand((), generator=rng)) * config.frequency_share
            pixels = without_frequencies(pixels, share, rng)
        residuals = list(self.model.residuals(pixels))
        if torch.rand((), generator=rng) < config.patch_dropout:
            share = float(torch.rand((), generator=rng)) * config.patch_share
            count, height, width, _ = pixels.shape
            kept = kept_patches((count, height, width), share, rng)
            residuals = [without_patches(seen, kept, height // seen.shape[2]) for seen in residuals]
        return residuals

    def look(self) -> None:
        """The AUC of the averaged network on crops it does not learn from, as delivered and degraded."""
        self.auc = self._measure(self.as_delivered)
        self.auc_degraded = self._measure(self.degraded)
        found = {"auc": round(self.auc, 4), "auc_degraded": round(self.auc_degraded, 4)}
        self.log.write({"step": self.steps, "crops_seen": self.crops_seen, **found})

    def _measure(self, held_out: Pairs) -> float:
        labels, found = [], []
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16):
            for step in range(LOOK_BATCHES):
                batch = held_out.batch(step)
                logits = self.average.generator(batch.pixels.to(self.device))[0]
                share = batch.cells.mean((1, 2))
                known = (share == 0) | (share >= self.config.forged_share)
                labels.append((share > 0)[known].numpy())
                found.append(logits.float().cpu()[known].numpy())
        return auc(np.concatenate(labels), np.concatenate(found))

    def write_log(self, on_progress: Callable[[Progress], None] | None) -> None:
        """The mean losses since the last line."""
        losses = self.means.take()
        line = {"step": self.steps, "crops_seen": self.crops_seen, "seconds": round(self.budget.seconds, 1)}
        rounded = {name: round(value, 4) for name, value in losses.items()}
        self.log.write({**line, "losses": rounded, "lr": self.optimiser.param_groups[0]["lr"]})
        if on_progress is not None:
            left = self.budget.left(self.crops_seen, self.config.total_crops)
            on_progress(Progress(self.crops_seen, self.budget.seconds, left, losses, self.auc))

    def save(self, name: str = checkpoint.CHECKPOINT) -> None:
        """Write the checkpoint."""
        checkpoint.save(
            self.out,
            {
                "model": self.model.state_dict(),
                "average": self.average.generator.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "steps": self.steps,
                "seconds": self.budget.seconds,
            },
            name,
        )

    def finish(self, stopped: str) -> DetectorRecord:
        """Save everything and write the record."""
        self.look()
        self.save()
        best = FakeDetector(self.network)
        best.load_state_dict(self.average.generator.state_dict())
        save(best, self.out / WEIGHTS)
        record = DetectorRecord(
            command=shlex.join(["python", *sys.orig_argv[1:]]),
            config=asdict(self.config),
            seed=self.seed,
            data_sha256=self.data_sha256,
            families=sorted({twin.family for twin in self.pairs.twins}),
            crops_seen=self.crops_seen,
            seconds=round(self.budget.seconds, 1),
            crops_per_second=round(self.crops_seen / max(self.budget.seconds, 1e-9), 1),
            stopped=stopped,
            auc=self.auc,
            auc_degraded=self.auc_degraded,
            parameters=sum(weight.numel() for weight in self.model.parameters()),
            hardware=hardware(self.device),
            torch=torch.__version__,
            commit=commit(),
        )
        checkpoint.write_text(self.out / checkpoint.RECORD, json.dumps(asdict(record), indent=2) + "\n")
        return record

    def _restore(self) -> None:
        """Go on from the checkpoint or, with more time than it was made for, from before the fall."""
        state = checkpoint.load(self.out)
        self.steady_kept = (self.out / STEADY).is_file()
        if self.steady_kept and self._done(state["steps"], state["seconds"]) < 1.0 - self.config.cooldown:
            state, self.steady_kept = checkpoint.load(self.out, STEADY), False
        self.model.load_state_dict(state["model"])
        self.average.generator.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]
        self.budget.spent_before = state["seconds"]

    @property
    def done(self) -> float:
        """How much of the run is behind it, by crops or by the clock, whichever is more."""
        return self._done(self.steps, self.budget.seconds)

    def _done(self, steps: int, seconds: float) -> float:
        done = steps * 2 * self.config.pairs.pairs / self.config.total_crops
        if self.budget.minutes is not None:
            done = max(done, seconds / max(60 * self.budget.minutes, 1e-9))
        return min(done, 1.0)

    def _set_learning_rate(self) -> None:
        """A short rise, a level, then down to a hundredth along 1 - sqrt, which falls fast at first."""
        rise = min(1.0, (self.crops_seen + 1) / self.config.warm_up_crops)
        fallen = max(0.0, self.done - 1.0 + self.config.cooldown) / max(self.config.cooldown, 1e-9)
        fall = 0.01 + 0.99 * (1.0 - fallen**0.5)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * rise * fall


def _groups(model: FakeDetector, weight_decay: float) -> list[dict[str, Any]]:
    """Weights that decay and, apart, biases and normalisation that do not."""
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim == 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _plain(config: TrainConfig) -> Any:
    return json.loads(json.dumps(asdict(config)))
