"""From a recipe to its orders: which real, under which chain, by whom, by recipe and sources alone.

Shares are dealt, not drawn: of a hundred reals a chain of weight 1 in 4 gets twenty-five. Of every real the
same number of forgeries is made, or what some reals have in common would tell the classes apart.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from detector.corrupt import Step
from detector.operations import KERNELS
from exports.chance import Rng
from exports.forging import rng_at
from exports.manifest import Row
from testsets.aims import Aim, Foe, Raid
from testsets.attacking import slug
from testsets.chains import Chain
from testsets.perturbations import parse, record
from testsets.recipe import Recipe
from testsets.shots import Shot
from testsets.sources import Original, Plain, Shelf, some
from testsets.suite import SPLICE, Maker
from testsets.treated import Writing, drawn_writing

SMALLEST = 64  # pixels a side of whatever a detector is shown
_LARGE, _NATIVE = 192, 0.5  # the side up to which small pictures are enlarged, and how many stay as they are
_LONGEST_STEM = 80


@dataclass(frozen=True)
class Pick:
    """A forger of one real: `label` names it, `partial` has it forge in a region only."""

    label: str
    wish: dict[str, Any] = field(default_factory=dict)
    partial: bool = False


@dataclass(frozen=True)
class Order:
    """One real of the set and its forgeries: all that decides their bytes, but for the source and the models.

    `writing` is None where they are written as the source was. `donor` is another original, to splice from.
    """

    stem: str
    source: str
    key: str
    group: str
    split: str
    seed: int
    picks: tuple[Pick, ...] = ()
    treatment: str = ""
    chain: tuple[Step, ...] = ()
    writing: Writing | None = None
    raid: Raid | None = None
    shot: Shot | None = None
    crop: int | None = None
    fit: int | None = None
    centre: float = 1.0
    donor: str = ""
    caption: str = ""
    attributes: dict[str, Plain] = field(default_factory=dict)

    @property
    def closes(self) -> bool:
        """Whether the chain's last step is the JPEG in which the picture is delivered."""
        return self.writing is not None and _closing(self.chain) == self.writing

    def row(self) -> Row:
        """What a manifest says of it; `from_row` reads it back, for one of its pictures."""
        return {
            "group": self.group,
            "split": self.split,
            "source": self.source,
            "seed": self.seed,
            "treatment": self.treatment,
            "chain": record(self.chain),
            "caption": self.caption,
            "attributes": self.attributes,
            "order": {
                "stem": self.stem,
                "key": self.key,
                "crop": self.crop,
                "fit": self.fit,
                "centre": self.centre,
                "donor": self.donor,
                "writing": None if self.writing is None else vars(self.writing),
                "raid": None if self.raid is None else self.raid.row(),
                "shot": None if self.shot is None else self.shot.row(),
            },
        }

    @classmethod
    def from_row(cls, row: Row) -> Order:
        """The order of the one picture that a row of a manifest tells of."""
        said = dict(row["order"])
        writing, raid, shot = (said.pop(name, None) for name in ("writing", "raid", "shot"))
        pick = said.pop("pick", None)
        return cls(
            **{name: row[name] for name in ("source", "group", "split", "seed", "treatment")},
            **said,
            chain=parse(row["chain"]),
            writing=None if writing is None else Writing(**writing),
            raid=None if raid is None else Raid.from_row(raid),
            shot=None if shot is None else Shot.from_row(shot),
            picks=() if pick is None else (Pick(**pick),),
            caption=row["caption"],
            attributes=row["attributes"],
        )


def plan(
    recipe: Recipe, shelf: Shelf, makers: Sequence[Maker], foes: Mapping[str, Foe] | None = None
) -> list[Order]:
    """Every order of a recipe, in a stable order; raises RecipeError where the sources are too small.

    `foes` are the detectors that its attacks name.
    """
    taken = _taken(recipe, shelf)
    firsts = _dealt([maker.system.weight for maker in makers], len(taken), recipe.seed, "systems")
    rungs = _rungs(recipe, len(taken))
    donors = _donors(recipe, [original for original, _ in taken])
    orders = []
    for at, (original, stem) in enumerate(taken):
        for suffix, chain, aim in rungs[at]:
            name = f"{stem}{suffix}"
            rng = rng_at(recipe.seed, name, "plan")
            chosen = _chosen(makers, firsts[at], recipe.fakes, rng)
            order = _order(recipe, original, name, chain, chosen, donors[at], rng)
            orders.append(order if aim is None else replace(order, raid=_raid(aim, foes or {}, order)))
    return orders


