"""Words by number, for systems that take captions: no torch here, so that a sampler has it too.

Number 0 ends a caption and fills what is left of it, 1 stands for words that are not known; the others come
by how often they are used. Case and punctuation are dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce

END, UNKNOWN = 0, 1

# How many pictures have to show a thing before its word becomes a class.
LEAST_PICTURES = 10

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SIDES = {"left": "right", "right": "left"}


def split(caption: str) -> list[str]:
    """The words of a caption, in lower case."""
    return _WORD.findall(caption.lower())


def vocabulary(captions: Iterable[str]) -> tuple[str, ...]:
    """Every word of `captions` and of their mirror images, the most frequent first, after "" and "?"."""
    counts = Counter(word for caption in captions for word in split(caption))
    for word in set(counts) & set(_SIDES):
        counts[_SIDES[word]] += 0
    return ("", "?", *sorted(counts, key=lambda word: (-counts[word], word)))


def tokenise(caption: str, words: Sequence[str], length: int) -> list[int]:
    """`length` numbers: the first words of the caption, then zeros."""
    numbers = {word: number for number, word in enumerate(words)}
    known = [numbers.get(word, UNKNOWN) for word in split(caption)[:length]]
    return known + [END] * (length - len(known))


def mirrored(caption: str) -> str:
    """The caption of the mirror image: left and right change places."""
    return " ".join(_SIDES.get(word, word) for word in split(caption))


def classes(pictures: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What pictures may be, a word each, from the captions of each picture.

    A picture is what all its captions say of it; a class is a word that is said so of some pictures and
    not of all.
    """
    shared = Counter(word for captions in pictures for word in _agreed(captions))
    return tuple(sorted(word for word, count in shared.items() if LEAST_PICTURES <= count < len(pictures)))


def _agreed(captions: Sequence[str]) -> set[str]:
    return reduce(set.intersection, (set(split(caption)) for caption in captions))
