"""The programs that a tool's own field may name: generators, and editors with what they do."""

from __future__ import annotations

import re
from typing import Literal


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", re.IGNORECASE)


# Name and how it is written where a tool writes its name; the more special before the more general.
GENERATORS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, _word(pattern))
    for name, pattern in (
        ("Touchstone", r"Touchstone ([a-z0-9-]+ )?\d"),
        ("Midjourney", r"Midjourney"),
        ("DALL·E", r"DALL[·\- ]?E"),
        ("Sora", r"Sora(?= |$|\d)(?!.*Sora Sans)"),
        ("ChatGPT", r"ChatGPT|GPT-4o|GPT-Image(-\d)?"),
        ("OpenAI", r"OpenAI( API)?"),
        ("Adobe Firefly", r"(Adobe )?Firefly"),
        ("Stable Diffusion web UI", r"AUTOMATIC1111|stable-diffusion-webui|SD\.?Next|SD WebUI"),
        ("ComfyUI", r"ComfyUI"),
        ("InvokeAI", r"Invoke ?AI"),
        ("NovelAI", r"NovelAI"),
        ("Fooocus", r"Fooocus"),
        ("SwarmUI", r"SwarmUI|StableSwarmUI"),
        ("Draw Things", r"Draw Things"),
        ("DiffusionBee", r"DiffusionBee"),
        ("Easy Diffusion", r"Easy Diffusion"),
        ("Stable Diffusion", r"Stable ?Diffusion( XL)?|SDXL|Stability AI|DreamStudio"),
        ("FLUX", r"FLUX\.?1|Black Forest Labs"),
        ("Imagen", r"Imagen \d|Google AI|Gemini|Nano Banana|Google Veo|Veo \d"),
        (
            "Bing Image Creator",
            r"Bing Image Creator|Image Creator (from|in) (Microsoft )?Designer|Microsoft Designer",
        ),
        ("Leonardo.Ai", r"Leonardo\.? ?Ai"),
        ("Ideogram", r"Ideogram(\.ai)?"),
        ("Recraft", r"Recraft( V\d)?"),
        ("Krea", r"Krea(\.ai)?"),
        ("Playground", r"Playground ?AI|Playground v\d"),
        ("NightCafe", r"NightCafe( Creator| Studio)?"),
        ("Artbreeder", r"Artbreeder"),
        ("Grok", r"Grok|xAI Aurora"),
        ("Meta AI", r"Meta AI|Imagined with AI"),
        ("Jimeng", r"Jimeng|Dreamina|即梦|Seedream|Seedance|Doubao|豆包"),
        ("Kling", r"Kling( ?AI)?|可灵"),
        ("Hailuo", r"Hailuo|MiniMax"),
        ("Wan", r"Wan ?2\.\d|Tongyi Wanxiang|通义万相"),
        ("Runway", r"Runway(ML)?"),
        ("Pika", r"Pika( Labs| \d)"),
        ("Luma", r"Luma (AI|Dream ?Machine)"),
        ("HeyGen", r"HeyGen"),
        ("Synthesia", r"Synthesia"),
        ("D-ID", r"D-ID"),
        ("This Person Does Not Exist", r"StyleGAN\d?"),
    )
)

Editing = Literal["edited", "composite"]
_EDITORS: tuple[tuple[str, str, Editing], ...] = (
    ("DeepFaceLab", r"DeepFaceLab|FaceFusion|Deep-Live-Cam|Roop|SimSwap", "composite"),
    ("FaceApp", r"FaceApp", "composite"),
    ("Remini", r"Remini", "composite"),
    ("Reface", r"Reface", "composite"),
    ("Facetune", r"Facetune\d?", "composite"),
    ("Lensa", r"Lensa", "composite"),
    ("Photoroom", r"Photoroom", "composite"),
    ("Topaz", r"Topaz (Photo|Gigapixel|Video|Sharpen|DeNoise)( AI)?", "composite"),
    ("Luminar", r"Luminar( Neo| AI)?", "edited"),
    ("Adobe Lightroom", r"(Adobe )?(Photoshop )?Lightroom", "edited"),
    ("Adobe Photoshop", r"(Adobe )?Photoshop", "edited"),
    ("Adobe Premiere", r"(Adobe )?Premiere", "edited"),
    ("Adobe After Effects", r"(Adobe )?After Effects", "edited"),
    ("Adobe Express", r"Adobe Express", "edited"),
    ("GIMP", r"GIMP", "edited"),
    ("Affinity", r"Affinity (Photo|Designer)?", "edited"),
    ("Capture One", r"Capture One", "edited"),
    ("darktable", r"darktable", "edited"),
    ("RawTherapee", r"RawTherapee", "edited"),
    ("Paint.NET", r"paint\.net", "edited"),
    ("Krita", r"Krita", "edited"),
    ("Pixelmator", r"Pixelmator( Pro)?", "edited"),
    ("Snapseed", r"Snapseed", "edited"),
    ("PicsArt", r"PicsArt", "edited"),
    ("Canva", r"Canva", "edited"),
    ("Figma", r"Figma", "edited"),
    ("Inkscape", r"Inkscape", "edited"),
    ("CorelDRAW", r"Corel(DRAW)?( PaintShop)?", "edited"),
    ("ImageMagick", r"(Image|Graphics)Magick", "edited"),
    ("IrfanView", r"IrfanView", "edited"),
    ("ACDSee", r"ACD ?See|ACD Systems", "edited"),
    ("Picasa", r"Picasa", "edited"),
    ("Paint Shop Pro", r"Paint ?Shop Pro", "edited"),
    ("VSCO", r"VSCO(cam)?", "edited"),
    ("Final Cut", r"Final Cut( Pro)?", "edited"),
    ("iMovie", r"iMovie", "edited"),
    ("DaVinci Resolve", r"DaVinci Resolve|Blackmagic Design", "edited"),
    ("CapCut", r"CapCut|剪映|JianYing", "edited"),
    ("HandBrake", r"HandBrake", "edited"),
    ("Blender", r"Blender", "edited"),
)
# Editors whose very purpose is a machine's touch count as composites.
EDITORS = tuple((name, _word(pattern), says) for name, pattern, says in _EDITORS)
