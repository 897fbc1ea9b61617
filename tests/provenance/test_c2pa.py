"""Content Credentials are read for what they are: five states, the tree below them, and nothing else."""

from __future__ import annotations

import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import c2pa
import pytest

from benchmarks.signable import TYPES, make
from evidence.errors import SigningError
from provenance.authority import Identity
from provenance.c2pa import UNREADABLE, CredentialReader, Part, sign
from provenance.certificates import certificates_in
from provenance.credentials import Credentials, declared_source
from provenance.formats import EMBEDDING, media_type
from provenance.signing import Statement, manifest_definition
from provenance.trust import TrustList
from tests.credentials import CLAIM_SIGNING, Authority, codes, key_of, read, signed


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    return make("image/jpeg")


@pytest.mark.parametrize("mime", EMBEDDING)
def test_a_signed_file_of_every_format_verifies_and_one_changed_byte_of_its_content_shows(
    mime: str, authority: Authority
) -> None:
    key = key_of(authority.issue())
    plain = make(mime)
    assert media_type(io.BytesIO(plain)) == mime

    whole = signed(plain, mime, key)
    assert media_type(io.BytesIO(whole)) == mime
    found = read(whole, mime, authority.listed())

    assert found.state == "trusted"
    assert found.trust_list == "tests"
    assert declared_source(found) == "trainedAlgorithmicMedia"
    assert read(plain, mime, authority.listed()) == Credentials()
    # Bytes of the content, which no format moves apart when it makes room for a manifest.
    inside = len(plain) * 3 // 4
    place = whole.index(plain[inside - 12 : inside + 12]) + 12
    broken = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    assert read(broken, mime, authority.listed()).state == "invalid"


@pytest.mark.parametrize("mime", sorted({*TYPES} - {*EMBEDDING}))
def test_a_format_that_holds_no_manifest_has_one_beside_it(mime: str, authority: Authority) -> None:
    data = make(mime)
    manifest = sign(
        manifest_definition(Statement("generated"), Path("medium")),
        io.BytesIO(data),
        mime,
        key=key_of(authority.issue()),
        out=io.BytesIO(),
        embed=False,
    )
    reader = CredentialReader([authority.listed()])

    found = reader.read(io.BytesIO(data), mime, manifest)

    assert (found.state, found.place) == ("trusted", "sidecar")
    assert reader.read(io.BytesIO(data + b"\0"), mime, manifest).state == "invalid"
    assert reader.read(io.BytesIO(data), mime, b"no manifest").state == "invalid"
    assert reader.read(io.BytesIO(data), mime).state == "none"


def test_a_signer_nobody_lists_is_untrusted_and_the_lists_keep_their_names_apart(jpeg: bytes) -> None:
    authority = Authority()
    data = signed(jpeg, "image/jpeg", key_of(authority.issue()))
    stranger = Authority("Somebody else")

    assert read(data, "image/jpeg").state == "untrusted"
    assert read(data, "image/jpeg", stranger.listed()).state == "untrusted"
    assert read(data, "image/jpeg", authority.listed("user", "ours")).state == "trusted"
    interim = read(data, "image/jpeg", stranger.listed(), authority.listed("interim", "frozen"))
    assert (interim.state, interim.trust_list) == ("interim", "frozen")
    for _ in range(5):  # the library asks lists in another order each time
        lists = [authority.listed("interim", "old"), authority.listed("tsa", "stamps"), authority.listed()]
        both = read(data, "image/jpeg", *lists)
        assert (both.state, both.trust_list) == ("trusted", "tests")


def test_a_list_of_time_stampers_vouches_for_no_signer(jpeg: bytes, authority: Authority) -> None:
    data = signed(jpeg, "image/jpeg", key_of(authority.issue()))

    found = read(data, "image/jpeg", authority.listed("tsa"))

    assert (found.state, found.trust_list) == ("untrusted", "")


def test_a_signer_who_is_listed_without_an_authority_is_trusted(jpeg: bytes, authority: Authority) -> None:
    identity = authority.issue()
    own = certificates_in(identity.chain, of="the chain")[0]
    listed = TrustList("allowed", "interim", own.pem, "", "2026-01-01")

    found = read(signed(jpeg, "image/jpeg", key_of(identity)), "image/jpeg", listed)

    assert (found.state, found.trust_list) == ("interim", "allowed")


def test_the_usage_that_c2pa_made_for_itself_is_taken(jpeg: bytes, authority: Authority) -> None:
    data = signed(jpeg, "image/jpeg", key_of(authority.issue(usage=CLAIM_SIGNING)))

    assert read(data, "image/jpeg", authority.listed()).state == "trusted"


def test_a_certificate_on_our_list_of_revoked_ones_counts_no_more(jpeg: bytes, authority: Authority) -> None:
    identity = authority.issue()
    serial = certificates_in(identity.chain, of="the chain")[0].serial
    data = signed(jpeg, "image/jpeg", key_of(identity))

    found = read(data, "image/jpeg", authority.listed(), revoked_serials=frozenset({serial}))

    assert found.revoked
    assert not found.stands
    assert found.manifest is not None
    assert found.manifest.signer is not None
    assert found.manifest.signer.serial == serial


