"""The bench at which an order becomes pictures: the real as it is delivered, and each forgery of it.

Everything is a function of the order, the source's bytes and the models, on one thread of a CPU, so that a
picture made again from its row of the manifest is the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.entries import Label
from evidence.errors import DataError, TooSmall
from evidence.faces import FaceFinder
from evidence.image import decode_image
from evidence.limits import DecodeLimits
from evidence.medium import Pixels
from exports.chance import Wish
from exports.editing import Box, Edited, Mask
from exports.forging import Forger, Mark, Marks, rng_at
from exports.making import face_square
from exports.manifest import Row
from exports.registry import ModelEntry, Registry
from exports.runtime import GeneratorSession
from generators.delivery import AREA, Delivery, blended, central_square, deliver, png, soft_region
from generators.settle import settle
from testsets.aims import OpenTarget, opened
from testsets.coherent import FACES, Filmed, boxes_of, filmed
from testsets.footage import Footage, film
from testsets.plan import SMALLEST, Order, Pick
from testsets.selfblend import self_blend
from testsets.sources import Shelf, sha256_of
from testsets.splices import splice
from testsets.suite import SELF_BLENDED, SPLICE
from testsets.target import Target
from testsets.treated import treated

# What these draw shows another face, or another pose: it takes the light and shade of the real.
_DRAWN = ("noise", "class", "caption", "rotation", "animation")
_FINE = 48  # parts of a side: an 8x8 thumbnail sees nothing of what is finer
_PIXEL_MARK = "watermark"  # as `worker.marking` calls it in a row


@dataclass(frozen=True)
class Made:
    """A picture to be written: its path without suffix, its bytes before a file's marks, its row."""

    stem: str
    suffix: str
    content: bytes
    row: Row
    mask: bytes | None = None
    pixels: Pixels | None = None


