"""Reports for a person at a terminal: a card for one medium, a line each for many, a count at the end.

Lines are written as results come, so a folder of any size needs no memory. Colour only underlines the
words; without a terminal the same text comes out plain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from rich.console import Console
from rich.text import Text

from evidence.verdict import Report
from touchstone.report import wording
from touchstone.report.item import ReportItem
from touchstone.report.sink import STDOUT, unwritable

_COLOURS = {"fake": "bold red", "real": "green", "uncertain": "yellow", "unable": "magenta"}
_BARS = "▁▂▃▄▅▆▇█"
_TIMELINE_WIDTH = 60
_MOST_REGIONS = 4
_DECLARED = {"c2pa": "Credentials", "metadata": "Claimed"}


class TableWriter:
    """Prints each report as it is added. `card` is for a medium alone: everything, in sentences."""

    def __init__(self, console: Console, *, card: bool) -> None:
        self._console = console
        self._card = card
        self._counts: Counter[str] = Counter()

    def add(self, item: ReportItem) -> None:
        """Print one report. Raises OutputError."""
        self._counts[_word(item.report)] += 1
        if self._card:
            for text in _card_of(item.report):
                self._print(text)
        else:
            if self._counts.total() == 1:
                self._print(Text(f"{'verdict':<10} {'fake':>7}  {'95 % interval':<14}  file", style="dim"))
            self._print(_line_of(item.report))

    def close(self) -> None:
        """Print how many of each verdict there were. Raises OutputError."""
        if self._card:
            return
        counts = ", ".join(f"{self._counts[word]} {word}" for word in _COLOURS if self._counts[word])
        self._print(Text(f"{self._counts.total()} media: {counts or 'nothing to say'}", style="bold"))

    def _print(self, text: Text) -> None:
        try:
            self._console.print(text, soft_wrap=True, highlight=False)
            self._console.file.flush()
        except OSError as error:
            raise unwritable(STDOUT, error) from None


def _word(report: Report) -> str:
    return report.verdict or report.status


def _line_of(report: Report) -> Text:
    """One line: verdict, probability, interval, file; why not, where there is no verdict or a doubt."""
    word = _word(report)
    text = Text(f"{word:<10} ", style=_COLOURS.get(word, ""))
    chance, interval = "", ""
    if report.fake_probability is not None:
        chance = f"{report.fake_probability:.1%}"
    if report.interval is not None:
        interval = f"{report.interval[0]:.1%}-{report.interval[1]:.1%}"
    text.append(f"{chance:>7}  {interval:<14}  ", style="default")
    text.append(wording.visible(report.media["path"]), style="default")
    if report.reason is not None:
        text.append(
            f"\n           {report.reason.code}: {wording.visible(report.reason.message)}", style="dim"
        )
    return text


def _card_of(report: Report) -> Iterator[Text]:
    """Everything about one medium, a paragraph a line."""
    word = _word(report)
    yield Text.assemble(
        (wording.headline(report).upper(), _COLOURS.get(word, "")),
        f"  {wording.visible(report.media['path'])}",
    )
    for sentence in (
        wording.quotable(report),
        wording.visible(report.reason.message) if report.reason else "",
        wording.caution(report),
    ):
        if sentence:
            yield Text(f"  {sentence}")
    for name, value in _facts(report):
        if value:
            yield Text.assemble(("  " + f"{name:<14}", "dim"), value)


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    """The named facts of a card; empty ones are left out."""
    media = report.media
    if report.verdict in ("real", "uncertain"):  # of a fake it is part of the sentence above
        yield "False alarms", wording.false_alarms(report)
    yield "Stability", wording.stability(report)
    for limit in report.domain.why_not:
        yield "Limit", limit
    for region in report.regions[:_MOST_REGIONS]:
        x0, y0, x1, y1 = region.box
        where = f"{x1 - x0} x {y1 - y0} px at ({x0}, {y0}): {wording.percent(region.fake_probability)}"
        yield ("Face" if region.kind == "face" else "Area"), where
    if len(report.regions) > _MOST_REGIONS:
        yield "", f"and {len(report.regions) - _MOST_REGIONS} more"
    if report.timeline:
        yield "Timeline", _sparkline([point.fake_probability for point in report.timeline])
        yield "", f"{wording.clock(report.timeline[0].t)} to {wording.clock(report.timeline[-1].t)}"
    for part in report.segments:
        yield "Segment", f"{wording.stretch(part)}: {wording.percent(part.fake_probability)}"
    kind = [str(media[key]) for key in ("mime", "codec") if media.get(key)]
    if media.get("width"):
        kind.append(f"{media['width']} x {media['height']}")
    if media.get("duration_s"):
        kind.append(f"{media['duration_s']:.1f} s")
    yield "File", ", ".join(kind)
    yield "SHA-256", str(media.get("sha256") or "")
    for finding in report.evidence:
        if finding.kind in _DECLARED:
            words = f"{finding.finding} {finding.detail if finding.kind == 'c2pa' else ''}"
            yield _DECLARED[finding.kind], wording.visible(words.strip())
    for model in report.models:
        yield "Detector", f"{model.name}@{model.version} on {report.engine.get('provider', '')}"
    if "total_ms" in report.timings:
        yield "Time", f"{report.timings['total_ms']:.0f} ms"
    for warning in report.warnings:
        yield "Note", wording.visible(warning)


def _sparkline(values: list[float]) -> str:
    """Probabilities 0..1 as a row of bars; of a long video each bar is the highest of its stretch."""
    width = min(len(values), _TIMELINE_WIDTH)
    edges = [round(place * len(values) / width) for place in range(width + 1)]
    peaks = [max(values[a:b]) for a, b in pairwise(edges)]
    return "".join(_BARS[min(len(_BARS) - 1, int(peak * len(_BARS)))] for peak in peaks)
