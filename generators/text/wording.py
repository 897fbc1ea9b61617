"""The wording of the shared faces' captions, for who needs some at random that a model has learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generators.text.vocabulary import split

SMILES = ("smiling", "not smiling", "slightly smiling")
HEADS = ("facing the camera", "looking to the left", "looking to the right")
MOUTHS = ("closed", "open", "wide open")
MORE = ("", "", " and lowered eyebrows", " and raised eyebrows")  # half of the faces have neither


def face_caption(rng: np.random.Generator) -> str:
    """One of the sentences, each part of it as likely as the others."""
    smile, head, mouth, more = (str(rng.choice(parts)) for parts in (SMILES, HEADS, MOUTHS, MORE))
    return f"a photo of a person who is {smile}, {head}, with the mouth {mouth}{more}"


def knows_faces(words: Sequence[str]) -> bool:
    """Whether a model with these words has learned all of the wording."""
    needed = split(" ".join(("a photo of a person who is with the mouth", *SMILES, *HEADS, *MOUTHS, *MORE)))
    return set(needed) <= set(words)
