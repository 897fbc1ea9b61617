"""The sentences of a report: what was found, fit to be quoted, and what it does not mean.

Plain text throughout; escaping is the writer's business.
"""

from __future__ import annotations

import unicodedata

from evidence.verdict import Report, Segment

NBSP = "\u00a0"  # a number and its sign stay on one line

_NOUNS = {"image": "picture", "animation": "animation", "video": "video"}

_HEADLINES = {"fake": "Fake", "real": "Real", "uncertain": "Uncertain"}
_DECIDED = {"c2pa": " (declared)", "watermark": " (watermarked)", "registry": " (known)"}


def headline(report: Report) -> str:
    """The verdict in a word, with what decided it where the pixels did not, or "No verdict"."""
    decided = _DECIDED.get(report.decided_by, "") if report.verdict else ""
    return _HEADLINES.get(report.verdict or "", "No verdict") + decided


def noun(report: Report) -> str:
    """What the medium is called in a sentence: picture, animation, video, or file."""
    return _NOUNS.get(str(report.media.get("kind", "")), "file")


def quotable(report: Report) -> str:
    """The finding in sentences that stand alone and can be quoted word for word."""
    thing = noun(report)
    if report.verdict is None or report.fake_probability is None:
        return f"Touchstone gives no verdict on this {thing}."
    chance = f"probability of forgery {percent(report.fake_probability)}{_interval(report)}"
    if report.decided_by == "c2pa":
        return (
            f"This {thing} is declared as generated or altered by a machine, in Content Credentials that "
            f"hold. By its pixels alone: {chance}."
        )
    if report.decided_by == "registry":
        return f"This very file is known here as a forgery. By its pixels alone: {chance}."
    if report.decided_by == "watermark":
        return (
            f"This {thing} carries the watermark of what was generated here. By its pixels alone: {chance}."
        )
    if report.verdict == "fake":
        finding = f"Touchstone finds that this {thing} was generated or altered by a machine: {chance}."
        return f"{finding} {_when(report)}{false_alarms(report)}".strip()
    if report.verdict == "real":
        return f"Touchstone finds no sign that this {thing} was generated or altered by a machine: {chance}."
    return f"Touchstone cannot tell whether this {thing} is genuine: {chance}."


def caution(report: Report) -> str:
    """What the finding does not mean."""
    thing = noun(report)
    if report.decided_by == "c2pa":
        return (
            f"This rests on the word of whoever signed the {thing}, not on its pixels. A signer whom no "
            f"trust list knows may be anybody, also somebody who wants a genuine {thing} to look forged."
        )
    if report.decided_by == "registry":
        return "This rests on the memory of this installation: the file was generated or flagged here before."
    if report.decided_by == "watermark":
        return (
            f"This says that the {thing}, or one that it was made from, was generated or altered by this "
            "installation. It does not say what was done to it since."
        )
    if report.verdict == "fake":
        return (
            f"This does not say who made the {thing}, how or why, nor that what it shows did not happen. "
            "A detector's finding alone proves nothing: seek the original and a second, independent source."
        )
    if report.verdict == "real":
        return (
            f"This does not prove that the {thing} is authentic. A generator the detector never met, an edit "
            "by hand, a staged scene or a false caption can read the same."
        )
    if report.verdict == "uncertain":
        return (
            f"This speaks neither for nor against the {thing}. "
            "A larger or less compressed original may decide."
        )
    return f"A missing verdict speaks neither for nor against the {thing}."


def false_alarms(report: Report) -> str:
    """How often a genuine medium gets the verdict `fake` at this threshold, and on what that was measured."""
    point = report.threshold
    if point is None or point.n == 0:
        return "How often genuine media are wrongly called fake was not measured for this detector."
    return (
        f"At this threshold {percent(point.false_alarm_rate, digits=1)} of genuine media "
        f"are wrongly called fake (measured on {point.measured_on}; n = {point.n:,})."
    )


def stability(report: Report) -> str:
    """Whether the verdict survived re-encoding, and what flipped it; empty when it was not tried."""
    tried, agreeing = report.stability.tried, report.stability.agreeing
    if not tried:
        return ""
    what = "The verdict" if report.decided_by == "detector" else "What the pixels say"
    if agreeing == tried:
        return f"{what} held in all {tried} re-encodings."
    flipped = ", ".join(report.stability.flipped_by)
    return f"{what} held in {agreeing} of {tried} re-encodings; it changed after: {flipped}."


def stretch(segment: Segment) -> str:
    """A segment in words, such as "0:04.0 to 0:07.5"."""
    return f"{clock(segment.start)} to {clock(segment.end)}"


def percent(value: float, digits: int = 0) -> str:
    """A share of 0..1 in per cent; never "0 %" or "100 %" of something that is neither."""
    unit = 10.0**-digits
    shown = 100.0 * value
    if 0 < shown < unit / 2:
        return f"under {unit:.{digits}f}{NBSP}%"
    if 100 - unit / 2 <= shown < 100:
        return f"over {100 - unit:.{digits}f}{NBSP}%"
    return f"{shown:.{digits}f}{NBSP}%"


def between(interval: tuple[float, float]) -> str:
    """An interval of shares in words; bounds that read alike are said once."""
    low, high = (percent(bound) for bound in interval)
    return low if low == high else f"{low} to {high}"


def clock(seconds: float) -> str:
    """A time stamp, such as "0:04.0" or "1:02:03.5"."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}" if hours else f"{minutes}"
    return f"{f'{hours}:' if hours else ''}{text}:{rest // 10:02d}.{rest % 10}"


def size(count: float) -> str:
    """A number of bytes, such as "61.3 kB"."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def visible(text: object) -> str:
    """Text from a file, with every control, bidirectional or unencodable character spelled out.

    A name such as "invoice\\u202egpj.exe" would otherwise show as "invoiceexe.jpg".
    """
    shown = (
        character
        if character == " " or unicodedata.category(character)[0] not in "CZ"
        else _spelled(character)
        for character in str(text)
    )
    return "".join(shown)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _interval(report: Report) -> str:
    return f" (95{NBSP}% interval {between(report.interval)})" if report.interval else ""


def _when(report: Report) -> str:
    if not report.segments:
        return ""
    return f"The part that reads as forged: {'; '.join(stretch(part) for part in report.segments)}. "
