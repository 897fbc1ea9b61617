"""A changed file is never called whole, and another verifier says so too."""

from __future__ import annotations

from pathlib import Path

from benchmarks.credentials import CONTENT, Flip, falsely_whole, tamper, whole
from evidence.limits import DecodeLimits
from evidence.sandbox import DecoderPool
from provenance.authority import make_identity
from provenance.c2pa import SigningKey
from provenance.certificates import certificates_in
from provenance.examine import reader
from provenance.formats import EMBEDDING
from provenance.trust import TrustStore


def test_one_bit_changed_anywhere_in_any_format_is_seen_or_says_nothing(tmp_path: Path) -> None:
    identity = make_identity("tests")
    key = SigningKey(identity.chain, "es256", identity.key)
    root = certificates_in(identity.chain, of="the chain")[1].pem
    trust = TrustStore(tmp_path / "trust")
    trust.add("tests", "user", root.encode())
    limits = DecodeLimits(max_pixels=30_000_000)

    with DecoderPool(limits, workers=1, reader=reader(trust)) as pool:
        flips, faults = tamper(8 * len(EMBEDDING), 3, key, root, pool=pool, folder=tmp_path)

    assert faults == []
    assert len(flips) == 8 * len(EMBEDDING)
    assert [flip for flip in flips if falsely_whole(flip)] == []
    of_content = [flip for flip in flips if flip.region in CONTENT]
    assert len(of_content) > len(EMBEDDING)
    assert [flip for flip in of_content if whole(flip) or flip.second == "valid"] == []


def test_the_measure_itself_knows_a_file_that_was_wrongly_called_whole() -> None:
    seen = Flip("image/png", "manifest", 5, "invalid", same_words=False, second="invalid")
    padding = Flip("image/png", "manifest", 5, "trusted", same_words=True, second="valid")
    words = Flip("image/png", "manifest", 5, "untrusted", same_words=False, second="valid")
    content = Flip("image/png", "last bytes", 5, "trusted", same_words=True, second="valid")

    assert [falsely_whole(flip) for flip in (seen, padding, words, content)] == [False, False, True, True]
