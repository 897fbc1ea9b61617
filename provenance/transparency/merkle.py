"""Merkle trees as RFC 9162 (Certificate Transparency, version 2) defines them, and the checking of proofs.

Section 2.1 of the RFC: a leaf is hashed behind a byte 0, a node behind a byte 1, so that neither can pass for
the other. Both checks recompute roots from what a proof holds, and believe nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
EMPTY = hashlib.sha256(b"").digest()  # the root of a tree without leaves


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry: a leaf of the tree."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees that lie side by side."""
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """Where a tree of `size` > 1 leaves divides: the largest power of two below its size."""
    return 1 << ((size - 1).bit_length() - 1)


def includes(leaf: bytes, index: int, path: Sequence[bytes], size: int, root: bytes) -> bool:
    """Whether `path` proves that leaf `index` of the tree of this size and root is `leaf` (2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(path):
        return False
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def extends(first: int, second: int, path: Sequence[bytes], old: bytes, new: bytes) -> bool:
    """Whether `path` proves that the tree of size `second` begins with the tree of size `first` (2.1.4.2).

    Every tree begins with the empty one, and with itself: then `path` is empty.
    """
    if not 0 <= first <= second or not _are_hashes(path):
        return False
    if first == second:
        return not path and old == new
    if first == 0:
        return not path and old == EMPTY
    nodes = list(path)
    if first & (first - 1) == 0:  # a whole subtree: its root is known, so the proof leaves it out
        nodes.insert(0, old)
    if not nodes:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    before = after = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            before, after = node_hash(node, before), node_hash(node, after)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            after = node_hash(after, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and before == old and after == new


def _are_hashes(path: Sequence[bytes]) -> bool:
    return all(len(node) == HASH_BYTES for node in path)
