"""Health checks of containers: `healthy.py URL`, or `healthy.py store`. The exit code is the answer."""

from __future__ import annotations

import sys
from urllib.request import ProxyHandler, build_opener


def main(what: str) -> None:
    """Ends with a sentence when the address, or the job store of the settings, does not answer."""
    if what != "store":
        build_opener(ProxyHandler({})).open(what, timeout=8).close()
        return
    from evidence.errors import TouchstoneError
    from worker.jobs.leases import Leases
    from worker.jobs.store import JobStore
    from worker.settings import load_settings

    try:
        store = JobStore(load_settings().store_url)
        Leases(store).depth()
        store.close()
    except TouchstoneError as error:
        sys.exit(f"{error.code}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
