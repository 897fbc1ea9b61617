"""Files that crash, hang or flood their decoder, among good ones; `benchmarks/poison.py` in small."""

from __future__ import annotations

from benchmarks.poison import Item, mixed, poison, run
from evidence.errors import DecoderCrashed, DecodeTimeout, LimitExceeded
from tests.worker_service import Shop


def test_poison_fails_alone_in_three_attempts_at_most_and_every_neighbour_gets_its_verdict(
    shop: Shop,
) -> None:
    good = [Item(f"{n}.png", shop.picture(6, name=f"{n}.png").read_bytes()) for n in range(30)]
    settings = shop.settings.model_copy(update={"decode_seconds": 8.0})

    fates = run(settings, mixed(good, poison(crashes=1, hangs=1, bombs=1)), workers=1)

    bad = {fate.item.name: (fate.status, fate.code) for fate in fates if not fate.item.good}
    assert bad == {
        "crash-0": ("unable", DecoderCrashed.code),
        "hang-0": ("unable", DecodeTimeout.code),
        "bomb-0": ("unable", LimitExceeded.code),
    }
    assert {(fate.status, fate.attempts) for fate in fates if fate.item.good} == {("ok", 1)}
    assert max(fate.attempts for fate in fates) == 3
