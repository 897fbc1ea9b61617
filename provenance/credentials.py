"""What the Content Credentials of a file say, and how far that can be believed: frozen types, no library.

Five states, never a bare yes. `trusted` means that a listed signer vouches for what the manifest says and
that the file is as it was signed; it does not mean that the manifest says the truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["none", "invalid", "untrusted", "interim", "trusted"]
STATES: tuple[State, ...] = ("none", "invalid", "untrusted", "interim", "trusted")

# How a digital source type speaks of a machine, the gravest first; their last word of the IPTC address.
GENERATED = ("trainedAlgorithmicMedia", "algorithmicMedia")
COMPOSED = ("compositeWithTrainedAlgorithmicMedia", "compositeSynthetic", "algorithmicallyEnhanced")
CAPTURED = ("digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print")


@dataclass(frozen=True)
class Problem:
    """Why a manifest, or the file it belongs to, is not as it was signed: a code of the standard.

    `where` is the part of the manifest that found it so, such as the assertion "c2pa.hash.data".
    """

    code: str
    explanation: str = ""
    where: str = ""


@dataclass(frozen=True)
class Signer:
    """The certificate's owner as the certificate names them, its algorithm and serial number."""

    name: str
    organisation: str
    algorithm: str
    serial: str


@dataclass(frozen=True)
class Action:
    """Something that was done to the asset, as the signer tells it."""

    name: str
    source_type: str = ""
    agent: str = ""
    when: str = ""
    description: str = ""


@dataclass(frozen=True)
class Ingredient:
    """What the asset was made from, with the state of its own credentials when it was taken in."""

    title: str
    mime: str
    relationship: str
    state: State
    problems: tuple[Problem, ...] = ()
    manifest: Manifest | None = None


@dataclass(frozen=True)
class Manifest:
    """One signed statement about an asset. `left_out` says what was too deep or too much to show."""

    label: str
    title: str
    generator: str
    signer: Signer | None
    time: str
    actions: tuple[Action, ...]
    ingredients: tuple[Ingredient, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Credentials:
    """The Content Credentials of one file.

    `place` is "embedded" or "sidecar"; `trust_list` names the list that knows the signer; `time_stamp`
    is "trusted", "untrusted" or "" without one. `remote` is an address that the file gives for its
    manifest, which is never fetched.
    """

    state: State = "none"
    problems: tuple[Problem, ...] = ()
    revoked: bool = False
    time_stamp: Literal["", "untrusted", "trusted"] = ""
    trust_list: str = ""
    place: Literal["", "embedded", "sidecar"] = ""
    remote: str = ""
    manifest: Manifest | None = None

    @property
    def stands(self) -> bool:
        """Whether the file is as somebody signed it, whoever that is."""
        return self.state in ("untrusted", "interim", "trusted") and not self.revoked

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with what the manifest declares of its source; a file without any has no more."""
        if self == Credentials():
            return {"state": "none"}
        return {**asdict(self), "source_type": declared_source(self)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Credentials:
        """The credentials whose `to_dict` went through JSON; raises KeyError or TypeError for others."""
        if fields == {"state": "none"}:
            return cls()
        known = {name: value for name, value in fields.items() if name != "source_type"}
        known["problems"] = _problems(known["problems"])
        known["manifest"] = _manifest(known["manifest"])
        return cls(**known)


def declared_source(credentials: Credentials) -> str:
    """The gravest source type that the manifest or a parent declares, such as "trainedAlgorithmicMedia".

    An ingredient that is only a part counts as a composite. Empty when nothing is declared.
    """
    found = list(_sources(credentials.manifest, part=False)) if credentials.manifest else []
    for name in (*GENERATED, *COMPOSED):
        if name in found:
            return name
    return found[0] if found else ""


def _sources(manifest: Manifest, *, part: bool) -> Iterator[str]:
    for action in manifest.actions:
        if action.source_type:
            name = action.source_type.rstrip("/").rpartition("/")[2]
            yield COMPOSED[0] if part and name in GENERATED else name
    for ingredient in manifest.ingredients:
        if ingredient.manifest:
            yield from _sources(ingredient.manifest, part=part or ingredient.relationship != "parentOf")


def _problems(rows: list[dict[str, str]]) -> tuple[Problem, ...]:
    return tuple(Problem(**row) for row in rows)


def _manifest(fields: dict[str, Any] | None) -> Manifest | None:
    if fields is None:
        return None
    known = dict(fields)
    known["signer"] = known["signer"] and Signer(**known["signer"])
    known["actions"] = tuple(Action(**row) for row in known["actions"])
    known["ingredients"] = tuple(
        Ingredient(**{**row, "problems": _problems(row["problems"]), "manifest": _manifest(row["manifest"])})
        for row in known["ingredients"]
    )
    return Manifest(**known)
