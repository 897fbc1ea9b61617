"""Freeze, prove and name models: torch to ONNX, the parity gate, the registry, the runtime.

`runtime.py` is the only home of ONNX Runtime sessions; `registry.py`, `bundle.py` and
`runtime.py` run without torch. `models/` holds what ships.
"""
