"""Puts the API together: `create_app` is all that a server needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.types import Lifespan

from touchstone.api import (
    batches,
    beside,
    events,
    generations,
    health,
    log,
    models,
    origins,
    problems,
    rescans,
    results,
    scans,
    schema,
    testsets,
    webhooks,
)
from touchstone.api.service import Runner, Service
from touchstone.api.shield import Shield, host_names
from touchstone.web.pages import add_pages
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.settings import Settings

_PARTS = (
    scans,
    results,
    events,
    batches,
    beside,
    rescans,
    generations,
    testsets,
    webhooks,
    origins,
    log,
    models,
    health,
)
STREAMED: frozenset[tuple[str, str]] = frozenset(
    {
        ("POST", "/v1/scans"),
        ("POST", "/v1/batches"),
        ("POST", "/scans"),
        *(
            ("POST", f"{room}/{what}")
            for room in ("/v1", "/provenance")
            for what in ("verify", "trace", "sign")
        ),
    }
)


def create_app(
    settings: Settings,
    store: JobStore | None = None,
    media: MediaStore | None = None,
    runner: Runner | None = None,
) -> FastAPI:
    """The API on a job store and a media store, those of the settings unless they are given.

    It starts and stops `runner`, if there is one. Raises StoreError when there is nothing to work on.
    """
    service = Service(
        settings,
        store or JobStore(settings.store_url),
        media or MediaStore(settings.media_folder, max_bytes=settings.max_bytes),
        runner,
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        if runner is not None:
            runner.start()
        if service.sharing is not None:
            service.sharing.start()
        try:
            yield
        finally:
            if runner is not None:
                await run_in_threadpool(runner.stop)
            if service.sharing is not None:
                await run_in_threadpool(service.sharing.stop)
            await run_in_threadpool(service.intake.close)
            await run_in_threadpool(service.origins.close)
            if store is None:
                service.store.close()

    app = bare_app(life)
    app.state.service = service
    add_pages(app)
    problems.install(app)
    app.add_middleware(
        Shield,
        hosts=host_names(settings.host, settings.hosts),
        max_body=settings.max_body_bytes,
        streamed=STREAMED,
        direct={("POST", scans.router.prefix): scans.take},
        counters=service.counters,
    )
    return app


def bare_app(life: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The routes and their description, with nothing behind them yet."""
    app = FastAPI(
        title="Touchstone",
        version=schema.API_VERSION,
        summary="A fake/real verdict on images and video that you can defend.",
        docs_url=None,  # its scripts would come from elsewhere
        redoc_url=None,
        lifespan=life,
        generate_unique_id_function=_operation,
    )
    for part in _PARTS:
        app.include_router(part.router)
    app.openapi = lambda: schema.document(app)  # type: ignore[method-assign]
    return app


def _operation(route: APIRoute) -> str:
    return route.name
