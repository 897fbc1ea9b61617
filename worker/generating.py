"""What a worker does for a job of kind "generate": pictures of a shipped generator, each with its origin.

As of `touchstone generate`, but only of what needs no picture to begin with: noise, classes, captions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evidence.errors import UsageError
from exports import conditions
from exports.manifest import MANIFEST, Folder
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from exports.sampling import drawn, feeds_of
from exports.slots import Feeds, Slot, slots_of
from generators.delivery import png
from worker.media import MediaStore
from worker.requests import GenerateRequest
from worker.scanner import installed_models
from worker.settings import Settings

FROM_NOTHING = ("noise", "class", "caption")  # tasks that need no picture
KNOWN_CONDITIONS = ("classes", "caption", "truncation")

# Told how many of how many are there; what it raises ends the work.
OnPicture = Callable[[int, int], None]


def generate(
    job: str, request: GenerateRequest, settings: Settings, media: MediaStore, on_picture: OnPicture
) -> dict[str, Any]:
    """Make what was asked among the artefacts of `job`: {"files": [{"name", "mime", "size_bytes"}]}.

    Raises UsageError for what the generator cannot be asked, ModelError when it cannot be used.
    """
    entry = sampler(settings, request.model)
    session = GeneratorSession(entry, threads=settings.threads)
    given = _conditions(slots_of(session), request.conditions)
    truncation = request.conditions.get("truncation")
    feeds = feeds_of(session, request.count, request.seed, [one for _, one in given], truncation=truncation)
    own = {"label": "fake", "generator": entry.name, "version": entry.version, "model_sha256": entry.sha256}
    if truncation is not None:
        own["truncation"] = truncation
    with Folder(media.artefact(job, MANIFEST).parent) as folder:
        for index, pixels in enumerate(drawn(session, feeds)):
            words = given[index % len(given)][0] if given else {}
            size = {"width": pixels.shape[1], "height": pixels.shape[0]}
            origin = {**own, "seed": request.seed, "index": index, **words, **size}
            folder.add(f"{entry.name}-{request.seed}-{index:05d}", ".png", png(pixels), origin)
            on_picture(index + 1, request.count)
        names = list(folder.rows)
    return {"files": [_file(media, job, name) for name in (*names, MANIFEST)]}


def sampler(settings: Settings, name: str) -> ModelEntry:
    """The generator of this name that draws from noise; raises UsageError, ModelNotFound."""
    entry = installed_models(settings).get(name)
    if entry.kind != "generator" or entry.task not in FROM_NOTHING:
        raise UsageError(
            f"{entry.label} is no generator that draws without a picture to begin with.",
            "`touchstone generate` has those that change one.",
        )
    return entry


def _conditions(slots: Mapping[str, Slot], asked: Mapping[str, Any]) -> list[tuple[dict[str, Any], Feeds]]:
    """Each condition that was asked for: its words, and its inputs. Raises UsageError."""
    foreign = sorted(set(asked) - set(KNOWN_CONDITIONS))
    roles = {slot.role: slot for slot in slots.values()}
    classes, captions = list(asked.get("classes", ())), list(asked.get("caption", ()))
    if foreign or (classes and "label" not in roles) or (captions and "tokens" not in roles):
        raise UsageError(
            f"This generator does not take {', '.join(foreign) or 'classes' * bool(classes) or 'captions'}.",
            f"It takes {', '.join(sorted(str(role) for role in roles))}.",
        )
    if "tokens" in roles and not captions:
        raise UsageError("This generator needs a caption.", "Give one or more as `caption`.")
    found: list[tuple[dict[str, Any], Feeds]] = []
    for word in classes:
        slot = roles["label"]
        at = conditions.class_index(slot, str(word))
        found.append(({"class": slot.names[int(at)]}, {slot.name: at}))
    for text in captions:
        slot = roles["tokens"]
        found.append(({"caption": text}, {slot.name: conditions.caption_tokens(slot, str(text))}))
    return found


def _file(media: MediaStore, job: str, name: str) -> dict[str, Any]:
    mime = "image/png" if name.endswith(".png") else "application/x-ndjson"
    return {"name": name, "mime": mime, "size_bytes": media.artefact(job, name).stat().st_size}
