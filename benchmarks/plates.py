"""The pictures of the gallery: what each shipped generator makes, at fixed seeds, from nobody's photographs.

Generators that change faces are shown on faces that `FACES` made; those that change
photographs on freely licensed ones that ride in well-known packages (`demo_originals.py`), label maps
on streets drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.demo_originals import fetch_originals
from evidence.image import decode_image
from evidence.medium import Pixels
from exports.conditions import caption_tokens, expression
from exports.editing import edit, extend, reconstruct
from exports.films import FRAMES_PER_SECOND, expression_sweep, interpolation, rotation_sweep
from exports.registry import Registry
from exports.runtime import GeneratorSession
from exports.sampling import grid, sample
from exports.slots import Feeds, slot_of, slots_of
from generators.data.pairs import CAMVID

WIDTH = 768  # of a plate, at most
SEED = 0
# As the captions are worded that the systems learned from; of other wordings they know less.
CAPTIONS = (
    "a photo of a person who is smiling, facing the camera, with the mouth closed",
    "a photo of a person who is not smiling, facing the camera, with the mouth closed",
    "a photo of a person who is smiling, looking to the left, with the mouth closed",
    "a photo of a person who is not smiling, looking to the right, with the mouth closed",
)
FACES = "tac-gan-faces"
EXPRESSIONS = ("smile", "surprise", "anger", "sadness")
ANGLES = (-40, -20, 0, 20, 40)


@dataclass(frozen=True)
class Plate:
    """A picture or a film of one generator, and the sentence below it."""

    pixels: Pixels
    words: str
    film: tuple[Pixels, ...] = ()


class Painter:
    """Makes plates with the models of a registry; `media` is where the free photographs are kept."""

    def __init__(self, models: Registry, media: Path) -> None:
        self.models = models
        self.photographs = {path.name: path for path in fetch_originals(media)}
        self._faces: list[Pixels] = []

    def plate(self, session: GeneratorSession) -> Plate:
        """What shows best what this generator does."""
        return _BY_TASK[session.entry.task](self, session)

    def faces(self) -> list[Pixels]:
        """Faces that nobody has and that look ahead, by the generator whose faces are the best."""
        if not self._faces:
            session = GeneratorSession(self.models.get(FACES))
            slot = slot_of(slots_of(session), "tokens")
            assert slot is not None
            self._faces = sample(session, 4, SEED, [{slot.name: caption_tokens(slot, CAPTIONS[1])}])
        return self._faces

    def photograph(self, name: str, side: int) -> Pixels:
        """The central square of a free photograph, at `side` pixels."""
        pixels = decode_image(self.photographs[name])[1]
        height, width = pixels.shape[:2]
        least = min(height, width)
        top, left = (height - least) // 2, (width - least) // 2
        square = pixels[top : top + least, left : left + least]
        return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)

    def from_noise(self, session: GeneratorSession) -> Plate:
        """A sheet of samples and the way between six of them."""
        pictures = sample(session, 48, SEED)
        frames = tuple(interpolation(session, 4, SEED))
        return Plate(grid(pictures, 12), "Samples at seed 0; a walk between four of them.", frames)

    def of_classes(self, session: GeneratorSession) -> Plate:
        """One class a row, one seed a column."""
        slot = slot_of(slots_of(session), "label")
        assert slot is not None
        rows = [
            sample(session, 10, SEED, [{slot.name: np.asarray(label, slot.dtype)}])
            for label in range(min(10, len(slot.names)))
        ]
        names = ", ".join(slot.names[:10])
        return Plate(grid([picture for row in rows for picture in row], 10), f"One class a row: {names}.")

    def of_captions(self, session: GeneratorSession) -> Plate:
        """One caption a row, one seed a column."""
        slot = slot_of(slots_of(session), "tokens")
        assert slot is not None
        rows = [
            sample(session, 8, SEED, [{slot.name: caption_tokens(slot, caption)}]) for caption in CAPTIONS
        ]
        quoted = "; ".join(f"“{caption}”" for caption in CAPTIONS)
        return Plate(grid([picture for row in rows for picture in row], 8), f"One caption a row: {quoted}.")

    def rebuilt(self, session: GeneratorSession) -> Plate:
        """A photograph, its twin, and eight times their difference."""
        cat = self.photograph("cat.png", 256)
        twin = reconstruct(session, cat)
        difference = np.clip(128 + 8.0 * (twin.astype(np.float32) - cat), 0, 255).astype(np.uint8)
        return Plate(_row(cat, twin, difference), "A photograph, its twin, and their difference times eight.")

    def translated(self, session: GeneratorSession) -> Plate:
        """Drawn label maps and the streets made of them, or photographs and their translation."""
        sources = (
            [street(seed) for seed in range(4)]
            if session.entry.tags.get("system") == "pix2pix"
            else [
                self.photograph(name, 192) for name in ("cat.png", "coffee.png", "pagoda.jpg", "rocket.jpg")
            ]
        )
        answers = [edit(session, source).pixels for source in sources]
        return Plate(grid([*sources, *answers], 4), "Above what was given, below what was made of it.")

    def filled(self, session: GeneratorSession) -> Plate:
        """A photograph with a hole, and without it."""
        rows = []
        for name in ("cat.png", "pagoda.jpg", "dahlia.jpg"):
            source = self.photograph(name, 256)
            mask = np.zeros((256, 256), bool)
            mask[96:160, 96:160] = True
            holed = source.copy()
            holed[mask] = 255
            rows += [source, holed, edit(session, source, mask=mask).pixels]
        return Plate(grid(rows, 3), "The photograph, the hole, and the hole filled.")

    def continued(self, session: GeneratorSession) -> Plate:
        """A photograph and what might lie beside it."""
        rows = []
        for name in ("pagoda.jpg", "coffee.png"):
            source = self.photograph(name, 192)
            wide = extend(session, source, {"left": 64, "right": 64}).pixels
            canvas = np.full_like(wide, 255)
            canvas[:, 64:-64] = source
            rows += [canvas, wide]
        return Plate(grid(rows, 2), "The photograph, and 64 pixels more on either side.")

    def turned(self, session: GeneratorSession) -> Plate:
        """Made-up faces at five angles, and one from side to side."""
        slot = slot_of(slots_of(session), "yaw")
        if slot is None:
            return self.frontal(session)
        angles = [min(max(angle, slot.low), slot.high) for angle in ANGLES]
        rows = []
        for face in self.faces():
            given: list[Feeds] = [{slot.name: np.asarray(angle, slot.dtype)} for angle in angles]
            rows += [face, *(edit(session, face, one).pixels for one in given)]
        frames = tuple(rotation_sweep(session, self.faces()[0]))
        said = ", ".join(f"{angle:g}" for angle in angles)
        return Plate(grid(rows, 6), f"A face nobody has, then at {said} degrees.", frames)

    def frontal(self, session: GeneratorSession) -> Plate:
        """Made-up faces, turned to either side by a generator of any angle, and what is made of them."""
        turner = next(
            (entry for entry in self.models.of_kind("generator") if any(_yaw(item) for item in entry.inputs)),
            None,
        )
        if turner is None:
            sources = self.faces()
            said = "Faces nobody has"
        else:
            turning = GeneratorSession(turner)
            slot = slot_of(slots_of(turning), "yaw")
            assert slot is not None
            sources = [
                edit(turning, face, {slot.name: np.asarray(angle, slot.dtype)}).pixels
                for face in self.faces()
                for angle in (ANGLES[0], ANGLES[-1])
            ]
            said = f"Faces nobody has, turned by {turner.name}"
        answers = [edit(session, source).pixels for source in sources]
        return Plate(grid([*sources, *answers], len(sources)), f"{said}; below, the same seen from ahead.")

    def animated(self, session: GeneratorSession) -> Plate:
        """Made-up faces in four expressions, and one film into each."""
        slot = slot_of(slots_of(session), "units")
        assert slot is not None
        targets = [expression(slot, name) for name in EXPRESSIONS]
        rows = []
        for face in self.faces():
            rows += [face, *(edit(session, face, {slot.name: target}).pixels for target in targets)]
        frames = tuple(expression_sweep(session, self.faces()[0], targets))
        return Plate(grid(rows, 5), f"A face nobody has, then in: {', '.join(EXPRESSIONS)}.", frames)


_BY_TASK: dict[str, Callable[[Painter, GeneratorSession], Plate]] = {
    "noise": Painter.from_noise,
    "class": Painter.of_classes,
    "caption": Painter.of_captions,
    "reconstruction": Painter.rebuilt,
    "translation": Painter.translated,
    "inpainting": Painter.filled,
    "outpainting": Painter.continued,
    "rotation": Painter.turned,
    "animation": Painter.animated,
}


def street(seed: int, side: int = 128) -> Pixels:
    """A label map of a street in CamVid's colours, drawn from rectangles and triangles."""
    rng = np.random.default_rng(seed)
    horizon = int(side * rng.uniform(0.4, 0.5))
    picture = np.full((side, side, 3), CAMVID["sky"], np.uint8)
    for start, end in ((0, side * 2 // 5), (side * 3 // 5, side)):
        roof = int(horizon * rng.uniform(0.1, 0.5))
        picture[roof : horizon + side // 12, start:end] = CAMVID["building"]
    for _ in range(2):
        place, wide = int(rng.uniform(0, side)), int(side * rng.uniform(0.08, 0.16))
        cv2.circle(picture, (place, horizon - wide // 2), wide, CAMVID["tree"], -1)
    picture[horizon + side // 12 :] = CAMVID["pavement"]
    middle = side // 2
    corners = [(middle - side // 16, horizon), (middle + side // 16, horizon), (side, side), (0, side)]
    cv2.fillPoly(picture, [np.array(corners, np.int32)], CAMVID["road"])
    left, wide = int(side * rng.uniform(0.55, 0.75)), int(side * rng.uniform(0.14, 0.22))
    picture[horizon + side // 16 : horizon + side // 16 + wide * 3 // 4, left : left + wide] = CAMVID["car"]
    return picture


def write(plate: Plate, folder: Path, name: str) -> Iterator[Path]:
    """Write the plate as JPEG, and its film as GIF; yields what was written."""
    from PIL import Image

    factor = max(1, WIDTH // plate.pixels.shape[1])
    enlarged = np.repeat(np.repeat(plate.pixels, factor, axis=0), factor, axis=1)
    picture = folder / f"{name}.jpg"
    Image.fromarray(enlarged).save(picture, quality=88, optimize=True)
    yield picture
    if plate.film:
        frames = [Image.fromarray(frame).quantize(64) for frame in plate.film[::2]]
        film = folder / f"{name}.gif"
        pause = 2000 // FRAMES_PER_SECOND
        frames[0].save(film, save_all=True, append_images=frames[1:], duration=pause, loop=0, optimize=True)
        yield film


def _yaw(item: Mapping[str, Any]) -> bool:
    return item.get("role") == "yaw"


def _row(*pictures: Pixels) -> Pixels:
    return np.concatenate(pictures, axis=1)
