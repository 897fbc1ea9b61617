"""The payload as a row of coded bits, and back from what is left of them.

64 bits and 16 of checksum (CRC-16/CCITT-FALSE) pass a convolutional code of constraint length 9 and rate 1/3
(generators 557, 663, 711 octal: Proakis, Digital Communications, table 8.2-2) and are read again with soft
decisions by Viterbi's algorithm.
"""

from __future__ import annotations

import binascii

import numpy as np
from numpy.typing import NDArray

PAYLOAD_BYTES = 8
GENERATORS = (0o557, 0o663, 0o711)
MEMORY = 8
STATES = 1 << MEMORY
STEPS = 8 * (PAYLOAD_BYTES + 2) + MEMORY
CODED_BITS = STEPS * len(GENERATORS)


def encode(payload: bytes) -> NDArray[np.int8]:
    """-1 or 1 for each coded bit of `payload`, which has `PAYLOAD_BYTES`."""
    checked = payload + binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big")
    bits = [*np.unpackbits(np.frombuffer(checked, np.uint8)).tolist(), *[0] * MEMORY]
    state, coded = 0, []
    for bit in bits:
        register = bit << MEMORY | state
        coded += [1 - 2 * ((register & generator).bit_count() & 1) for generator in GENERATORS]
        state = register >> 1
    return np.array(coded, np.int8)


def decode(soft: NDArray[np.float64]) -> bytes | None:
    """The payload whose coded bits agree best with `soft` (positive for 1), or None if its checksum fails."""
    sent, origin = _trellis()
    gains = np.full(STATES, -np.inf)
    gains[0] = 0.0
    came: list[NDArray[np.bool_]] = []
    for step in soft.reshape(STEPS, len(GENERATORS)):
        ways = gains[origin] + sent @ step  # (STATES, 2)
        second = ways[:, 1] > ways[:, 0]
        came.append(second)
        gains = np.where(second, ways[:, 1], ways[:, 0])
    state, bits = 0, []
    for second in reversed(came):
        bits.append(state >> (MEMORY - 1))
        state = int(origin[state, int(second[state])])
    content = np.packbits(bits[::-1][:-MEMORY]).tobytes()
    payload, checksum = content[:PAYLOAD_BYTES], content[PAYLOAD_BYTES:]
    return payload if binascii.crc_hqx(payload, 0xFFFF) == int.from_bytes(checksum, "big") else None


def _trellis() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each state the two it can be reached from, and the coded bits on the way: (STATES, 2, 3)."""
    state = np.arange(STATES)
    bit = state >> (MEMORY - 1)
    origin = np.stack([(state << 1 & STATES - 1) | last for last in (0, 1)], axis=1)
    register = bit[:, None] << MEMORY | origin
    parity = [np.bitwise_count(register & generator) & 1 for generator in GENERATORS]
    return 1.0 - 2.0 * np.stack(parity, axis=-1), origin