_Rung = tuple[str, Chain, Aim | None]  # what it adds to a name, and what is done on it


def _rungs(recipe: Recipe, count: int) -> list[list[_Rung]]:
    """For each real what it goes through: on a ladder all there is, else one chain and one attack or none."""
    if recipe.ladder:
        steps: list[tuple[str, Chain, Aim | None]] = [(chain.name, chain, None) for chain in recipe.chains]
        for at, aim in enumerate(recipe.aims):
            name = slug(aim.attack)
            twice = any(slug(other.attack) == name for other in recipe.aims[:at])
            steps.append((f"{name}-{at + 1}" if twice else name, Chain("as-is"), aim))
        more = len(steps) > 1
        return [[(f"_{_plain(name)}" if more else "", chain, aim) for name, chain, aim in steps]] * count
    chains = _dealt([chain.weight for chain in recipe.chains], count, recipe.seed, "chains")
    shares = [aim.share or 0.0 for aim in recipe.aims]
    attacks = _dealt([*shares, max(0.0, 1 - sum(shares))], count, recipe.seed, "attacks")
    aims = (*recipe.aims, None)
    return [[("", recipe.chains[chain], aims[aim])] for chain, aim in zip(chains, attacks, strict=True)]


def _raid(aim: Aim, foes: Mapping[str, Foe], order: Order) -> Raid:
    foe = foes.get(aim.target) if aim.asks else None
    seed = int(rng_at(order.seed, order.stem, "attack").integers(2**31))
    return Raid(aim.attack, aim.on, seed, foe.label if foe else "", foe.sha256 if foe else "")


def _order(
    recipe: Recipe,
    original: Original,
    stem: str,
    chain: Chain,
    makers: Sequence[Maker],
    donor: str,
    rng: Rng,
) -> Order:
    source, steps = original.source, chain.drawn(rng)
    # What draws a picture of one size from nothing is set beside reals brought to that size, and both are
    # enlarged alike where it is small.
    side = next((maker.draws for maker in makers if maker.draws), 0)
    steps = (*_enlarged(side, rng), *steps) if side else steps
    return Order(
        stem=stem,
        source=source.name,
        key=original.key,
        group=_group(recipe, original),
        split=_split(recipe, original),
        seed=recipe.seed,
        picks=tuple(
            Pick(
                maker.label,
                maker.system.wish.to_dict(),
                partial=bool(rng.random() < maker.system.partial) and maker.whole,
            )
            for maker in makers
        ),
        treatment=chain.name if steps else "",
        chain=steps,
        writing=None if recipe.clips else _writing(recipe.form, steps, rng),
        shot=recipe.clips.drawn(rng) if recipe.clips else None,
        crop=None if side else source.crop,
        fit=side or source.fit,
        centre=source.centre,
        donor=donor if any(maker.label == SPLICE for maker in makers) else "",
        caption=original.caption,
        attributes=original.attributes,
    )


def _enlarged(side: int, rng: Rng) -> tuple[Step, ...]:
    if side >= SMALLEST and rng.random() < _NATIVE:
        return ()
    factor = float(rng.uniform(max(1.0, SMALLEST / side), max(1.5, _LARGE / side)))
    return (Step("resize", {"factor": factor, "kernel": str(rng.choice(KERNELS))}),)


