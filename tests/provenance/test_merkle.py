"""Merkle trees against the vectors of Certificate Transparency, and against the RFC's own definitions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evidence.errors import UsageError
from provenance.transparency.errors import LogError
from provenance.transparency.merkle import EMPTY, extends, includes, leaf_hash, node_hash, split
from provenance.transparency.tiles import Tree, grow, tile_path, widths

# The reference tree of Google's certificate-transparency, cpp/merkletree/merkle_tree_test.cc.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
# (leaf, counted from 1; size; path)
PATHS = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
# (older size, newer size, path)
PROOFS = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


class Shelf:
    """Tiles in memory."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def append(self, *entries: bytes) -> None:
        self.tiles |= grow(self.read, self.size, [leaf_hash(entry) for entry in entries])
        self.size += len(entries)

    def read(self, level: int, number: int, _: int) -> bytes:
        return self.tiles.get((level, number), b"")

    def tree(self, size: int | None = None) -> Tree:
        return Tree(self.read, self.size if size is None else size)


def shelf_of(entries: Sequence[bytes]) -> Shelf:
    shelf = Shelf()
    shelf.append(*entries)
    return shelf


def root_by_definition(entries: Sequence[bytes]) -> bytes:
    """Section 2.1.1, word by word."""
    if len(entries) < 2:
        return leaf_hash(entries[0]) if entries else EMPTY
    middle = split(len(entries))
    return node_hash(root_by_definition(entries[:middle]), root_by_definition(entries[middle:]))


def test_the_roots_of_the_reference_tree() -> None:
    grown = Shelf()
    assert grown.tree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, (entry, root) in enumerate(zip(INPUTS, ROOTS, strict=True), 1):
        grown.append(entry)
        assert grown.tree().root() == shelf_of(INPUTS[:size]).tree().root() == root
        assert [grown.tree(before).root() for before in range(1, size)] == ROOTS[: size - 1]


@pytest.mark.parametrize(("leaf", "size", "path"), PATHS)
def test_the_inclusion_proofs_of_the_reference_tree(leaf: int, size: int, path: list[str]) -> None:
    found = shelf_of(INPUTS).tree(size).inclusion(leaf - 1)

    assert [node.hex() for node in found] == path
    assert includes(leaf_hash(INPUTS[leaf - 1]), leaf - 1, found, size, ROOTS[size - 1])


@pytest.mark.parametrize(("first", "second", "path"), PROOFS)
def test_the_consistency_proofs_of_the_reference_tree(first: int, second: int, path: list[str]) -> None:
    found = shelf_of(INPUTS).tree(second).consistency(first)

    assert [node.hex() for node in found] == path
    assert extends(first, second, found, ROOTS[first - 1], ROOTS[second - 1])