@dataclass
class Bench:
    """What makes the pictures of orders: the reals, the models, a face finder if there is one, marks.

    `marking` is none, pixels or all; `marks` gives a generator what marks its files, if any are.
    `open_target` opens the detectors that are attacked, `targets` says of each label where it lies.
    """

    shelf: Shelf
    models: Registry
    faces: Path | None = None
    marking: str = "none"
    marks: Marks | None = None
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    open_target: OpenTarget | None = None
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._targets: dict[str, Target] = {}
        self._sessions: dict[str, GeneratorSession] = {}
        self._marks: dict[str, Mark] = {}
        self._find_face: Callable[[Pixels], Box | None] | None = None
        self._finder: FaceFinder | None = None

    def make(self, order: Order) -> list[Made]:
        """The real of an order and its forgeries; raises MediaError where the real cannot be used."""
        real = self.deliver(order)
        return [self.real(order, real), *(self.fake(order, pick, real) for pick in order.picks)]

    def deliver(self, order: Order) -> Delivery | Footage:
        """The real of an order as both sides travel."""
        data = self.shelf.find(order.source, order.key).read(self.limits)
        if order.shot is not None:
            return film(
                data,
                order.shot,
                order.chain,
                rng_at(order.seed, order.stem, "crop"),
                crop=order.crop,
                fit=order.fit,
                find_face=self._found_face,
                limits=self.limits,
            )
        base = deliver(data, order.crop, rng_at(order.seed, order.stem, "crop"), self.limits)
        pixels = base.pixels
        if order.fit:
            pixels = central_square(pixels, order.fit, order.centre)
        if not order.fit and min(pixels.shape[:2]) < SMALLEST:
            raise TooSmall(
                f"It has {pixels.shape[1]} x {pixels.shape[0]} pixels; {SMALLEST} a side are the least.",
                "Take larger pictures.",
            )
        if order.fit is None and not order.chain and order.writing is None:
            return base
        history = base.history if order.writing is None else order.writing.history
        chain = order.chain[:-1] if order.closes else order.chain
        return treated(np.ascontiguousarray(pixels), chain, history)

    def real(self, order: Order, real: Delivery | Footage) -> Made:
        """The real itself."""
        row = {"label": "real", "kind": "", **self._common(order, real), "parents": [self._parent(order)]}
        published = isinstance(real, Delivery) and real.as_published and order.raid is None
        row |= {"as_published": published, "marks": []}
        content, raided = self._raided(order, "real", real.data)
        return Made(f"real/{order.stem}", _suffix(order, real), content, row | raided)

    def fake(
        self, order: Order, pick: Pick, real: Delivery | Footage, boxes: Sequence[Box] | None = None
    ) -> Made:
        """One forgery; `boxes` are where an earlier one of the same row looked for faces."""
        edited, origin, words = self._forged(order, pick, real, boxes)
        mark = self._mark(pick)
        frames = edited.frames if mark is None else tuple(mark.touch(frame) for frame in edited.frames)
        if isinstance(real, Footage):
            written, mask = real.encode(frames), _placed(edited.made, real.place)
        else:
            written = real.encode(frames[0])
            mask = _placed(edited.made, lambda masks: real.place(masks[0]))
        content, raided = self._raided(order, "fake", written)
        common = self._common(order, real)
        common["caption"] = words.get("caption", order.caption)
        common["order"] = common["order"] | {"pick": vars(pick)}
        row = {
            **common,
            "label": "fake",
            **origin,
            "condition": words,
            "partial": edited.made is not None,
            "boxes": [list(box) for box in edited.boxes],
            "twin_of": f"real/{order.stem}{_suffix(order, real)}",
            "parents": self._parents(order, pick),
            "marks": self._marked(mark, frames[0]),
            **raided,
        }
        name = pick.label.partition("@")[0]
        return Made(f"fake/{name}/{order.stem}", _suffix(order, real), content, row, mask, frames[0])

    def _raided(self, order: Order, label: Label, content: bytes) -> tuple[bytes, Row]:
        """A delivered file after the attack on it, if there is one."""
        raid = order.raid
        if raid is None:
            return content, {}
        if raid.target and raid.target not in self._targets:
            self._targets[raid.target] = opened(self.targets, raid, self.open_target)
        return raid.on_picture(content, label, self._targets.get(raid.target))

    def _forged(
        self, order: Order, pick: Pick, real: Delivery | Footage, boxes: Sequence[Box] | None
    ) -> tuple[Filmed, Row, dict[str, Any]]:
        """The frames of a forgery: a picture has one."""
        if not isinstance(real, Footage):
            edited, origin, words = self._edited(order, pick, real.pixels, boxes[0] if boxes else None)
            made = None if edited.made is None else (edited.made,)
            return Filmed((edited.pixels,), made, () if edited.box is None else (edited.box,)), origin, words
        rng, session = rng_at(order.seed, order.stem, pick.label), self._session(pick.label)
        looked = session.entry.task in FACES
        if boxes is None and looked:
            boxes = boxes_of(real.frames, self._found_face)
        result, words = filmed(
            session,
            real.frames,
            rng,
            Wish.from_dict(pick.wish),
            seed=order.seed,
            boxes=boxes or (),
            partial=pick.partial,
        )
        return result, _origin_of(session.entry), words

    def _edited(
        self, order: Order, pick: Pick, real: Pixels, box: Box | None
    ) -> tuple[Edited, Row, dict[str, Any]]:
        rng, wish = rng_at(order.seed, order.stem, pick.label), Wish.from_dict(pick.wish)
        area = wish.area or AREA
        if pick.label == SPLICE:
            donor = self._donor(order)
            return (
                Edited(*splice(real, donor, rng, area=area, fitting=True)),
                _origin(SPLICE),
                {"donor": order.donor},
            )
        if pick.label == SELF_BLENDED:
            return Edited(*self_blend(real, self._points(real), rng)), _origin(SELF_BLENDED), {}
        session = self._session(pick.label)
        entry = session.entry
        find = (lambda pixels: box) if box is not None else self._found_face
        forger = Forger(session, order.seed, find, wish)
        edited, words = forger(order.stem, real)
        if entry.task in _DRAWN:
            edited = replace(edited, pixels=_settled(edited, real))
        elif entry.task == "translation":
            edited = replace(edited, pixels=settle(edited.pixels, real))
        if pick.partial:
            alpha = soft_region(rng, *real.shape[:2], share=area)
            edited = Edited(blended(real, edited.pixels, alpha), alpha >= 0.5)
        return edited, _origin_of(entry), words

    def _common(self, order: Order, real: Delivery | Footage) -> Row:
        width, height = real.size
        history = None if isinstance(real, Footage) or order.raid else real.history
        return {
            "generator": None,
            **order.row(),
            "width": width,
            "height": height,
            "quality": None if history is None else history.quality,
            "attack": None,
            **(real.facts() if isinstance(real, Footage) else {}),
        }

    def _parent(self, order: Order) -> str:
        return sha256_of(self.shelf.find(order.source, order.key).read(self.limits))

    def _parents(self, order: Order, pick: Pick) -> list[str]:
        if pick.label != SPLICE:
            return [self._parent(order)]
        source, _, key = order.donor.partition("/")
        return [self._parent(order), sha256_of(self.shelf.find(source, key).read(self.limits))]

    def _donor(self, order: Order) -> Pixels:
        source, _, key = order.donor.partition("/")
        return decode_image(self.shelf.find(source, key).read(self.limits), self.limits)[1]

    def _session(self, label: str) -> GeneratorSession:
        if label not in self._sessions:
            self._sessions[label] = GeneratorSession(self.models.get(label), "cpu", threads=1)
        return self._sessions[label]

    def _mark(self, pick: Pick) -> Mark | None:
        if self.marks is None or self.marking == "none" or "@" not in pick.label:
            return None
        if pick.label not in self._marks:
            self._marks[pick.label] = self.marks(self._session(pick.label).entry)
        return self._marks[pick.label]

    def _marked(self, mark: Mark | None, pixels: Pixels) -> list[str]:
        if mark is None:
            return []
        marks = mark.row(pixels.shape[1], pixels.shape[0])["marks"]
        return [one for one in marks if self.marking == "all" or one == _PIXEL_MARK]

    def _found_face(self, pixels: Pixels) -> Box | None:
        if self.faces is None:
            return None
        if self._find_face is None:
            self._find_face = face_square(self.faces)
        return None if self._find_face is None else self._find_face(pixels)

    def _points(self, pixels: Pixels) -> Sequence[tuple[float, float]]:
        if self.faces is None:
            raise DataError(
                "Self-blended faces need a face model, and none is installed.",
                "Run `touchstone models fetch yunet`.",
            )
        self._finder = self._finder or FaceFinder(self.faces)
        found = self._finder.find(pixels)
        if not found:
            raise TooSmall("No face was found in it.", "Take pictures of faces.")
        return found[0].landmarks


