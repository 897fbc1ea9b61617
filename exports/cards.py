"""The model card of a generator, in Markdown: what it makes, how it came to be, what it is for.

Facts of a run and of the parity gate only; a card shows no picture of a person. The detector's card
is `detector/card.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MISSING = "Not recorded."
MOST_NAMES = 20  # classes or action units that a card lists; of a vocabulary it says the size

PURPOSE = "Makes labelled forgeries, so that detectors can be trained and measured. {what}"
DRAWN = (
    "Its pictures depict nobody and nothing that is so; whoever passes them on says that they are generated."
)
CHANGED = "What it makes of a picture never was so; whoever passes it on says that it is generated."


def write_generator_card(record: Mapping[str, Any]) -> str:
    """The card for a row of `models.json`, with `paper` and `limits` where the record has them."""
    training = dict(record.get("training") or {})
    metrics = dict(record.get("metrics") or {})
    parity = dict(metrics.pop("parity", {}))
    verdict = dict(metrics.pop("verdict", {}))
    config = dict(training.pop("config", {}))
    outputs = ", ".join(_interface(item) for item in record.get("outputs", ()))
    file = {
        "file": f"`{record['file']}`, {record['size_bytes']:,} bytes",
        "sha256": f"`{record['sha256']}`",
        "licence": record.get("licence"),
        "takes": " · ".join(_interface(item) for item in record.get("inputs", ())),
        "gives": f"{outputs}, pictures in [-1, 1]",
        "opset": record.get("opset"),
    }
    parts = [
        f"# {record['name']} {record['version']}",
        f"A generator: {record.get('task') or 'task not recorded'}. {record.get('paper', '')}".strip(),
        PURPOSE.format(what=CHANGED if _takes_pictures(record) else DRAWN),
        _section("File", file),
        _section("Traces it leaves", record.get("tags")),
        _section("Training", training),
        _section("Configuration", config),
        _section("Measured", metrics),
        _judged(verdict) if verdict else "",
        _section("ONNX Runtime against the network", parity),
        "## Limits\n\n" + "\n".join(f"- {line}" for line in record.get("limits", ()) or (MISSING,)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, facts: Mapping[str, Any] | None) -> str:
    lines = [f"- {name.replace('_', ' ')}: {_value(value)}" for name, value in (facts or {}).items() if value]
    return f"## {title}\n\n" + ("\n".join(lines) or MISSING)


def _takes_pictures(record: Mapping[str, Any]) -> bool:
    return any(item.get("role") == "image" for item in record.get("inputs", ()))


def _judged(verdict: Mapping[str, Any]) -> str:
    """The figures on held-out data, each beside its floor where it has one."""
    floors = verdict.get("floors", {})
    lines = [
        f"- {name.replace('_', ' ')}: {_value(value)}"
        + (f" (floor: {floors[name]})" if name in floors else "")
        for name, value in verdict["figures"].items()
    ]
    lines += [f"- {sentence}" for sentence in verdict.get("unmeasured", ())]
    how = f"{verdict['samples']} samples against as many held-out pictures; distances on "
    return f"## Judged\n\n{how}`{verdict['extractor']}`, so they compare within this project only.\n\n" + (
        "\n".join(lines)
    )


def _interface(item: Mapping[str, Any]) -> str:
    axes = ", ".join(str(axis) for axis in item["shape"])
    words = f"`{item['name']}` {item['dtype']} ({axes})"
    if "role" not in item:
        return words
    names = item.get("names", ())
    said = [str(item["role"]), str(item.get("law", ""))]
    said += [", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} names"]
    said += [f"{item['low']:g} to {item['high']:g}" if "low" in item else ""]
    return f"{words}: {'; '.join(part for part in said if part)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
