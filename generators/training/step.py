"""The arithmetic of one training step: both players' turns, penalty, augmentation, Adam, moving average.

Knows nothing of time, files or people; those are `loop.py`'s. Randomness comes from (seed, step), so
position alone decides what a step does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

from evidence.errors import Diverged
from generators.contract import AdversarialModel, Batch, TrainingData
from generators.losses.penalties import penalty
from generators.training.augment import augmented
from generators.training.budget import rng_at, seed_at
from generators.training.ema import MovingAverage


class Run:
    """A model in training: its players, their optimisers, the moving average, and where it stands."""

    def __init__(
        self, model: AdversarialModel, data: TrainingData, *, seed: int, device: torch.device
    ) -> None:
        self.model, self.data, self.seed, self.device = model.to(device), data, seed, device
        self.options = model.optimisation
        if self.options.precision == "bf16":
            model.to(memory_format=torch.channels_last)
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True
        self.ema = MovingAverage(model.generator, self.options.ema_half_life_images)
        self.step = 0
        model.images_seen = 0
        self.phase = model.phase()
        self.optimisers = self._fresh_optimisers()

    @property
    def images_seen(self) -> int:
        return self.model.images_seen

    def advance(self) -> dict[str, float]:
        """One step of both players; returns the losses by name."""
        model = self.model.train()
        if model.phase() != self.phase:
            self.phase, self.optimisers = model.phase(), self._fresh_optimisers()
        self.options = options = model.optimisation.at(self.images_seen)
        self._tune_optimisers()
        # Layers that draw by themselves (dropout) follow the position too.
        torch.manual_seed(seed_at(self.seed, self.step, "layers"))
        size = model.batch_size()
        rounds = max(options.discriminator_steps, options.generator_steps)
        batches = [
            self.data.draw(size, rng_at(self.seed, self.step, f"data{n}"), self.device) for n in range(rounds)
        ]
        turns: list[tuple[Callable[[Batch, int], dict[str, float]], int]] = [
            (self._discriminator_turn, options.discriminator_steps),
            (self._generator_turn, options.generator_steps),
        ]
        losses: dict[str, float] = {}
        for turn, count in reversed(turns) if options.generator_first else turns:
            for n in range(count):
                losses |= turn(batches[n], n)
        seen = size * options.discriminator_steps
        model.images_seen += seen
        self.step += 1
        self.ema.update(model.generator, images=seen, images_seen=model.images_seen)
        return losses

    def parameters(self) -> dict[str, int]:
        """How many weights each player has."""
        players = {"generator": self.model.generator, "discriminator": self.model.discriminator}
        return {name: sum(w.numel() for w in player.parameters()) for name, player in players.items()}

    @torch.no_grad()
    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """Samples of the moving average in fp32; the same `rng` gives the same latents."""
        with self.ema.applied_to(self.model):
            return self.model.sample(batch, batch.size, rng)

    def state(self) -> dict[str, Any]:
        """Everything the next step depends on."""
        return {
            "system": self.model.origin or self.model.name,
            "step": self.step,
            "images_seen": self.images_seen,
            "phase": self.phase,
            "model": self.model.state_dict(),
            "ema": self.ema.generator.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.step, self.phase = state["step"], state["phase"]
        self.model.images_seen = state["images_seen"]
        self.model.load_state_dict(state["model"])
        self.ema.generator.load_state_dict(state["ema"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])

    def _fresh_optimisers(self) -> dict[str, Optimizer]:
        players = {"generator": self.model.generator, "discriminator": self.model.discriminator}
        if self.options.optimiser == "rmsprop":
            return {name: RMSprop(player.parameters()) for name, player in players.items()}
        return {name: Adam(player.parameters(), fused=True) for name, player in players.items()}

    def _tune_optimisers(self) -> None:
        options = self.options
        rates = {"generator": options.generator_lr, "discriminator": options.discriminator_lr}
        betas = (float(options.betas[0]), float(options.betas[1]))  # fused Adam refuses integers
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rates[name]
                if options.optimiser == "adam":
                    group["betas"] = betas

    def _discriminator_turn(self, batch: Batch, n: int) -> dict[str, float]:
        model, options = self.model, self.options
        model.generator.requires_grad_(False)
        model.discriminator.requires_grad_(True)
        rng = rng_at(self.seed, self.step, f"z{n}", self.device)
        parts: dict[str, Tensor] = {}
        changes = rng_at(self.seed, self.step, f"augment d{n}", self.device)
        with augmented(model.discriminator, options.augment, changes):
            with self._autocast():
                losses = model.discriminator_loss(batch, rng)
            total = losses.total.float()
            if options.penalty != "none" and self.step % options.penalty_interval == 0:
                with self._autocast():
                    reals, fakes = model.penalty_inputs(batch, rng)
                parts["penalty"] = penalty(options.penalty, model.critic(batch), reals, fakes, rng)
                # Taken once in `interval` steps and weighed up for it: StyleGAN2's lazy regularisation.
                total = total + options.penalty_weight * options.penalty_interval * parts["penalty"]
        self._apply("discriminator", model.discriminator, total)
        if options.clip:
            with torch.no_grad():
                for weight in model.discriminator.parameters():
                    weight.clamp_(-options.clip, options.clip)
        return _floats({"discriminator": losses.total} | losses.parts | parts)

    def _generator_turn(self, batch: Batch, n: int) -> dict[str, float]:
        model = self.model
        model.generator.requires_grad_(True)
        model.discriminator.requires_grad_(False)
        # The discriminator's seed where both play in one step on one batch: generator_first shares latents.
        rng = rng_at(self.seed, self.step, f"z{n}" if self.options.generator_first else f"zg{n}", self.device)
        changes = rng_at(self.seed, self.step, f"augment g{n}", self.device)
        with augmented(model.discriminator, self.options.augment, changes), self._autocast():
            losses = model.generator_loss(batch, rng)
        self._apply("generator", model.generator, losses.total.float())
        return _floats({"generator": losses.total} | losses.parts)

    def _apply(self, name: str, player: nn.Module, total: Tensor) -> None:
        # Nothing that is not finite ever reaches the weights, though batch norm has seen this step already.
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        if torch.isfinite(total):
            torch.autograd.backward(total)
            gradients = [weight.grad for weight in player.parameters() if weight.grad is not None]
            if torch.isfinite(nn.utils.get_total_norm(gradients)):
                optimiser.step()
                return
        raise Diverged(
            f"The {name}'s loss {float(total.detach()):g} or its gradient is no longer finite "
            f"at {self.images_seen} images.",
            "Begin a new run with a lower learning rate or a stronger penalty.",
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16")


def _floats(losses: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in losses.items()}