def _taken(recipe: Recipe, shelf: Shelf) -> list[tuple[Original, str]]:
    """The originals that are taken, each with the name of what is made of it."""
    pool = [original for found in shelf.originals.values() for original in found.values()]
    count = len(pool) * recipe.repeats if recipe.count is None else recipe.count
    if count > len(pool) * recipe.repeats:
        raise recipe.document.wrong(
            ("count",),
            f"{count} reals are asked for; the sources hold {len(pool)} pictures, each taken "
            f"{recipe.repeats} times at most.",
            f"Ask for {len(pool) * recipe.repeats}, add sources, or raise `repeats`.",
        )
    names = _stems(pool, with_source=len(shelf.sources) > 1)
    named = list(zip(pool, names, strict=True))
    rounds, rest = divmod(count, max(1, len(pool)))
    taken = [(one, f"{name}-{turn + 1}" if turn else name) for turn in range(rounds) for one, name in named]
    more = some(named, rest) if rest else []
    return taken + [(one, f"{name}-{rounds + 1}" if rounds else name) for one, name in more]


def _stems(pool: Sequence[Original], *, with_source: bool) -> list[str]:
    """Names without dots or folders, none twice."""
    seen: dict[str, int] = defaultdict(int)
    names = []
    for original in pool:
        key = re.sub(r"\.\w+$", "", original.key)
        name = _plain(f"{original.source.name}-{key}" if with_source else key)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _plain(name: str) -> str:
    plain = re.sub(r"[^\w-]+", "_", name)
    if len(plain) <= _LONGEST_STEM:
        return plain
    return f"{plain[: _LONGEST_STEM - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _dealt(weights: Sequence[float], count: int, seed: int, what: str) -> list[int]:
    """`count` numbers below that of the weights, in their shares, mixed."""
    shares = np.cumsum(weights) / np.sum(weights)
    dealt = np.searchsorted(shares, (np.arange(count) + 0.5) / max(1, count))
    return [int(one) for one in rng_at(seed, what, "dealt").permutation(dealt)]


def _chosen(makers: Sequence[Maker], first: int, count: int, rng: Rng) -> list[Maker]:
    """The first, and others that can stand beside it, by their weights."""
    chosen = [makers[first]]
    others = [maker for maker in makers if maker.label != chosen[0].label and maker.beside(chosen[0])]
    odds = np.array([maker.system.weight for maker in others])
    more = min(count - 1, len(others))
    if more:
        picked = rng.choice(len(others), size=more, replace=False, p=odds / odds.sum())
        chosen += [others[int(one)] for one in picked]
    return chosen


def _donors(recipe: Recipe, originals: Sequence[Original]) -> list[str]:
    """For each the one half a split away, as `source/key`."""
    by_split: dict[str, list[Original]] = defaultdict(list)
    for original in originals:
        by_split[_split(recipe, original)].append(original)
    place: dict[str, int] = defaultdict(int)
    found = []
    for original in originals:
        pool = by_split[_split(recipe, original)]
        at = place[_split(recipe, original)]
        place[_split(recipe, original)] += 1
        other = pool[(at + len(pool) // 2) % len(pool)]
        found.append(f"{other.source.name}/{other.key}")
    return found


def _group(recipe: Recipe, original: Original) -> str:
    return f"{original.source.name}/{original.group}" if len(recipe.sources) > 1 else original.group


def _split(recipe: Recipe, original: Original) -> str:
    if recipe.keep_splits and original.split:
        return original.split
    digest = hashlib.sha256(f"{recipe.seed}:split:{original.source.name}/{original.group}".encode()).digest()
    share, passed = int.from_bytes(digest[:8], "big") / 2**64, 0.0
    for name, part in recipe.splits:
        passed += part
        if share < passed:
            return name
    return recipe.splits[-1][0]


def _writing(form: str, chain: tuple[Step, ...], rng: Rng) -> Writing | None:
    drawn = drawn_writing(rng)
    if form == "png":
        return Writing()
    if form == "jpeg" and drawn.quality is None:
        drawn = Writing(90, "4:2:0")
    closing = _closing(chain)
    if closing is not None:
        return closing
    return None if form == "source" and not chain else drawn


def _closing(chain: tuple[Step, ...]) -> Writing | None:
    """The JPEG that a chain ends in, if a file can hold just what that step makes."""
    if not chain or chain[-1].name != "jpeg":
        return None
    said: dict[str, Any] = {"sampling": "4:2:0", "encoder": "pillow", "shift": 0} | chain[-1].settings
    if said["encoder"] != "pillow" or said["shift"]:
        return None
    return Writing(said["quality"], said["sampling"])
