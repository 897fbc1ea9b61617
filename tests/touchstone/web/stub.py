"""A stand-in for the API under the pages: the shapes of docs/api.md from memory, media from a folder.

It shows states that the real service passes through too fast, or never reaches when all is well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from touchstone.api.pages import number_of
from touchstone.web.pages import add_pages

PICTURES = {"preview": "preview.jpg", "heat": "heat.png", "media": "media"}


class Stub:
    """What is there: scans and batches by id, items of batches, models; `asked` notes every change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scans: dict[str, dict[str, Any]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.models: list[dict[str, Any]] = []
        self.generations: dict[str, dict[str, Any]] = {}
        self.testsets: dict[str, dict[str, Any]] = {}
        self.wishes: list[dict[str, Any]] = []
        self.sent: list[tuple[str, str | tuple[str | None, bytes]]] = []
        self.asked: list[tuple[str, str]] = []
        self.events: dict[str, Iterable[tuple[str, dict[str, Any]]]] = {}
        self.looked_for: dict[str, str] = {}
        self.proofs: dict[str, dict[str, Any]] = {}
        self.beside: dict[tuple[str, str], dict[str, Any]] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self.locked = False
        self.app = self._app()

    def scan(self, id: str, state: str = "done", **fields: Any) -> dict[str, Any]:
        """Put a scan there; pictures that lie in its folder are linked."""
        there = {name for name, file in PICTURES.items() if (self.folder / id / file).is_file()}
        made = {
            "id": id,
            "state": state,
            "created": "2026-11-24T12:00:00+00:00",
            "finished": None,
            "name": f"{id}.png",
            "sha256": "0" * 64,
            "client_ref": "",
            "progress": None,
            "report": None,
            "error": None,
            "links": {name: f"/v1/scans/{id}/{PICTURES[name]}" for name in there},
        }
        self.scans[id] = made | fields
        return self.scans[id]

    def testset(self, id: str, state: str = "done", **fields: Any) -> dict[str, Any]:
        """Put a test set there, built unless something else is said."""
        made: dict[str, Any] = {
            "id": id,
            "state": state,
            "stage": None,
            "created": "2026-11-24T12:00:00+00:00",
            "name": "quick-look",
            "source": "photos",
            "count": 40,
            "seed": None,
            "force": False,
            "progress": None,
            "reals": 40 if state == "done" else None,
            "forgeries": 80 if state == "done" else None,
            "size_bytes": 4_100_000,
            "lint": {"verdict": "passed", "worst_auc": 0.512, "leaks": []},
            "sheets": [{"name": "splice.png", "url": f"/v1/testsets/{id}/sheets/splice.png"}],
            "left_out": [],
            "left_out_count": 0,
            "error": None,
            "links": {name: f"/v1/testsets/{id}/{name}" for name in ("tar", "lint", "card")},
        }
        self.testsets[id] = made | fields
        return self.testsets[id]

    def generation(self, id: str, state: str = "done", **fields: Any) -> dict[str, Any]:
        """Put a generation there."""
        made = {
            "id": id,
            "state": state,
            "created": "2026-11-24T12:00:00+00:00",
            "model": "filler@1",
            "asked": {},
            "progress": None,
            "error": None,
            "files": [],
        }
        self.generations[id] = made | fields
        return self.generations[id]

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def note(request: Request, call_next: Any) -> Any:
            if request.url.path.startswith("/v1/"):
                if request.method != "GET":
                    self.asked.append((request.method, request.url.path))
                if self.locked and request.cookies.get("touchstone_key") != "ts_good":
                    return JSONResponse({"title": "No key", "detail": "This key is not known here."}, 401)
            return await call_next(request)

        @app.get("/v1/limits")
        def limits() -> dict[str, Any]:
            return {"max_bytes": 2_000_000_000, "signing": True}

        @app.get("/v1/models")
        def models() -> dict[str, Any]:
            return {"items": self.models, "next": None}

        @app.get("/v1/scans")
        def scans(
            request: Request, limit: int = 50, cursor: str = "", verdict: str = "", name: str = ""
        ) -> dict[str, Any]:
            self.looked_for = dict(request.query_params)
            found = [scan for scan in reversed(self.scans.values()) if name in scan["name"]]
            if verdict:
                found = [scan for scan in found if (scan["report"] or {}).get("verdict") == verdict]
            start = int(cursor or 0)
            more = str(start + limit) if start + limit < len(found) else None
            return {"items": found[start : start + limit], "next": more}

        @app.post("/v1/scans")
        async def submit(request: Request) -> JSONResponse:
            if request.headers["content-type"] == "application/json":
                asked = await request.json()
                return JSONResponse(self.scan("closer", "queued", name=asked["name"]), 202)
            async with request.form() as form:
                file = form["file"]
                assert not isinstance(file, str)
                if not file.filename:
                    return JSONResponse({"title": "No file", "detail": "No file came along."}, 422)
                made = self.scan(f"sent{len(self.scans)}", "queued", name=file.filename)
            return JSONResponse(made, 202)

        @app.get("/v1/scans/{id}", response_model=None)
        def one(id: str) -> dict[str, Any] | JSONResponse:
            return self.scans.get(id) or JSONResponse({"detail": f"There is no scan {id}."}, 404)

        @app.get("/v1/scans/{id}/events")
        def events(id: str) -> StreamingResponse:
            def told() -> Iterator[str]:
                for number, (kind, data) in enumerate(self.events.get(id, ())):
                    yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"

            return StreamingResponse(told(), media_type="text/event-stream")

        @app.post("/v1/scans/{id}/{step}")
        def step(id: str, step: str) -> dict[str, Any]:
            if step == "cancel":
                self.scans[id]["state"] = "cancelled"
            return self.scans[id]

        @app.delete("/v1/scans/{id}")
        def delete(id: str) -> dict[str, Any]:
            return self.scans.pop(id)

        @app.get("/v1/scans/{id}/proof.json", response_model=None)
        def proof(id: str) -> dict[str, Any] | JSONResponse:
            return self.proofs.get(id) or JSONResponse({"detail": "The log has no entry of it."}, 404)

        @app.get("/v1/scans/{id}/parent", response_model=None)
        def parent(id: str) -> dict[str, Any] | JSONResponse:
            return self.beside.get((id, "parent")) or JSONResponse({"detail": "There is none."}, 404)

        @app.get("/v1/scans/{id}/signed", response_model=None)
        def signed(id: str) -> dict[str, Any] | JSONResponse:
            return self.beside.get((id, "signed")) or JSONResponse({"detail": "There is none."}, 404)

        @app.get("/v1/log")
        def log() -> dict[str, Any]:
            return {"origin": "stub/log", "size": 7, "root": "ab" * 32, "key": "stub/log+0a1b2c3d+AAAA"}

        @app.get("/v1/scans/{id}/{file}")
        def picture(id: str, file: str) -> FileResponse:
            return FileResponse(self.folder / id / file, media_type="video/mp4" if file == "media" else None)

        self._batches(app)

        @app.post("/v1/{what}", response_model=None)
        def about(what: str) -> dict[str, Any] | JSONResponse:
            return self.told.get(what) or JSONResponse({"detail": "This service does not sign."}, 403)

        add_pages(app)
        return app

    def _batches(self, app: FastAPI) -> None:
        @app.get("/v1/batches")
        def batches() -> dict[str, Any]:
            return {"items": list(self.batches.values()), "next": None}

        @app.get("/v1/batches/{id}")
        def batch(id: str) -> dict[str, Any]:
            return self.batches[id]

        @app.get("/v1/batches/{id}/items")
        def items(id: str, verdict: str = "", limit: int = 50, cursor: str = "") -> dict[str, Any]:
            after = number_of(cursor or None)
            found = [
                item
                for item in self.items[id]
                if verdict in ("", (item["report"] or {}).get("verdict") or "none")
                and item["position"] > after
            ]
            return {"items": found[:limit], "next": None}

        @app.get("/v1/media/{sha256}", response_model=None)
        def medium(sha256: str) -> dict[str, Any] | JSONResponse:
            kept = sha256 == "ab" * 32
            return {"sha256": sha256} if kept else JSONResponse({"detail": "No such medium."}, 404)

        @app.delete("/v1/batches/{id}")
        def drop(id: str) -> dict[str, Any]:
            return self.batches.pop(id)

        @app.post("/v1/batches")
        async def gather(request: Request) -> dict[str, Any]:
            self.sent = await _parts(request)
            return self.batches["night"]

        @app.post("/v1/batches/{id}/{step}")
        def change(id: str, step: str) -> dict[str, Any]:
            return self.batches[id]

        @app.get("/v1/generations")
        def generations() -> dict[str, Any]:
            return {"items": list(self.generations.values()), "next": None}

        @app.post("/v1/generations")
        async def generate(request: Request) -> dict[str, Any]:
            self.sent = await _parts(request)
            return self.generation("made", "queued", model=dict(self.sent)["model"])

        @app.get("/v1/generations/{id}")
        def generation(id: str) -> dict[str, Any]:
            return self.generations[id]

        @app.get("/v1/testsets/recipes")
        def recipes() -> dict[str, Any]:
            return {"items": [_recipe("quick-look", there=True), _recipe("faces")], "sources": ["photos"]}

        @app.get("/v1/testsets")
        def testsets() -> dict[str, Any]:
            return {"items": list(self.testsets.values()), "next": None}

        @app.post("/v1/testsets/plan")
        async def plan(request: Request) -> dict[str, Any]:
            self.wishes.append(await request.json())
            shares = [{"name": "splice", "pictures": 80}]
            said = {"name": "quick-look", "about": "A look.", "seed": 0, "reals": 40, "forgeries": 80}
            return said | dict.fromkeys(("systems", "chains", "splits"), shares)

        @app.post("/v1/testsets")
        async def build(request: Request) -> Any:
            self.wishes.append(await request.json())
            if "wrong" in self.wishes[-1].get("text", ""):
                return JSONResponse({"detail": "recipe.toml, line 4: <b>wrong</b>.", "advice": "Mend."}, 422)
            return self.testset("new", "queued")

        @app.get("/v1/testsets/{id}")
        def testset(id: str) -> dict[str, Any]:
            return self.testsets[id]

        @app.post("/v1/testsets/{id}/cancel")
        def cancel_testset(id: str) -> dict[str, Any]:
            return self.testset(id, "cancelled")

        @app.delete("/v1/testsets/{id}")
        def drop_testset(id: str) -> dict[str, Any]:
            return self.testsets.pop(id)

        @app.get("/v1/testsets/{id}/sheets/{name}")
        def sheet(id: str, name: str) -> FileResponse:
            return FileResponse(self.folder / "fake" / "preview.jpg")


def _recipe(name: str, *, there: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "about": "A look.",
        "systems": ["splice"],
        "chains": ["as-is"],
        "attacks": ["square"] if there else [],
        "sources": [{"name": "photos" if there else "faces-lfw", "there": there}],
        "count": None,
        "fakes": 2,
        "seed": 0,
        "text": 'name = "<quick>"\n',
    }


async def _parts(request: Request) -> list[tuple[str, str | tuple[str | None, bytes]]]:
    """The fields and files of a form, in order."""
    async with request.form() as form:
        return [
            (name, value if isinstance(value, str) else (value.filename, await value.read()))
            for name, value in form.multi_items()
        ]
