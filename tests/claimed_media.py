"""Files that name a generator in every place where one writes, made by code."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, PngImagePlugin

from benchmarks.signable import make

A1111 = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Version: v1.9"
FORGE = A1111.replace("Version: v1.9", "Version: f2.0.1v1.10")
COMFY_PROMPT = '{"3": {"inputs": {"seed": 5}, "class_type": "KSampler"}}'
COMFY_WORKFLOW = '{"last_node_id": 9, "nodes": [{"id": 1}]}'
MIDJOURNEY = "a cat --v 6 Job ID: 0a1b2c3d-1111-2222-3333-444455556666"
NOVEL = '{"prompt": "a cat", "steps": 28, "sampler": "k_euler", "uc": "dog", "request_type": "Generate"}'
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
AIGC = '{"Label":"1","ContentProducer":"001191","ProduceID":"x"}'


@dataclass(frozen=True)
class Case:
    """A file, and the claim that must be found in it."""

    name: str
    mime: str
    data: bytes
    field: str
    generator: str
    says: str = "generated"


def cases() -> Iterator[Case]:
    """A file for every listed place."""
    for key, text, generator in (
        ("parameters", A1111, "Stable Diffusion web UI"),
        ("parameters", FORGE, "Stable Diffusion web UI Forge"),
        ("parameters", '{"sui_image_params": {"model": "x"}}', "SwarmUI"),
        ("prompt", COMFY_PROMPT, "ComfyUI"),
        ("workflow", COMFY_WORKFLOW, "ComfyUI"),
        ("invokeai_metadata", '{"app_version": "5.0"}', "InvokeAI"),
        ("sd-metadata", '{"model": "stable diffusion"}', "InvokeAI"),
        ("Dream", '"a cat" -s 50 -W512 -H512 -C7.5 -Ak_lms -S 12345', "InvokeAI"),
        ("Software", "NovelAI", "NovelAI"),
        ("Source", "Stable Diffusion F1022D28", "NovelAI"),
        ("fooocus_scheme", "fooocus", "Fooocus"),
        ("use_stable_diffusion_model", "sd-v1-5", "Easy Diffusion"),
        ("Software", "Adobe Firefly", "Adobe Firefly"),
    ):
        for packed in (False, True):
            data = png_with(key, text, packed=packed)
            yield Case(f"{key} {generator} {packed}", "image/png", data, f"PNG {key}", generator)
    yield Case("novel", "image/png", png_with("Comment", NOVEL), "PNG Comment", "NovelAI")
    yield Case(
        "itxt",
        "image/png",
        png_with("Description", MIDJOURNEY, international=True),
        "PNG Description",
        "Midjourney",
    )
    yield Case("aigc", "image/png", png_with("AIGC", AIGC), "PNG AIGC", "")
    yield from _exif_cases()
    yield from _xmp_cases()
    yield from _iptc_cases()
    yield from _container_cases()
    comment = _saved("JPEG", comment=A1111.encode())
    yield Case("jpeg comment", "image/jpeg", comment, "comment", "Stable Diffusion web UI")
    yield Case(
        "gif comment",
        "image/gif",
        _saved("GIF", comment=b"Steps: 9, Sampler: x"),
        "comment",
        "Stable Diffusion web UI",
    )


def png_with(key: str, text: str, *, packed: bool = False, international: bool = False) -> bytes:
    """A PNG with one text."""
    info = PngImagePlugin.PngInfo()
    if international:
        info.add_itxt(key, text, zip=packed)
    else:
        info.add_text(key, text, zip=packed)
    return _saved("PNG", pnginfo=info)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _exif_cases() -> Iterator[Case]:
    rows = (
        (0x0131, "Software", "Stable Diffusion XL 1.0", "Stable Diffusion", "generated"),
        (0x0131, "Software", "FaceApp 5", "FaceApp", "composite"),
        (0x0131, "Software", "Adobe Photoshop 25.0", "Adobe Photoshop", "edited"),
        (0x010F, "Make", "Midjourney", "Midjourney", "generated"),
        (0x010E, "ImageDescription", MIDJOURNEY, "Midjourney", "generated"),
        (0x013B, "Artist", "DALL-E 3", "DALL·E", "generated"),
    )
    for tag, name, text, generator, says in rows:
        exif = Image.Exif()
        exif[tag] = text
        for kind, mime in _WITH_EXIF.items():
            yield Case(
                f"{mime} {name} {generator}", mime, _saved(kind, exif=exif), f"EXIF {name}", generator, says
            )
    for comment in (
        b"UNICODE\0" + A1111.encode("utf-16-be"),
        b"UNICODE\0" + A1111.encode("utf-16-le"),
        b"ASCII\0\0\0" + A1111.encode(),
    ):
        exif = Image.Exif()
        exif[0x8298] = "nobody"
        exif.get_ifd(0x8769)[0x9286] = comment
        for kind, mime in [row for row in _WITH_EXIF.items() if row[0] != "TIFF"]:  # Pillow writes none there
            yield Case(
                f"{mime} {comment[:12]!r}",
                mime,
                _saved(kind, exif=exif),
                "EXIF UserComment",
                "Stable Diffusion web UI",
            )


def _xmp_cases() -> Iterator[Case]:
    rows = (
        ("XMP DigitalSourceType", f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"', "", "", "generated"),
        (
            "XMP DigitalSourceType",
            "",
            f"<Iptc4xmpExt:DigitalSourceType>{COMPOSITE}</Iptc4xmpExt:DigitalSourceType>",
            "",
            "composite",
        ),
        ("XMP CreatorTool", 'xmp:CreatorTool="Midjourney"', "", "Midjourney", "generated"),
        ("XMP CreatorTool", "", "<xmp:CreatorTool>GIMP 2.10</xmp:CreatorTool>", "GIMP", "edited"),
        ("XMP Credit", 'photoshop:Credit="Made with Google AI"', "", "Google AI", "generated"),
        ("XMP AISystemUsed", 'Iptc4xmpExt:AISystemUsed="MyModel 3"', "", "", "generated"),
        (
            "XMP AIGC",
            f"TC260:AIGC='{AIGC}'".replace("'", '"').replace(AIGC, AIGC.replace('"', "&quot;")),
            "",
            "",
            "generated",
        ),
        (
            "XMP description",
            "",
            f'<dc:description><rdf:Alt><rdf:li xml:lang="x">{MIDJOURNEY}</rdf:li></rdf:Alt></dc:description>',
            "Midjourney",
            "generated",
        ),
    )
    for field, attributes, elements, generator, says in rows:
        packet = xmp(attributes, elements)
        for kind, mime in _WITH_XMP.items():
            yield Case(f"{mime} {field} {says}", mime, _saved(kind, xmp=packet), field, generator, says)
    packet = xmp('xmp:CreatorTool="Midjourney"', "")
    yield Case("gif xmp", "image/gif", _gif_with(packet), "XMP CreatorTool", "Midjourney")
    svg = make("image/svg+xml").replace(
        b"<rect", packet[packet.index(b"<x:xmpmeta") : packet.index(b"<?xpacket end")] + b"<rect"
    )
    yield Case("svg xmp", "image/svg+xml", svg, "XMP CreatorTool", "Midjourney")
    box = (
        struct.pack(">I4s16s", 24 + len(packet), b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"))
        + packet
    )
    yield Case("mp4 xmp", "video/mp4", make("video/mp4") + box, "XMP CreatorTool", "Midjourney")
    riff = (
        make("video/x-msvideo")
        + struct.pack("<4sI", b"_PMX", len(packet))
        + packet
        + b"\0" * (len(packet) % 2)
    )
    yield Case("avi xmp", "video/x-msvideo", riff, "XMP CreatorTool", "Midjourney")


def _iptc_cases() -> Iterator[Case]:
    for number, name, text, generator in (
        (65, "OriginatingProgram", "ComfyUI", "ComfyUI"),
        (110, "Credit", "Made with Google AI", "Google AI"),
        (120, "Caption", MIDJOURNEY, "Midjourney"),
    ):
        record = struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text.encode()
        resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + b"\0" * (len(record) % 2)
        body = b"Photoshop 3.0\0" + resource
        plain = make("image/jpeg")
        data = plain[:2] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + plain[2:]
        yield Case(f"jpeg {name}", "image/jpeg", data, f"IPTC {name}", generator)


def _container_cases() -> Iterator[Case]:
    for suffix, mime, codec, key, field, text, generator in (
        ("mp4", "video/mp4", "libx264", "comment", "tag ©cmt", A1111, "Stable Diffusion web UI"),
        ("mp4", "video/mp4", "libx264", "artist", "tag ©ART", "Sora", "Sora"),
        ("mp4", "video/mp4", "libx264", "title", "tag ©nam", MIDJOURNEY, "Midjourney"),
        ("mov", "video/quicktime", "libx264", "comment", "tag ©cmt", COMFY_WORKFLOW, "ComfyUI"),
        ("mkv", "video/x-matroska", "libx264", "comment", "tag COMMENT", COMFY_PROMPT, "ComfyUI"),
        ("webm", "video/webm", "libvpx-vp9", "software", "tag SOFTWARE", "Runway Gen-3", "Runway"),
        ("avi", "video/x-msvideo", "mjpeg", "comment", "tag ICMT", A1111, "Stable Diffusion web UI"),
    ):
        data = _film(suffix, codec, {key: text})
        yield Case(f"{suffix} {key}", mime, data, field, generator)
    data = _film("mp4", "libx264", {"AIGC": AIGC, "software": "Kling AI"}, movflags="use_metadata_tags")
    yield Case("mdta aigc", "video/mp4", data, "tag AIGC", "")
    yield Case("mdta software", "video/mp4", data, "tag software", "Kling")


def xmp(attributes: str, elements: str) -> bytes:
    """A packet of XMP."""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {attributes}>{elements}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _gif_with(packet: bytes) -> bytes:
    """GIF keeps XMP as it is, with a trailer that lets any reader of sub-blocks find the end."""
    plain = make("image/gif")
    table = 3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0
    at = 13 + table
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return plain[:at] + b"\x21\xff\x0bXMP DataXMP" + packet + trailer + plain[at:]


def _saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), 120, np.uint8)).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _film(suffix: str, codec: str, tags: dict[str, str], movflags: str = "") -> bytes:
    """A second of grey with tags."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film.{suffix}"
        options = {"movflags": movflags} if movflags else {}
        with av.open(str(path), "w", options=options) as output:
            output.metadata.update(tags)
            stream = output.add_stream(codec, rate=4)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            frames = [av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8)) for _ in range(4)]
            for frame in (*frames, None):
                for packet in stream.encode(frame):
                    output.mux(packet)
        return path.read_bytes()


_WITH_EXIF = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "TIFF": "image/tiff",
}
_WITH_XMP = {
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
