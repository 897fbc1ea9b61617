"""What Content Credentials cost, and if a changed file is called whole: `python -m benchmarks.credentials`.

Signs and verifies every format; then flips single bits in every region of signed files, reads each through
the sandbox as a scan does, and asks a second verifier that shares no line with the first. `--photos FOLDER`
reads real photographs for claims of a generator, of which there must be none.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from encypher_c2pa import verify
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.signable import make
from evidence.errors import TouchstoneError
from evidence.limits import DecodeLimits
from evidence.sandbox import DecoderPool
from provenance.authority import make_identity
from provenance.c2pa import CredentialReader, SigningKey, sign
from provenance.certificates import certificates_in
from provenance.credentials import Credentials
from provenance.examine import Declared, examine, reader
from provenance.formats import EMBEDDING, media_type
from provenance.metadata.claims import read_claims
from provenance.signing import Statement, manifest_definition
from provenance.trust import TrustStore

REPEATS = 15
# (height, width) of files of up to 5 MB, by how well a format packs a picture with a photograph's spectrum.
LARGE = {
    "image/tiff": (1250, 1320),
    "image/gif": (1700, 2200),
    "image/png": (1150, 1400),
    "image/jpeg": (2600, 3500),
    "image/webp": (2600, 3500),
    "video/x-msvideo": (1300, 1800),
}
USUAL = (900, 1400)
UNSIGNED = "file type box"  # of MP4 and its kin: the standard leaves it out of what is signed
CONTENT = ("first bytes", "before the manifest", "after the manifest", "last bytes")
REGIONS = (*CONTENT, "manifest", "around the manifest", UNSIGNED)
EDGE = 64


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one format, medians."""

    mime: str
    megabytes: float
    sign_ms: float
    verify_ms: float
    state: str


