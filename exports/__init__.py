"""Freeze, prove and name models: torch to ONNX, the parity gate, the registry, the runtime.

`runtime.py` is the only home of ONNX Runtime sessions; `registry.py`, `bundle.py` and
`runtime.py` run without torch. `models/` holds what ships.
"""

import os

# ONNX Runtime's Linux builds report usage to their maker from the moment they are imported, and keep a
# file for it in the temporary folder. Nothing that is scanned here, nor that it is, concerns anybody else.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
