"""Children decode what inline decoding decodes, and what kills them kills nothing else."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evidence import sandbox
from evidence.decode import DecodedMedium
from evidence.errors import (
    DamagedMedia,
    DecoderCrashed,
    DecodeTimeout,
    EmptyMedia,
    LimitExceeded,
    MediaError,
    UnreadableMedia,
    UnsupportedMedia,
)
from evidence.limits import DecodeLimits
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from evidence.video import write_video

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children need a system that forks")

# A pool with a small ring, so that its children fit into small memory limits.
SMALL = DecodeLimits(max_pixels=30_000_000)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(SMALL) as shared:
        yield shared


@pytest.fixture(scope="module")
def folder(photo: Pixels, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each kind the room decodes, and of each kind it refuses."""
    home = tmp_path_factory.mktemp("mixed")
    small = Image.fromarray(photo[:64, :80])
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Acme"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\x00\x00a\x00b"
    for suffix in ("jpg", "png", "webp", "avif", "heic", "tiff", "gif", "bmp"):
        small.save(home / f"a.{suffix}", exif=exif)
    small.convert("CMYK").save(home / "cmyk.jpg")
    small.save(home / "two.jpg", "MPO", save_all=True, append_images=[small])
    for suffix in ("gif", "webp", "png", "avif"):
        frames = [small.rotate(90 * turn) for turn in range(4)]
        frames[0].save(home / f"moving.{suffix}", save_all=True, append_images=frames[1:], duration=300)
    steps = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(12)]
    for name, codec in (
        ("v.mp4", "libx264"),
        ("v.webm", "libvpx-vp9"),
        ("v.avi", "mjpeg"),
        ("v.mov", "mpeg4"),
    ):
        write_video(home / name, steps, 10, codec)
    (home / "clip.mkv").write_bytes(clip.read_bytes())
    (home / "cut.jpg").write_bytes((home / "a.jpg").read_bytes()[:900])
    (home / "cut.mp4").write_bytes((home / "v.mp4").read_bytes()[:900])
    (home / "empty.png").touch()
    (home / "text.jpg").write_text("not a picture")
    (home / "random.png").write_bytes(b"\x89PNG\r\n\x1a\n" + np.random.default_rng(0).bytes(500))
    (home / "link").symlink_to(home / "nowhere")
    (home / "folder").mkdir()
    return home


def _all(medium: DecodedMedium | MediaError) -> object:
    """Everything that can be known of a medium, comparable."""
    if isinstance(medium, MediaError):
        return type(medium), medium.message, medium.advice
    frames = [
        (frame.index, frame.time_seconds, frame.keyframe, frame.pixels.shape, frame.pixels.tobytes())
        for frame in medium.frames()
    ]
    return medium.info, frames, medium.coverage


def test_children_give_what_inline_decoding_gives_to_the_last_byte(pool: DecoderPool, folder: Path) -> None:
    paths = sorted(folder.iterdir())
    sampling = Sampling("every", 0.3)

    with DecoderPool(SMALL, inline=True) as inline:
        expected = [(path, _all(medium)) for path, medium in inline.stream(paths, sampling)]
    found = [(path, _all(medium)) for path, medium in pool.stream(paths, sampling)]

    assert [path for path, _ in found] == [str(path) for path in paths]
    for (path, ours), (_, theirs) in zip(found, expected, strict=True):
        assert ours == theirs, path
    kinds = {result[0] for _, result in found if isinstance(result, tuple) and isinstance(result[0], type)}
    assert kinds == {DamagedMedia, EmptyMedia, UnsupportedMedia, UnreadableMedia}


def test_the_level_names_what_holds(pool: DecoderPool) -> None:
    assert pool.level in ("seccomp+rlimits", "rlimits")
    with DecoderPool(inline=True) as inline:
        assert inline.level == "none"


def test_a_dying_child_costs_its_file_and_no_other(pool: DecoderPool, folder: Path, clip: Path) -> None:
    medium = pool.open(clip, Sampling("all"))
    frames = medium.frames()
    next(frames)
    (child,) = pool._busy
    os.kill(child.pid, signal.SIGSEGV)

    with pytest.raises(DecoderCrashed, match="SIGSEGV"):
        list(frames)
    assert pool.open(folder / "a.png").info.mime == "image/png"


def test_a_child_that_answers_nonsense_is_a_crash(pool: DecoderPool, folder: Path, clip: Path) -> None:
    class Liar:
        """A channel whose child claims a frame outside the shared memory."""

        def __init__(self, inner: object) -> None:
            self.inner = inner

        def receive(self, seconds: float) -> dict[str, object]:
            return {"frame": [2**40, 64, 64, 0, 0.0, True], "seen": [1, 1, 0]}

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    medium = pool.open(clip, Sampling("all"))
    (child,) = pool._busy
    child.channel = Liar(child.channel)  # type: ignore[assignment]

    with pytest.raises(DecoderCrashed, match="outside the shared memory"):
        next(medium.frames())
    assert pool.open(folder / "a.png").info.mime == "image/png"


def test_memory_beyond_the_limit_is_too_large_not_a_crash(tmp_path: Path) -> None:
    # 25 megapixels take 100 MB in Pillow and 75 MB as an array; the child has about 150 MB.
    Image.new("RGB", (5000, 5000)).save(tmp_path / "large.png", compress_level=1)
    limits = DecodeLimits(max_pixels=30_000_000, child_memory_bytes=530 << 20)

    with DecoderPool(limits, workers=1) as pool, pytest.raises(LimitExceeded, match="memory"):
        pool.open(tmp_path / "large.png")


