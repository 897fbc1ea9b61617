"""Which generators ship, and the run each comes from: the list that `benchmarks.release` works through.

Minutes are those of a slow CPU core; on a GPU the same rows take a longer `--budget-minutes`. Rows of the
reconstruction family come from `benchmarks.train_family`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shipped:
    """A model's name, the system and run folder it comes from, and which part of it this is."""

    name: str
    system: str
    run: str = ""
    part: str = ""
    version: str = "0.2.0"
    half: bool = False  # weights stored in half precision
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The run folder below --runs."""
        return self.run or self.name


RESIZE = {"up": "nearest", "total_images": "24000"}  # the other upsampler, half as long

SHIPPED = (
    Shipped("vanilla-mnist", "vanilla", version="0.2.1", half=True),
    Shipped("dcgan-faces", "dcgan"),
    Shipped("lsgan-faces", "lsgan", version="0.2.1"),
    Shipped("wgan-faces", "wgan"),
    Shipped("wgan-gp-faces", "wgan_gp"),
    Shipped("sngan-faces", "sngan"),
    Shipped("cgan-mnist", "cgan"),
    Shipped("acgan-mnist", "acgan"),
    Shipped("r3gan-faces", "r3gan"),
    Shipped("progressive-faces", "progressive", version="0.2.1"),
    Shipped("stylegan2-faces", "stylegan2"),
    Shipped("tac-gan-faces", "tac_gan"),
    Shipped("attngan-faces", "attngan"),
    Shipped("pix2pix-streets", "pix2pix"),
    Shipped("cyclegan-horse2zebra", "cyclegan", part="forward"),
    Shipped("cyclegan-zebra2horse", "cyclegan", run="cyclegan-horse2zebra", part="backward"),
    Shipped(
        "cyclegan-resize-zebra2horse",
        "cyclegan",
        run="cyclegan-resize",
        part="backward",
        half=True,
        overrides=RESIZE,
    ),
    Shipped("context-encoder-faces", "context_encoder", half=True),
    Shipped("inpainting-photos", "inpainting"),
    Shipped("outpainting-photos", "outpainting"),
    Shipped("dr-gan-faces", "dr_gan"),
    Shipped("tp-gan-faces", "tp_gan", version="0.2.1", half=True),
    Shipped("ganimation-faces", "ganimation"),
)
