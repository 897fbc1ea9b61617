"""Sign a picture as made by a machine and read that back: `python examples/sign_and_verify.py fake.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence.sandbox import DecoderPool
from provenance.examine import examine, reader
from provenance.signers import development_key
from provenance.signing import Statement, sign_file, target_for
from provenance.trust import TrustStore
from provenance.words import credentials_sentence, source_sentence
from worker.settings import load_settings


def main() -> None:
    """Sign the file named on the command line with this machine's development authority, then verify it."""
    parser = argparse.ArgumentParser(prog="sign_and_verify.py", description=__doc__)
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    settings = load_settings()
    key = development_key(settings.data_dir / "signing")
    signed = sign_file(path, target_for(path), Statement("generated", agent="an example"), key)
    with DecoderPool(settings.limits, reader=reader(TrustStore(settings.trust_folder))) as pool:
        found = examine(pool, str(signed)).credentials
    print(signed)
    print(credentials_sentence(found))
    print(source_sentence(found))


if __name__ == "__main__":
    main()
