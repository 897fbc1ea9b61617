"""Files of strangers are signed in a child that has no key, and that gets no more than one signature."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from evidence.errors import SigningError
from evidence.sandbox import DecoderPool
from evidence.wire import Broken
from provenance.c2pa import CredentialReader, SigningKey
from provenance.signers import development_key
from provenance.signing import Statement, manifest_definition
from provenance.signing_apart import SIGNER, says, sign_apart

GENERATED = manifest_definition(Statement("generated", title="a.png"), Path("a.png"))


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return development_key(tmp_path / "authority")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", (32, 32), "red").save(path)
    return path


def test_a_locked_down_child_signs_and_what_it_wrote_says_what_was_asked_and_nothing_else(
    picture: Path, key: SigningKey
) -> None:
    with DecoderPool(workers=1, reader=SIGNER) as pool:
        assert pool.level != "none"
        signed = sign_apart(pool, picture, GENERATED, key, edit=False)
    found = CredentialReader().read(io.BytesIO(signed.content), signed.mime)
    assert (signed.embedded, found.state) == (True, "untrusted")
    assert says(found, GENERATED)
    for other in (
        Statement("generated", title="b.png"),
        Statement("generated", title="a.png", source_type="digitalCapture"),
        Statement("scanned", title="a.png"),
    ):
        assert not says(found, manifest_definition(other, picture))
    assert not says(replace(found, state="invalid"), GENERATED)


def test_a_child_that_was_taken_over_gets_no_second_signature(
    picture: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[Exception] = []

    def greedy(definition: object, *arguments: object, key: SigningKey, **options: object) -> bytes:
        assert callable(key.key)
        assert key.key(b"one")
        try:
            key.key(b"another")
        except Broken as error:
            refused.append(error)
        raise SigningError("Nothing more is to be had.")

    monkeypatch.setattr("provenance.signing_apart.sign", greedy)
    pool = DecoderPool(workers=1, reader=SIGNER, inline=True)
    with pytest.raises(SigningError, match="Nothing more"), pool:
        sign_apart(pool, picture, GENERATED, key, edit=False)
    assert len(refused) == 1


def test_a_key_that_does_not_sign_is_told_of_in_its_own_words(picture: Path, key: SigningKey) -> None:
    def broken(data: bytes) -> bytes:
        raise SigningError("The smart card is not in its slot.", "Put it in.")

    with DecoderPool(workers=1, reader=SIGNER) as pool:
        with pytest.raises(SigningError, match="smart card"):
            sign_apart(pool, picture, GENERATED, replace(key, key=broken), edit=False)
        assert sign_apart(pool, picture, GENERATED, key, edit=False).embedded
