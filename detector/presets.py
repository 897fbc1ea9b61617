"""Chains with a name: what platforms, messengers and people do to a picture on its way.

They stand in for kinds of delivery, not for one company's server of one year. "web" and "hard" are the two
that Sieve reports; the chains of two to five steps are after RealChain. Seeds are open until
`vocabulary.drawn` settles them.
"""

from __future__ import annotations

from detector.corrupt import Step

Chain = tuple[Step, ...]


def jpeg(quality: int, sampling: str = "4:2:0", encoder: str = "pillow", shift: int = 0) -> Step:
    """A step through JPEG, every setting said."""
    settings = {"quality": quality, "sampling": sampling, "encoder": encoder, "shift": shift}
    return Step("jpeg", settings)


def resize(factor: float, kernel: str, *, back: bool = False) -> Step:
    """A step of scaling, every setting said."""
    return Step("resize", {"factor": factor, "kernel": kernel, "back": back})


def _fit(side: int) -> Step:
    return Step("fit", {"side": side})


PRESETS: dict[str, Chain] = {
    "web": (_fit(768), jpeg(60)),
    "hard": (_fit(512), jpeg(40)),
    "messenger": (_fit(1280), jpeg(70, encoder="mozjpeg")),
    "messenger-twice": (_fit(1280), jpeg(70, encoder="mozjpeg"), _fit(960), jpeg(65)),
    "feed": (_fit(1080), Step("sharpen", {"amount": 0.3, "sigma": 1.0}), jpeg(76)),
    "feed-webp": (_fit(1080), Step("webp", {"quality": 70})),
    "meme": (Step("caption", {"share": 0.15}), jpeg(80), resize(0.75, "area"), jpeg(60)),
    "screenshot-shared": (Step("screenshot"), jpeg(75)),
    "story": (
        Step("border", {"share": 0.2, "sides": "top-bottom"}),
        Step("sticker", {"share": 0.05}),
        jpeg(72),
    ),
    "chain-2": (jpeg(85), resize(0.75, "area")),
    "chain-3": (resize(0.5, "bicubic"), Step("sharpen", {"amount": 0.6, "sigma": 1.0}), jpeg(75)),
    "chain-4": (
        jpeg(90),
        Step("crop", {"share": 0.8}),
        resize(1.3, "bilinear"),
        Step("webp", {"quality": 70}),
    ),
    "chain-5": (
        Step("screenshot"),
        resize(0.75, "lanczos"),
        jpeg(80, encoder="opencv"),
        Step("noise", {"sigma": 2.0}),
        jpeg(60, shift=3),
    ),
    "stream": (resize(0.5, "area"), Step("video", {"crf": 28, "codec": "h264"})),
    "stream-h265": (resize(0.5, "area"), Step("video", {"crf": 30, "codec": "h265"})),
    "stream-vp9": (resize(0.5, "area"), Step("video", {"crf": 35, "codec": "vp9"})),
    "stream-half-rate": (Step("frame_rate", {"factor": 0.5}), Step("video", {"crf": 28, "codec": "h264"})),
}
