"""Draws docs/verdict.svg, the picture of the README, from what `make demo` found.

A photograph and its forgery, of which the cup alone is forged, with the verdict on each and the heat map;
below them the timeline of the clip whose middle is forged. Nothing is drawn that the scan did not say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.demo_media import CLIP, FORGED_SECONDS, MOTIF
from evidence.image import decode_image
from evidence.limits import DecodeLimits
from evidence.verdict import Report, Segment, TimelinePoint
from touchstone.report import figures, wording

DEMO = Path("demo")
PICTURE = Path("docs/verdict.svg")
WIDTH, PANEL, GAP, TOP = 1080, 344, 24, 46
PLOT_HEIGHT = 110
_TONES = {"fake": "fake", "real": "real", "uncertain": "unsure", None: "none"}

_STYLE = """
  .paper { fill: #fbfaf7 } .ink { fill: #1b1d21 } .soft, .none { fill: #5c626b }
  .fake { fill: #b3123d } .real { fill: #0b6b4f } .unsure { fill: #8a5a00 }
  .rule { stroke: #d9d5ca } .line { stroke: #1b1d21 } .limit { stroke: #5c626b }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #131517 } .ink { fill: #eceae4 } .soft, .none { fill: #a2a8b0 }
    .fake { fill: #ff7d9a } .real { fill: #5fd0a5 } .unsure { fill: #f0b429 }
    .rule { stroke: #31353a } .line { stroke: #eceae4 } .limit { stroke: #a2a8b0 }
  }
  text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif }
  text { font-size: 15px } .word { font-weight: 700; font-size: 21px } .small { font-size: 13px }
  .line, .rule, .limit { fill: none; vector-effect: non-scaling-stroke }
"""


def main() -> int:
    """Draw the picture from demo/report.jsonl; returns the exit code."""
    lines = (DEMO / "report.jsonl").read_text(encoding="utf-8").splitlines()
    reports = {row["media"]["path"]: row for row in map(json.loads, lines)}
    real, forged, clip = (
        _found(reports, name) for name in (f"real/{MOTIF}", f"forged/{MOTIF}", f"forged/{CLIP}")
    )
    PICTURE.write_text(draw(real, forged, clip), encoding="utf-8")
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


def draw(real: dict[str, Any], forged: dict[str, Any], clip: dict[str, Any]) -> str:
    """The SVG, from three reports of the demo."""
    height = round(PANEL * forged["media"]["height"] / forged["media"]["width"])
    places = [index * (PANEL + GAP) for index in range(3)]
    bottom = TOP + height
    panels = [
        _panel(real, places[0], height, "as published"),
        _panel(forged, places[1], height, "its cup passed through a generator"),
        _panel(forged, places[2], height, "where, as the detector sees it", heat=True),
    ]
    start, end = FORGED_SECONDS
    caption = f"A clip, forged from {wording.clock(start)} to {wording.clock(end)}"
    timeline = _timeline(clip, bottom + 80, caption)
    total = bottom + 80 + PLOT_HEIGHT + 50
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-24 -10 {WIDTH + 48} {total}" role="img">\n'
        f"<title>Verdicts on a photograph, on its forgery, and on a clip</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="paper" x="-24" y="-10" width="{WIDTH + 48}" height="{total}" rx="14"/>\n'
        + "\n".join([*panels, timeline])
        + "\n</svg>\n"
    )


def _panel(report: dict[str, Any], x: int, height: int, says: str, *, heat: bool = False) -> str:
    pixels = decode_image(report["media"]["path"], DecodeLimits())[1]
    place = f'x="{x}" y="{TOP}" width="{PANEL}" height="{height}" preserveAspectRatio="none"'
    picture = f'<image {place} href="{figures.preview_uri(pixels)}"/>'
    if heat:
        cells = np.array(report["heatmap"], np.float32)
        shape = f'viewBox="0 0 {cells.shape[1]} {cells.shape[0]}"'
        path = figures.outline(cells, report["threshold"]["value"])
        stroke = 'fill="none" vector-effect="non-scaling-stroke" stroke'
        picture += (
            f'<image {place} href="{figures.heat_uri(cells)}"/><svg {place} {shape}>'
            f'<path d="{path}" {stroke}="#000" stroke-opacity=".6" stroke-width="3.5"/>'
            f'<path d="{path}" {stroke}="#fff" stroke-width="1.5"/></svg>'
        )
        head = f'<text class="ink" x="{x}" y="30">{says}</text>'
    else:
        head = _verdict(report, x, 30)
    foot = "" if heat else f'<text class="soft small" x="{x}" y="{TOP + height + 20}">{says}</text>'
    return head + picture + foot


def _verdict(report: dict[str, Any], x: int, y: int) -> str:
    word = (report["verdict"] or "no verdict").capitalize()
    chance = f"{wording.percent(report['fake_probability'])} ({wording.between(report['interval'])})"
    return (
        f'<text x="{x}" y="{y}"><tspan class="word {_TONES[report["verdict"]]}">{word}</tspan>'
        f'<tspan class="soft" dx="10">{chance}</tspan></text>'
    )


def _timeline(clip: dict[str, Any], y: int, caption: str) -> str:
    report = Report(
        clip["id"],
        clip["media"],
        "ok",
        timeline=tuple(TimelinePoint(**point) for point in clip["timeline"]),
        segments=tuple(Segment(**part) for part in clip["segments"]),
    )
    plot = figures.timeline(report)
    if plot is None:
        raise SystemExit("The clip has no timeline: run `make demo` again.")
    limit = 100 - 100 * clip["threshold"]["value"]
    bands = "".join(
        f'<rect class="fake" fill-opacity=".18" x="{left:.1f}" width="{width:.1f}" height="100"/>'
        for left, width in plot.bands
    )
    ticks = "".join(
        f'<text class="soft small" text-anchor="middle" x="{WIDTH * x:.0f}" y="{y + PLOT_HEIGHT + 18}">'
        f"{wording.clock(seconds)}</text>"
        for x, seconds in plot.ticks
        if 0.02 < x < 0.98
    )
    return (
        f'{_verdict(clip, 0, y - 14)}<text class="soft small" x="{WIDTH}" y="{y - 14}" text-anchor="end">'
        f'{caption}; shaded: the stretch the scan found</text><svg x="0" y="{y}" width="{WIDTH}" '
        f'height="{PLOT_HEIGHT}" viewBox="0 0 1000 100" preserveAspectRatio="none" overflow="visible">'
        f'<path class="rule" d="M0 0H1000M0 50H1000M0 100H1000"/>{bands}'
        f'<path class="limit" stroke-dasharray="5 4" d="M0 {limit:.1f}H1000"/>'
        f'<path class="line" stroke-width="2" d="{plot.line}"/></svg>{ticks}'
    )


def _found(reports: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    path = str(DEMO / "media" / name)
    if path not in reports:
        raise SystemExit(f"{DEMO / 'report.jsonl'} says nothing of {path}: run `make demo` first.")
    return reports[path]


if __name__ == "__main__":
    sys.exit(main())