@pytest.mark.parametrize(("leaf", "size", "path"), PATHS)
def test_an_inclusion_proof_that_was_tampered_with_shows_nothing(
    leaf: int, size: int, path: list[str]
) -> None:
    index, nodes, root = leaf - 1, [bytes.fromhex(node) for node in path], ROOTS[size - 1]
    hashed = leaf_hash(INPUTS[index])
    assert includes(hashed, index, nodes, size, root)

    wrong = [(index + step, size) for step in (-1, 1)] + [
        (index ^ 2, size),
        (index, size * 2),
        (index, size // 2),
    ]
    for at, of in wrong:
        assert not includes(hashed, at, nodes, of, root)
    assert not includes(leaf_hash(b"WrongLeaf"), index, nodes, size, root)
    assert not includes(hashed, index, nodes, size, EMPTY)
    for place in range(len(nodes)):
        assert not includes(hashed, index, [*nodes[:place], EMPTY, *nodes[place + 1 :]], size, root)
    for bad in ([*nodes, b""], [*nodes, root], [b"", *nodes], [root, *nodes]):
        assert not includes(hashed, index, bad, size, root)
    if nodes:
        assert not includes(hashed, index, nodes[:-1], size, root)


@pytest.mark.parametrize(("first", "second", "path"), PROOFS[1:])
def test_a_consistency_proof_that_was_tampered_with_shows_nothing(
    first: int, second: int, path: list[str]
) -> None:
    nodes, old, new = [bytes.fromhex(node) for node in path], ROOTS[first - 1], ROOTS[second - 1]
    for before, after in ((first - 1, second), (first + 1, second), (first ^ 2, second),
                          (first, second * 2), (first, second // 2)):  # fmt: skip
        assert not extends(before, after, nodes, old, new)
    assert not extends(first, second, nodes, old, b"WrongRoot")
    assert not extends(first, second, nodes, b"WrongRoot", new)
    assert not extends(first, second, nodes, new, old)
    assert not extends(first, second, [], old, new)
    for place in range(len(nodes)):
        assert not extends(first, second, [*nodes[:place], EMPTY, *nodes[place + 1 :]], old, new)
    for bad in ([*nodes, b""], [*nodes, nodes[-1]], nodes[:-1], [b"", *nodes], [nodes[0], *nodes]):
        assert not extends(first, second, bad, old, new)


def test_every_tree_continues_the_empty_one_and_itself_and_none_a_longer_one() -> None:
    assert extends(0, 0, [], EMPTY, EMPTY)
    assert extends(0, 8, [], EMPTY, ROOTS[7])
    assert extends(8, 8, [], ROOTS[7], ROOTS[7])
    assert not extends(8, 8, [], ROOTS[6], ROOTS[7])
    assert not extends(8, 8, [EMPTY], ROOTS[7], ROOTS[7])
    assert not extends(0, 8, [EMPTY], EMPTY, ROOTS[7])
    assert not extends(0, 8, [], ROOTS[0], ROOTS[7])
    assert not extends(2, 1, [], ROOTS[1], ROOTS[0])


def test_every_proof_of_every_small_tree_holds_and_the_roots_are_the_definition_s() -> None:
    entries = [bytes([number]) for number in range(70)]
    shelf = shelf_of(entries)
    roots = [root_by_definition(entries[:size]) for size in range(len(entries) + 1)]
    for size in range(1, len(entries) + 1):
        tree = shelf.tree(size)
        assert tree.root() == roots[size]
        for index in range(size):
            path = tree.inclusion(index)
            assert includes(leaf_hash(entries[index]), index, path, size, roots[size])
        for first in range(size + 1):
            assert extends(first, size, tree.consistency(first), roots[first], roots[size])


def test_proofs_hold_across_tiles_however_the_tree_was_grown() -> None:
    entries = [number.to_bytes(3, "big") for number in range(66_000)]  # over 256 * 256: three levels of tiles
    shelf = Shelf()
    for first, end in ((0, 1), (1, 255), (255, 257), (257, 1_000), (1_000, 65_536), (65_536, 66_000)):
        shelf.append(*entries[first:end])
    assert shelf.tiles == shelf_of(entries).tiles
    assert widths(66_000) == [(0, 66_000), (1, 257), (2, 1)]
    root = root_by_definition(entries)
    assert shelf.tree().root() == root
    for index in (0, 255, 256, 65_535, 65_536, 65_999):
        path = shelf.tree().inclusion(index)
        assert includes(leaf_hash(entries[index]), index, path, len(entries), root)
    for first in (1, 255, 256, 257, 65_535, 65_536, 65_537, 65_999):
        path = shelf.tree().consistency(first)
        assert extends(first, len(entries), path, root_by_definition(entries[:first]), root)


def test_what_is_not_in_the_tree_has_no_proof_and_a_tile_that_is_gone_is_named() -> None:
    shelf = shelf_of([bytes([number % 256]) for number in range(600)])
    with pytest.raises(UsageError, match="There is no entry 600"):
        shelf.tree().inclusion(600)
    with pytest.raises(UsageError, match="never had 601"):
        shelf.tree().consistency(601)
    shelf.tiles[0, 2] = shelf.tiles[0, 2][:-1]
    with pytest.raises(LogError, match="Tile 0/2"):
        shelf.tree().root()


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        ("entries", 5, 256, "tile/entries/005"),
        (1, 0, 17, "tile/1/000.p/17"),
        (0, 1000, 256, "tile/0/x001/000"),
    ],
)
def test_a_tile_lies_where_the_layout_says(level: int | str, number: int, width: int, path: str) -> None:
    assert tile_path(level, number, width) == path
