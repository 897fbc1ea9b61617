"""Many pictures under many attacks: written, listed in a manifest, resumed after an interruption, summed up.

The label of a picture stays what it was. A detector is attacked where it is right: of a fake that it misses
and of a real that it calls fake nothing is left to turn, and only laundering, which asks nobody, goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.entries import Entry, Label
from evidence.errors import MediaError
from evidence.image import decode_bytes, decode_image
from evidence.limits import DecodeLimits
from evidence.medium import Pixels
from evidence.source import read_media
from exports.manifest import Folder, Row
from generators.delivery import png
from testsets.attacks import KINDS, Attack, Attacked, perform, ready
from testsets.smallest import smallest
from testsets.target import Oracle, Target

OnRow = Callable[[Row], None]
OnFailed = Callable[[Path, MediaError], None]


@dataclass(frozen=True)
class Original:
    """A picture to be attacked: its name in the set, where it lies, and what is known of it."""

    stem: str
    path: Path
    label: Label | None = None
    mask: Path | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Assault:
    """What is done to every picture: attacks on one detector, and by which others the results are scored."""

    attacks: Sequence[Attack]
    target: Target | None = None
    transfers: Sequence[Target] = ()
    seed: int = 0
    smallest: bool = False

    def check(self) -> None:
        """Raise, before any picture is touched, where an attack lacks its detector or its gradients."""
        for attack in self.attacks:
            ready(attack, self.target)

    def identity(self, attack: Attack) -> Row:
        """What makes two runs of an attack the same."""
        return {
            "attack": attack.to_dict(),
            "attack_seed": self.seed,
            "smallest_sought": self.smallest,
            "model": None if self.target is None else self.target.name,
            "model_sha256": None if self.target is None else self.target.sha256,
            "transfer_models": [other.name for other in self.transfers],
        }


def known(entry: Entry) -> Original:
    """An entry of a labelled collection, with what a manifest says of it."""
    names = ("generator", "family", "source", "group", "split", "upsampler", "kind", "treatment")
    about = {name: getattr(entry, name) for name in names if getattr(entry, name)}
    stem = Path(entry.key).with_suffix("").as_posix().replace("/", "_")
    return Original(stem, entry.path, entry.label, entry.mask, about)


def attack_all(
    originals: Iterable[Original],
    assault: Assault,
    out: Path,
    *,
    limits: DecodeLimits | None = None,
    on_row: OnRow | None = None,
    on_failed: OnFailed | None = None,
) -> list[Row]:
    """Write every picture under every attack into `out`, as PNG, and return their rows.

    What an earlier run has written is not made again. One that cannot be decoded is handed to `on_failed`
    and left out; without that its error is raised.
    """
    rows: list[Row] = []
    with Folder(out) as folder:
        there = {_key(row): row for row in folder.rows.values() if (out / row["path"]).is_file()}
        for original in originals:
            try:
                content = read_media(original.path, limits or DecodeLimits())
                parent = hashlib.sha256(content).hexdigest()
                pixels: Pixels | None = None
                for attack in assault.attacks:
                    same = {"parents": [parent], "key": original.stem, **assault.identity(attack)}
                    row = there.get(_key(same))
                    if row is None:
                        if pixels is None:
                            pixels = decode_bytes(content, str(original.path), limits or DecodeLimits())[1]
                        row = _written(folder, original, pixels, attack, assault, same)
                    rows.append(row)
                    if on_row is not None:
                        on_row(row)
            except MediaError as error:
                if on_failed is None:
                    raise
                on_failed(original.path, error)
    return rows


def strike(attack: Attack, pixels: Pixels, label: Label | None, target: Target | None, seed: int) -> Attacked:
    """The picture of that label after the attack; as it is where the detector is mistaken already."""
    missed = None if target is None else _missed(attack, pixels, label, target)
    return perform(attack, pixels, target, seed) if missed is None else missed


def slug(attack: Attack) -> str:
    """The name of an attack's folder: what differs from its defaults stands in it."""
    usual = KINDS[attack.name].settings
    return (
        "-".join(
            [
                attack.name,
                *(f"{key}{value}" for key, value in attack.settings.items() if value != usual[key].default),
            ]
        )
        .replace("/", "_")
        .replace(":", "")
    )


def _written(
    folder: Folder, original: Original, pixels: Pixels, attack: Attack, assault: Assault, same: Row
) -> Row:
    made, least = _made(original, pixels, attack, assault)
    row = {
        **original.about,
        **same,
        "label": original.label,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        **made.to_dict(),
        "smallest": least,
        "transfer": {other.name: _judged(other, pixels, made.pixels) for other in assault.transfers},
    }
    mask = None if original.mask is None else png(decode_image(original.mask)[1][:, :, 0])
    stem = f"{original.label or 'pictures'}/{slug(attack)}/{original.stem}"
    content, there = png(made.pixels), folder.path / f"{stem}.png"
    if f"{stem}.png" not in folder.rows and there.is_file() and there.read_bytes() == content:
        there.unlink()  # written by a run that was killed before it could say so
    return folder.rows[folder.add(stem, ".png", content, row, mask=mask)]


def _made(
    original: Original, pixels: Pixels, attack: Attack, assault: Assault
) -> tuple[Attacked, dict[str, Any]]:
    target = assault.target
    if target is None or not assault.smallest:
        return strike(attack, pixels, original.label, target, assault.seed), {}
    missed = _missed(attack, pixels, original.label, target)
    return (missed, {}) if missed is not None else smallest(attack, pixels, target, assault.seed)


def _missed(attack: Attack, pixels: Pixels, label: Label | None, target: Target) -> Attacked | None:
    """The picture as it is, where an attack that asks a detector finds it mistaken already."""
    if attack.needs == "pixels" or label is None:
        return None
    oracle = Oracle(target, pixels)
    if oracle.fake == (label == "fake"):
        return None
    return Attacked(pixels, 138.0, 1.0, 1, None, oracle.fake, oracle.before, oracle.before)


def _judged(other: Target, pixels: Pixels, made: Pixels) -> Row:
    """What a detector that was not asked during the attack says of its result."""
    oracle = Oracle(other, pixels)
    gap = oracle.ask(made)
    return {"fake": oracle.fake, "before": oracle.before, "after": oracle.score_of(gap), "flipped": gap <= 0}


def _key(row: Mapping[str, Any]) -> str:
    names = ("parents", "key", *Assault(()).identity(Attack("notch")))
    return repr([row.get(name) for name in names])
