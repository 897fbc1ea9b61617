"""ONNX Runtime tells nobody that it was used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_importing_the_runtime_leaves_no_telemetry_session_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)

    subprocess.run([sys.executable, "-c", "import exports.runtime"], check=True, env=environment)

    assert list(tmp_path.iterdir()) == []
