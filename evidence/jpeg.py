"""How a JPEG was written, and writing another one the same way.

Forged twins carry the delivery of their real: the same quantisation tables and the same chroma
sampling, so that neither tells the classes apart. The history is read from the DQT and SOF
segments themselves (ITU-T T.81, B.2.2 and B.2.4.1), where tables lie in zigzag order; we keep
them in natural, row-major order, which is also what Pillow's `qtables` takes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image

from evidence.medium import JpegHistory, Pixels

# Position in the 8x8 block, row-major, of the k-th coefficient of a DQT segment.
ZIGZAG = tuple(
    row * 8 + column
    for _, _, row, column in sorted(
        (row + column, row if (row + column) % 2 else column, row, column)
        for row in range(8)
        for column in range(8)
    )
)
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "grey")
LONGEST_SIDE = 65_500  # as libjpeg writes a JPEG


def read_history(data: bytes) -> JpegHistory | None:
    """The tables and the sampling of a JPEG, read without decoding it.

    `None` for bytes that are no JPEG or whose headers break off. `tables` hold one table per
    component in component order, as few as say it: the last stands for the components after it.
    """
    tables: dict[int, tuple[int, ...]] = {}
    for marker, body in _segments(data):
        if marker == _DQT:
            tables.update(_tables(body))
        elif marker in _FRAMES:
            frame = [tuple(body[at : at + 3]) for at in range(6, 6 + 3 * body[5], 3)] if len(body) > 5 else []
            used = [part[2] for part in frame if len(part) == 3]
            if not used or len(used) < body[5] or not set(used) <= tables.keys():
                return None
            while len(used) > 1 and used[-1] == used[-2]:
                used.pop()
            kept = tuple(tables[name] for name in used)
            return JpegHistory(kept, _sampling(frame), estimate_quality(kept), marker in _PROGRESSIVE)
    return None


def encode_jpeg(pixels: Pixels, quality: int, sampling: str = "4:2:0") -> bytes:
    """Write RGB pixels as a baseline JPEG at a libjpeg quality 1..100; `sampling` of `SAMPLINGS`."""
    image, options = _prepare(pixels, sampling)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def encode_like(pixels: Pixels, history: JpegHistory) -> bytes:
    """Write RGB pixels with the tables, chroma sampling and scan order of another JPEG.

    A sampling that libjpeg's three presets cannot say ("other") is written as 4:2:0.
    """
    sampling = history.sampling if history.sampling in SAMPLINGS else "4:2:0"
    image, options = _prepare(pixels, sampling)
    components = 1 if sampling == "grey" else 3
    tables = [list(table) for table in history.tables[:components]]
    file = io.BytesIO()
    image.save(file, "JPEG", qtables=tables, progressive=history.progressive, **options)
    return file.getvalue()


def without_metadata(data: bytes) -> bytes:
    """The same JPEG without what it says of itself: EXIF, XMP, profiles, comments; its pixels untouched.

    JFIF and Adobe's segment stay, since they decide how the pixels are read. Bytes that are no JPEG come
    back as they are.
    """
    kept, end = [data[:2]], 2
    for marker, body in _segments(data):
        end += 4 + len(body)
        if marker not in _SAYINGS:
            kept.append(bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body)
    return b"".join(kept) + data[end:]


def estimate_quality(tables: tuple[tuple[int, ...], ...]) -> int:
    """The libjpeg quality 1..100 whose tables lie nearest, by mean absolute difference.

    Tables of other encoders have no such number; the nearest one still orders files by loss.
    """
    wanted = np.array([tables[0], *tables[1:2]], dtype=np.int64)  # (1 or 2, 64)
    distances = np.abs(_standard_tables()[:, : len(wanted)] - wanted).mean(axis=(1, 2))  # (100,)
    return int(distances.argmin()) + 1


def mozjpeg_table(quality: int) -> tuple[int, ...]:
    """The table that mozjpeg and ImageMagick write for brightness and colour alike, in natural order.

    N. Robidoux's, number 3 of mozjpeg's `jcparam.c`, scaled as libjpeg scales and held to 8 bits.
    """
    return tuple(int(step) for step in _scaled(_ROBIDOUX, quality))


def scan_end(data: bytes) -> int:
    """Where the entropy-coded data of the first scan ends: the offset of the marker after it."""
    at = 2
    for marker, body in _segments(data, through_scan=True):
        at += 4 + len(body)
        if marker == _SOS:
            break
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    return len(data)


def _segments(data: bytes, through_scan: bool = False) -> Iterator[tuple[int, bytes]]:
    """Marker and body of each header segment, up to the first scan."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if size < 2 or len(body) != size - 2 or (marker == _SOS and not through_scan):
            return
        yield marker, body
        at += 2 + size


def _tables(body: bytes) -> dict[int, tuple[int, ...]]:
    """The tables of one DQT segment by their number, in natural order."""
    found = {}
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        raw = np.frombuffer(body[at + 1 : at + 1 + size], dtype=">u2" if wide else "u1")
        if len(raw) != 64:
            break
        natural = np.empty(64, dtype=np.int64)
        natural[list(ZIGZAG)] = raw
        found[number] = tuple(natural.tolist())
        at += 1 + size
    return found


def _sampling(frame: list[tuple[int, ...]]) -> str:
    """Chroma sampling from the (id, H << 4 | V, table) rows of a frame header."""
    if len(frame) == 1:
        return "grey"
    factors = [(row[1] >> 4, row[1] & 15) for row in frame]
    if len(frame) != 3 or factors[1] != factors[2] or 0 in factors[1]:
        return "other"
    (h, v), (ch, cv) = factors[:2]
    if h % ch or v % cv:
        return "other"
    return {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}.get((h // ch, v // cv), "other")


def _prepare(pixels: Pixels, sampling: str) -> tuple[Image.Image, dict[str, str]]:
    """The Pillow image to save and the `subsampling` option for it."""
    if sampling not in SAMPLINGS:
        raise ValueError(f"Chroma sampling {sampling!r} is none of {', '.join(SAMPLINGS)}.")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return (image.convert("L"), {}) if sampling == "grey" else (image, {"subsampling": sampling})


@lru_cache(maxsize=1)
def _standard_tables() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The tables of Annex K scaled as libjpeg scales them: (100, 2, 64), quality 1 first."""
    return np.stack([_scaled((_LUMINANCE, _CHROMINANCE), quality) for quality in range(1, 101)])


def _scaled(base: Sequence[object], quality: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((np.array(base, dtype=np.int64) * scale + 50) // 100, 1, 255)


_DQT, _SOS = 0xDB, 0xDA
_SAYINGS = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})  # APP1 to APP13, APP15, COM
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
)
_ROBIDOUX = (
    *(16, 16, 16, 18, 25, 37, 56, 85),
    *(16, 17, 20, 27, 34, 40, 53, 75),
    *(16, 20, 24, 31, 43, 62, 91, 135),
    *(18, 27, 31, 40, 53, 74, 106, 156),
    *(25, 34, 43, 53, 69, 94, 131, 189),
    *(37, 40, 62, 74, 94, 124, 169, 238),
    *(56, 53, 91, 106, 131, 169, 226, 311),
    *(85, 75, 135, 156, 189, 238, 311, 418),
)
