"""What workers do ends in the transparency log, once, whatever is killed meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time

from provenance.transparency.proofs import check
from tests.worker_service import Shop, wait_for
from worker.embedded import EmbeddedRunner
from worker.jobs.leases import Leases
from worker.logbook import Logbook
from worker.requests import GenerateRequest, generate_job

JOBS = 24


def test_a_scan_s_verdict_and_each_generated_file_are_logged_with_what_they_are(shop: Shop) -> None:
    scan = shop.scan(shop.picture(6))
    made, _ = shop.store.submit(generate_job(GenerateRequest("dots", 2, seed=5)))
    for outcome in shop.perform():
        assert outcome.result is not None, outcome.cause
        Leases(shop.store).complete(outcome.lease, outcome.result)
    logbook = Logbook(shop.store.engine, shop.settings)

    assert check(logbook.proved(shop.result(scan)["report"]), logbook.key()).entry["verdict"] == "fake"
    files = [file for file in shop.result(made.id)["files"] if file["role"] == "made"]
    assert len(files) == 2
    for file in files:
        content = shop.media.artefact(made.id, file["name"]).read_bytes()
        (found,) = logbook.proofs(hashlib.sha256(content).hexdigest())
        assert found["entry"]["kind"] == "generation"
    assert list(logbook.verify(logbook.key())) == []


def test_workers_that_are_killed_at_work_leave_one_entry_for_each_scan(shop: Shop) -> None:
    jobs = [shop.scan(shop.picture(6, name=f"{n}.png", side=64 + n)) for n in range(JOBS)]
    runner = EmbeddedRunner(shop.settings, workers=2)
    runner.start()
    wait_for(lambda: runner.running)
    ended = 0
    for _ in range(3):
        time.sleep(0.3)
        for process in runner.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_for(lambda before=ended: shop.waiting() < JOBS - before or shop.waiting() == 0)  # type: ignore[misc]
        ended = JOBS - shop.waiting()
    for job in jobs:
        shop.ended(job)
    runner.stop()

    logbook = Logbook(shop.store.engine, shop.settings)
    reports = {json.dumps(shop.result(job)["report"]["media"]["sha256"]) for job in jobs}
    logbook.head()
    entries = [json.loads(entry) for _, entry in logbook.ledger.entries(0, 10 * JOBS)]
    assert sorted(json.dumps(entry["media_sha256"]) for entry in entries) == sorted(reports)
    assert len(reports) == JOBS
    assert list(logbook.verify(logbook.key())) == []
