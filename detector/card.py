"""The model card of a detector, in Markdown, from a record: what it is, how it came to be, its limits.

Standard library only, so that a card can be written and read wherever the model is. A section whose
facts are missing says so; nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "Not recorded."


def write_card(record: Mapping[str, Any]) -> str:
    """The card for a record with the keys of `models.json` and, where known, the parts below.

    Read are: name, version, task, file, sha256, size_bytes, licence, inputs, outputs, training (a
    mapping), data (rows), splits (a mapping), metrics (a mapping of figures), rows (per generator, worst
    first), false_alarms (per source), calibration (a mapping), limits (sentences). Intervals are pairs.
    """
    calibration = record.get("calibration") or {}
    parts = [
        f"# {record.get('name', 'Unnamed model')} {record.get('version', '')}".rstrip(),
        str(record.get("task") or MISSING),
        _section("File", _facts(record, ("file", "sha256", "size_bytes", "licence", "inputs", "outputs"))),
        _section("Data", _table(record.get("data"))),
        _section("Splits", _mapping(record.get("splits"))),
        _section("Training", _mapping(record.get("training"))),
        _section("Results", _mapping(record.get("metrics"))),
        _section("By generator, worst first", _table(record.get("rows"))),
        _section("False alarms by source, worst first", _table(record.get("false_alarms"))),
        _section("Calibration", _calibration(calibration)),
        _section("Limits", _sentences(record.get("limits"))),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body or MISSING}"


def _facts(record: Mapping[str, Any], names: Sequence[str]) -> str:
    return _mapping({name: record[name] for name in names if record.get(name) is not None})


def _mapping(facts: Mapping[str, Any] | None) -> str:
    return "\n".join(f"- {_title(name)}: {_value(value)}" for name, value in (facts or {}).items())


def _sentences(sentences: Sequence[str] | None) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences or ())


def _table(rows: Sequence[Mapping[str, Any]] | None) -> str:
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[_title(name) for name in columns], ["---"] * len(columns)]
    lines += [[_value(row.get(name, "")) for name in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _calibration(calibration: Mapping[str, Any]) -> str:
    """The operating points: the pooled one and a row for each bucket."""
    if not calibration:
        return ""
    columns = ("name", "fake_at", "real_below", "false_alarm_rate", "n", "temperature", "bias")
    points = [calibration, *calibration.get("buckets", ())]
    table = _table([{name: point[name] for name in columns if name in point} for point in points])
    return f"Measured on {calibration.get('measured_on', 'unknown pictures')}.\n\n{table}"


def _title(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_title(str(name))} {_value(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(inner) for inner in value)
    return str(value).replace("|", "\\|").replace("\n", " ")
