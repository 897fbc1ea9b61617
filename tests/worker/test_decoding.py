"""Decoding ahead: in order, within a budget, without ever waiting for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from evidence.errors import DamagedMedia, UnreadableMedia
from evidence.medium import Frame
from tests.doubles import MediumOf
from tests.tiny_detector import picture
from worker import decoding
from worker.decoding import DecodeAhead, Fetched

PIXELS = picture(64, 64, lean=0)


def still(path: str) -> MediumOf:
    return MediumOf([PIXELS], name=path)


@pytest.fixture
def closing() -> Iterator[list[DecodeAhead]]:
    made: list[DecodeAhead] = []
    yield made
    for ahead in made:
        ahead.close()
        ahead._threads.shutdown(wait=True)  # a thread that never ends would hang here


def all_of(ahead: DecodeAhead) -> list[Fetched]:
    taken = []
    while (medium := ahead.take(wait=True)) is not None:
        taken.append(medium)
    return taken


def test_media_come_in_order_with_their_frames(closing: list[DecodeAhead]) -> None:
    names = [str(number) for number in range(100)]
    ahead = DecodeAhead(names, still, threads=3)
    closing.append(ahead)

    seen = []
    while (medium := ahead.take(wait=True)) is not None:
        seen.append((medium.info.path, [frame.index for frame in medium.frames()]))
        ahead.release(medium)

    assert seen == [(name, [0]) for name in names]


def test_one_that_cannot_be_opened_keeps_its_place(closing: list[DecodeAhead]) -> None:
    def opens(path: str) -> MediumOf:
        if path == "b":
            raise UnreadableMedia("gone")
        return still(path)

    ahead = DecodeAhead(["a", "b", "c"], opens)
    closing.append(ahead)

    assert [str(medium.error or "") for medium in all_of(ahead)] == ["", "gone", ""]


def test_an_error_among_the_frames_reaches_who_takes_them(closing: list[DecodeAhead]) -> None:
    torn = MediumOf([PIXELS], kind="video", error=DamagedMedia("torn"))
    ahead = DecodeAhead(["a"], lambda path: torn)
    closing.append(ahead)
    (medium,) = all_of(ahead)
    frames = medium.frames()

    assert isinstance(next(frames), Frame)
    with pytest.raises(DamagedMedia, match="torn"):
        next(frames)
    assert torn.closed


def test_who_does_not_want_to_wait_is_told_so(closing: list[DecodeAhead]) -> None:
    go = threading.Event()

    def slow(path: str) -> MediumOf:
        go.wait()
        return still(path)

    ahead = DecodeAhead(["a"], slow)
    closing.append(ahead)

    assert ahead.take(wait=False) is None
    go.set()
    assert ahead.take(wait=True) is not None
    assert ahead.take(wait=True) is None


def test_what_waits_for_a_thread_at_the_end_is_let_go_unopened(closing: list[DecodeAhead]) -> None:
    go, opened = threading.Event(), []

    def slow(path: str) -> MediumOf:
        opened.append(path)
        go.wait()
        return still(path)

    ahead = DecodeAhead(["a", "b", "c", "d"], slow, threads=2)
    closing.append(ahead)
    waiting = list(ahead._coming)
    while len(opened) < 2:
        go.wait(0.01)

    ahead.close()
    go.set()

    assert all(medium.admitted.wait(60) for medium in waiting)  # who comes after them waits for that
    assert sorted(opened) == ["a", "b"]


def test_pixels_ahead_stay_within_the_budget(
    closing: list[DecodeAhead], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "PIXEL_BUDGET", 2 * PIXELS.nbytes)
    opened = []
    ahead = DecodeAhead(
        [str(n) for n in range(10)], lambda path: opened.append(path) or still(path), threads=2
    )
    closing.append(ahead)
    first, second = ahead.take(wait=True), ahead.take(wait=True)

    # Two are held and nothing was given back: at most the two threads have opened one more each.
    assert first is not None
    assert second is not None
    assert ahead.take(wait=False) is None
    assert len(opened) <= 4
    ahead.release(first)
    assert ahead.take(wait=True) is not None


def test_one_medium_larger_than_the_budget_still_passes(
    closing: list[DecodeAhead], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "PIXEL_BUDGET", 1)
    ahead = DecodeAhead(["a", "b"], still)
    closing.append(ahead)

    for _ in range(2):
        medium = ahead.take(wait=True)
        assert medium is not None
        assert len(list(medium.frames())) == 1
        ahead.release(medium)


def test_closing_in_the_middle_of_long_videos_ends_every_thread() -> None:
    ahead = DecodeAhead(
        [str(n) for n in range(6)], lambda path: MediumOf([PIXELS] * 50, kind="video"), threads=2
    )
    medium = ahead.take(wait=True)
    assert medium is not None
    next(medium.frames())

    ahead.close()
    ahead._threads.shutdown(wait=True)

    assert not [t for t in threading.enumerate() if t.name.startswith("decode")]