def test_an_edit_has_its_parent_below_it_with_a_state_of_its_own(jpeg: bytes, authority: Authority) -> None:
    key = key_of(authority.issue())
    parent = signed(jpeg, "image/jpeg", key, Statement("generated"))
    said = Statement("edited", source_type="humanEdits", description="crop")

    child = read(signed(parent, "image/jpeg", key, said), "image/jpeg", authority.listed())

    assert child.state == "trusted"
    assert child.manifest is not None
    assert [action.name for action in child.manifest.actions] == ["c2pa.opened", "c2pa.edited"]
    (ingredient,) = child.manifest.ingredients
    assert (ingredient.relationship, ingredient.state) == ("parentOf", "trusted")
    assert ingredient.manifest is not None
    assert ingredient.manifest.actions[0].source_type.endswith("/trainedAlgorithmicMedia")
    # A crop by hand does not make a generated picture a photograph.
    assert declared_source(child) == "trainedAlgorithmicMedia"
    assert Credentials.from_dict(child.to_dict() | {}) == child


def test_what_was_broken_before_it_was_signed_again_stays_visible(jpeg: bytes, authority: Authority) -> None:
    key = key_of(authority.issue())
    parent = bytearray(signed(jpeg, "image/jpeg", key))
    parent[-100] ^= 1

    child = read(
        signed(bytes(parent), "image/jpeg", key, Statement("edited")), "image/jpeg", authority.listed()
    )

    assert child.state == "trusted"
    assert child.manifest is not None
    (ingredient,) = child.manifest.ingredients
    assert ingredient.state == "invalid"
    assert "assertion.dataHash.mismatch" in [problem.code for problem in ingredient.problems]


def test_a_part_that_a_machine_made_makes_the_whole_a_composite(jpeg: bytes, authority: Authority) -> None:
    part = Part(io.BytesIO(signed(jpeg, "image/jpeg")), "image/jpeg", "the face", relationship="componentOf")
    said = Statement("generated", source_type="composite")

    whole = read(signed(make("image/png"), "image/png", None, said, parts=(part,)), "image/png")

    assert whole.state == "untrusted"
    assert declared_source(whole) == "compositeWithTrainedAlgorithmicMedia"


def test_remains_of_a_manifest_are_a_finding_and_a_file_without_one_has_none(jpeg: bytes) -> None:
    whole = bytearray(signed(jpeg, "image/jpeg"))
    place = whole.index(b"jumdc2pa") + 4  # the outermost box no longer says that it is a manifest store
    whole[place : place + 4] = b"nope"

    assert codes(read(bytes(whole), "image/jpeg")) == [UNREADABLE]
    assert read(b"\xff\xd8\xff\xe0 no picture at all", "image/jpeg") == Credentials()
    assert read(b"", "image/jpeg") == Credentials()
    whole[0] = 0  # no JPEG any more, nor anything else
    assert codes(read(bytes(whole), media_type(io.BytesIO(whole)))) == [UNREADABLE]
    assert read(jpeg, "application/x-unheard-of") == Credentials()


def test_an_assertion_of_megabytes_is_verified_and_not_shown(jpeg: bytes) -> None:
    definition = manifest_definition(Statement("generated"), Path("picture"))
    definition["assertions"].append({"label": "org.example.huge", "data": {"words": "x" * 900_000}})

    found = read(signed(jpeg, "image/jpeg", definition=definition), "image/jpeg")

    assert found.state == "untrusted"
    assert len(str(found.to_dict())) < 5_000


@pytest.fixture
def visited() -> Iterator[tuple[str, list[str]]]:
    """A server that hands out nothing, and who came."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def test_an_address_in_a_file_is_named_and_never_visited(
    jpeg: bytes, visited: tuple[str, list[str]], authority: Authority
) -> None:
    address, seen = visited
    identity = authority.issue()
    with c2pa.Builder('{"title": "x"}', c2pa.Context.from_dict({"version": 1})) as builder:
        builder.set_no_embed()
        builder.set_remote_url(f"{address}/elsewhere.c2pa")
        out = io.BytesIO()
        info = c2pa.C2paSignerInfo("es256", identity.chain, identity.key, None)
        builder.set_intent(
            c2pa.C2paBuilderIntent.CREATE, c2pa.C2paDigitalSourceType.TRAINED_ALGORITHMIC_MEDIA
        )
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(jpeg), out)

    found = read(out.getvalue(), "image/jpeg", authority.listed())

    assert found.state == "none"
    assert found.remote == f"{address}/elsewhere.c2pa"
    assert seen == []


def test_a_signature_by_another_key_than_the_certificates_is_invalid(
    jpeg: bytes, authority: Authority
) -> None:
    mixed = key_of(Identity(authority.issue().chain, authority.issue().key))

    found = read(signed(jpeg, "image/jpeg", mixed), "image/jpeg", authority.listed())

    assert found.state == "invalid"
    assert "claimSignature.mismatch" in codes(found)


def test_a_file_that_is_none_cannot_be_signed(authority: Authority) -> None:
    with pytest.raises(SigningError, match="cannot be signed"):
        signed(b"\x89PNG\r\n\x1a\n and nothing", "image/png", key_of(authority.issue()))