def test_a_huge_frame_gives_its_shared_pages_back(tmp_path: Path) -> None:
    # 75 MB of pixels with a known last row.
    picture = np.zeros((5000, 5000, 3), np.uint8)
    picture[-1] = np.arange(5000)[:, None] % 251
    Image.fromarray(picture).save(tmp_path / "huge.png", compress_level=1)

    with DecoderPool(SMALL, workers=1) as pool:
        (frame,) = pool.open(tmp_path / "huge.png").frames()
        (child,) = pool._idle
        shared = np.frombuffer(child._memory, np.uint8, count=frame.pixels.nbytes)
        assert np.array_equal(frame.pixels, picture)
        # Pages given back read as zero; the last row's were not zero.
        assert not shared[-15_000:-4096].any()
        del shared


def test_a_decode_that_takes_too_long_is_a_timeout(tmp_path: Path, folder: Path) -> None:
    Image.new("RGB", (5000, 5000)).save(tmp_path / "slow.png", compress_level=1)
    limits = DecodeLimits(max_pixels=30_000_000, decode_seconds=0.02)

    with (
        DecoderPool(limits, workers=1) as pool,
        pytest.raises(DecodeTimeout, match=r"no progress for 0\.02 s"),
    ):
        pool.open(tmp_path / "slow.png")


def test_a_medium_closed_early_gives_its_child_back(pool: DecoderPool, clip: Path) -> None:
    with pool.open(clip, Sampling("all")) as medium:
        next(medium.frames())
        (child,) = pool._busy

    assert not pool._busy
    assert child in pool._idle
    assert len(list(pool.open(clip, Sampling("all")).frames())) == 50


def test_a_file_that_vanishes_is_unreadable_and_the_rest_goes_on(pool: DecoderPool, tmp_path: Path) -> None:
    for name in "abcdef":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    paths = sorted(tmp_path.iterdir())
    seen = []

    for path, medium in pool.stream(paths):
        seen.append((Path(path).name, medium.code if isinstance(medium, MediaError) else "ok"))
        if path.endswith("a.png"):
            (tmp_path / "e.png").unlink()

    assert seen == [(f"{name}.png", "unreadable" if name == "e" else "ok") for name in "abcdef"]


def test_worn_out_children_are_replaced(photo_png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "FILES_PER_CHILD", 2)
    pids = []

    with DecoderPool(SMALL, workers=1) as pool:
        for _ in range(5):
            pool.open(photo_png)
            pids.append([child.pid for child in pool._idle])

    # A child is let go after its second file.
    assert [len(alive) for alive in pids] == [1, 0, 1, 0, 1]
    assert len({alive[0] for alive in pids if alive}) == 3


def test_threads_may_open_media_at_once(pool: DecoderPool, folder: Path) -> None:
    with DecoderPool(SMALL, inline=True) as inline:
        expected = _all(inline.open(folder / "clip.mkv", Sampling("all")))
    found: list[object] = []

    def read() -> None:
        found.append(_all(pool.open(folder / "clip.mkv", Sampling("all"))))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [expected] * 4


def test_a_slow_reader_gets_every_frame(pool: DecoderPool, tmp_path: Path) -> None:
    # 40 frames of 1 MB: a child that ran ahead without bound would fill the shared memory.
    steps = [np.full((576, 608, 3), 6 * number, np.uint8) for number in range(40)]
    write_video(tmp_path / "v.mp4", steps, 10, crf=30)
    medium = pool.open(tmp_path / "v.mp4", Sampling("all"))

    brightness = []
    for frame in medium.frames():
        # What the child counts as decoded is at most what may lie ahead, and the one it waits with.
        assert medium.coverage.decoded <= len(brightness) + 1
        brightness.append(round(float(frame.pixels.mean()) / 6))

    assert brightness == list(range(40))


def test_nothing_is_left_when_the_pool_closes(folder: Path) -> None:
    descriptors = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()

    with DecoderPool(SMALL) as pool:
        unread = pool.open(folder / "clip.mkv", Sampling("all"))
        next(unread.frames())
        pids = [child.pid for child in pool._busy]

    with pytest.raises(DecoderCrashed):
        list(unread.frames())
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    if descriptors:
        assert set(os.listdir("/proc/self/fd")) == descriptors
    with pytest.raises(RuntimeError, match="not open"):
        pool.open(folder / "a.png")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
def test_children_end_with_a_parent_that_is_killed(folder: Path) -> None:
    program = (
        "import sys; from evidence.sandbox import DecoderPool; from evidence.medium import Sampling\n"
        "pool = DecoderPool().__enter__(); medium = pool.open(sys.argv[1], Sampling('all'))\n"
        "print(*(child.pid for child in pool._busy), pool._zygote._process.pid, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "clip.mkv")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()

    deadline = time.monotonic() + 30
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in pids)


def test_errors_arrive_whole_with_their_advice(pool: DecoderPool, folder: Path) -> None:
    with pytest.raises(DamagedMedia) as damage:
        pool.open(folder / "cut.jpg")

    assert damage.value.message.endswith(".")
    assert damage.value.advice


def test_a_picture_of_900_megapixels_costs_nothing(pool: DecoderPool, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "PNG")
    head = bytearray(file.getvalue())
    # Width and height in the header; its checksum is Pillow's to check first.
    head[16:24] = (30_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(head)

    with pytest.raises(LimitExceeded, match=r"30,000 x 30,000"):
        pool.open(tmp_path / "bomb.png")


def _lives(pid: int) -> bool:
    """True for a process that runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