def _placed(made: Sequence[Mask] | None, place: Callable[[list[Pixels]], Pixels]) -> bytes | None:
    return None if made is None else png(place([one.astype(np.uint8) * 255 for one in made]))


def _suffix(order: Order, real: Delivery | Footage) -> str:
    return f".{real.extension if order.raid is None else 'png'}"


def _settled(edited: Edited, real: Pixels) -> Pixels:
    """What was made, settled into the real where it was made, and no further."""
    left, top, width, height = edited.box or (0, 0, real.shape[1], real.shape[0])
    rows, columns = slice(top, top + height), slice(left, left + width)
    pixels = edited.pixels.copy()
    settled = settle(pixels[rows, columns], real[rows, columns], min(height, width) / _FINE)
    made = np.ones(real.shape[:2], bool) if edited.made is None else edited.made
    pixels[rows, columns][made[rows, columns]] = settled[made[rows, columns]]
    return pixels


def _origin(name: str) -> Row:
    return {
        "generator": name,
        "version": "",
        "family": name,
        "upsampler": "",
        "kind": name,
        "model_sha256": "",
    }


def _origin_of(entry: ModelEntry) -> Row:
    return {
        "generator": entry.name,
        "version": entry.version,
        "family": entry.tags.get("family") or entry.tags.get("system", entry.name),
        "upsampler": entry.tags.get("upsampler", ""),
        "kind": entry.task,
        "model_sha256": entry.sha256,
    }