@dataclass(frozen=True)
class Flip:
    """One changed bit: where, what we say of the file, what the second verifier says of its integrity."""

    mime: str
    region: str
    place: int
    state: str
    same_words: bool
    second: str


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write the JSON; 1 when a changed file was called whole or anything went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1000, help="tampered files in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--photos", type=Path, help="a folder of photographs or tars of them")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/credentials.json"))
    chosen = parser.parse_args(arguments)
    console = Console()
    identity = make_identity("benchmark")
    key = SigningKey(identity.chain, "es256", identity.key)
    root = certificates_in(identity.chain, of="the chain")[1].pem
    with tempfile.TemporaryDirectory() as folder:
        trust = TrustStore(Path(folder) / "trust")
        trust.add("benchmark", "user", root.encode())
        costs = [_cost(mime, key, trust) for mime in EMBEDDING]
        console.print(_costs_table(costs))
        with DecoderPool(DecodeLimits(), workers=1, reader=reader(trust)) as pool:
            flips, faults = tamper(chosen.files, chosen.seed, key, root, pool=pool, folder=Path(folder))
    console.print(_flips_table(flips))
    wrong = [flip for flip in flips if falsely_whole(flip)]
    apart = [flip for flip in flips if whole(flip) != (flip.second == "valid")]
    for flip in wrong:
        console.print(f"called whole: {flip}")
    for fault in faults:
        console.print(f"fault: {fault}")
    console.print(
        f"{len(flips)} tampered files: {len(wrong)} falsely whole, {len(faults)} faults; "
        f"{len(apart)} on which the second verifier differs"
    )
    photos = _photographs(chosen.photos) if chosen.photos else {}
    if photos:
        console.print(f"photographs: {photos}")
    result = {
        "machine": machine(),
        "costs": [asdict(cost) for cost in costs],
        "flips": len(flips),
        "falsely_whole": [asdict(flip) for flip in wrong],
        "second_differs": [asdict(flip) for flip in apart],
        "faults": faults,
        "regions": {name: dict(_counts(flips, name)) for name in REGIONS},
        "photos": photos,
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong or faults or any(cost.state != "trusted" for cost in costs) else 0


def _cost(mime: str, key: SigningKey, trust: TrustStore) -> Cost:
    data = make(mime, size=LARGE.get(mime, USUAL))
    credentials = CredentialReader(trust.lists())
    signing, verifying = [], []
    whole, found = b"", Credentials()
    for _ in range(REPEATS):
        started = time.perf_counter()
        whole = _signed(data, mime, key)
        middle = time.perf_counter()
        found = credentials.read(io.BytesIO(whole), mime)
        signing.append(middle - started)
        verifying.append(time.perf_counter() - middle)
    return Cost(
        mime,
        len(whole) / 1e6,
        1000 * statistics.median(signing),
        1000 * statistics.median(verifying),
        found.state,
    )


def tamper(
    files: int, seed: int, key: SigningKey, root: str, *, pool: DecoderPool, folder: Path
) -> tuple[list[Flip], list[str]]:
    """Flip a bit at a time, formats in turn and regions in turn: what is said of each file, and faults."""
    rng = np.random.default_rng(seed)
    path = folder / "tampered"
    untouched = {}
    for mime in EMBEDDING:
        plain = make(mime)
        data = _signed(plain, mime, key)
        path.write_bytes(data)
        untouched[mime] = (data, _regions(plain, data), examine(pool, str(path)))
    flips, faults = [], []
    for number in range(files):
        mime = EMBEDDING[number % len(EMBEDDING)]
        data, regions, before = untouched[mime]
        names = list(regions)
        region = names[number // len(EMBEDDING) % len(names)]
        place = int(rng.choice(regions[region]))
        bit = 1 << int(rng.integers(8))
        changed = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        path.write_bytes(changed)
        try:
            after = examine(pool, str(path))
            second = _second(changed, mime, root)
        except TouchstoneError as problem:
            faults.append(f"{mime} {region} {place}: {type(problem).__name__}: {problem}")
            continue
        flips.append(Flip(mime, region, place, _word(after), _words(after) == _words(before), second))
    return flips, faults


def _regions(plain: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The places of each region; the manifest is what was put in."""
    start = next((i for i, (a, b) in enumerate(zip(plain, data, strict=False)) if a != b), len(plain))
    tail = next(
        (i for i, (a, b) in enumerate(zip(reversed(plain), reversed(data), strict=False)) if a != b),
        len(plain),
    )
    end = max(start, len(data) - tail)
    box = int.from_bytes(data[:4], "big") if data[4:8] == b"ftyp" else 0
    spans = {
        "first bytes": (box, min(box + EDGE, start)),
        "before the manifest": (box, start),
        "after the manifest": (end, len(data)),
        "last bytes": (len(data) - EDGE, len(data)),
        "manifest": (start, end),
        "around the manifest": (max(box, start - 16), min(len(data), start + 48)),
        UNSIGNED: (0, box),
    }
    return {name: np.arange(*spans[name]) for name in REGIONS if spans[name][1] > spans[name][0]}


def falsely_whole(flip: Flip) -> bool:
    """Called whole although the content was touched, or although the words changed.

    A bit of the manifest's own padding and wrapping, that nobody's words hang on, changes neither.
    """
    return whole(flip) and (not flip.same_words or flip.region in CONTENT)


def whole(flip: Flip) -> bool:
    return flip.state in ("untrusted", "interim", "trusted")


def _word(declared: Declared) -> str:
    return declared.credentials.state


def _words(declared: Declared) -> str:
    return json.dumps(declared.credentials.to_dict(), sort_keys=True)


def _second(data: bytes, mime: str, root: str) -> str:
    """The integrity that the second verifier finds; a file it cannot open has none to find.

    It is told to ask nobody and tell nobody.
    """
    try:
        told = verify(data, mime, no_default_trust=True, trust_pem=root, telemetry=False, online=False)
    except ValueError:
        return "unreadable"
    return str(told["integrity"])


def _signed(data: bytes, mime: str, key: SigningKey) -> bytes:
    out = io.BytesIO()
    definition = manifest_definition(Statement("generated"), Path("benchmark"))
    sign(definition, io.BytesIO(data), mime, key=key, out=out)
    return out.getvalue()


def _photographs(folder: Path) -> dict[str, int]:
    """What photographs claim, by kind; "with credentials" counts those that carry any."""
    counts: Counter[str] = Counter()
    credentials = CredentialReader()
    for data in _files(folder):
        file = io.BytesIO(data)
        mime = media_type(file)
        if not mime.startswith("image/"):
            continue
        counts["photographs"] += 1
        counts["with credentials"] += credentials.read(file, mime).state != "none"
        counts.update(claim.says for claim in read_claims(file, mime))
    return {"generated": 0, "composite": 0, **counts}


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".tar":
            with tarfile.open(path) as shard:
                for member in shard:
                    if opened := shard.extractfile(member):
                        yield opened.read()
        elif path.is_file():
            yield path.read_bytes()


def _counts(flips: list[Flip], region: str) -> Counter[str]:
    return Counter(flip.state for flip in flips if flip.region == region)


def _costs_table(costs: list[Cost]) -> Table:
    table = Table("format", "MB", "sign ms", "verify ms", "together", "state", title="Cost, medians")
    for cost in costs:
        together = cost.sign_ms + cost.verify_ms
        row = (f"{cost.megabytes:.2f}", f"{cost.sign_ms:.1f}", f"{cost.verify_ms:.1f}", f"{together:.1f}")
        table.add_row(cost.mime, *row, cost.state)
    return table


def _flips_table(flips: list[Flip]) -> Table:
    table = Table("region", "files", "invalid", "none", "whole", title="One bit changed")
    for region in REGIONS:
        counts = _counts(flips, region)
        whole = counts.total() - counts["invalid"] - counts["none"]
        table.add_row(region, *(str(n) for n in (counts.total(), counts["invalid"], counts["none"], whole)))
    return table


if __name__ == "__main__":
    sys.exit(main())
