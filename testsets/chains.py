"""Chains of a recipe: what is done to a real and its forgeries alike, by steps that are said or drawn."""

from __future__ import annotations

from dataclasses import dataclass

from detector.corrupt import Step
from detector.treatments import TREATMENTS, treat
from evidence.errors import UsageError
from exports.chance import Rng
from testsets.document import Table
from testsets.perturbations import drawn, parse


@dataclass(frozen=True)
class Chain:
    """Steps as `perturbations.py` reads them, then those of a treatment of `detector/treatments.py`."""

    name: str
    steps: tuple[Step, ...] = ()
    treatment: str = ""
    weight: float = 1.0

    def drawn(self, rng: Rng) -> tuple[Step, ...]:
        """The steps with everything settled that was left open."""
        said = drawn(self.steps, int(rng.integers(2**31)))
        return (*said, *treat(self.treatment, rng)) if self.treatment else said


def chain_of(table: Table) -> Chain:
    """The chain that a table of a recipe says; raises RecipeError."""
    try:
        steps = parse(table.value("steps") or "")
    except UsageError as error:
        raise table.wrong("steps", error.message, error.advice) from None
    treatment = table.text("treatment", among=("", *TREATMENTS))
    said = table.text("name") or treatment or "-".join(step.name for step in steps) or "as-is"
    weight = table.number("weight", 1.0, high=1e6)
    table.close()
    return Chain(said, steps, treatment, weight)
