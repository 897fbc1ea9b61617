# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
SCAN := .venv
DEV := .venv-dev
PIP := pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check lint fix bench train wheel gpu clean

demo: $(SCAN)/.ready  ## verdicts on real photographs, forged pictures and a video
	$(SCAN)/bin/python -m benchmarks.demo

test: $(DEV)/.ready  ## lint, types, import order and every test
	$(MAKE) check
	$(DEV)/bin/python -m pytest

check: lint
lint: $(DEV)/.ready
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

fix: $(DEV)/.ready
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

bench: $(DEV)/.ready  ## end to end and stage by stage, beside the bare limit
	$(DEV)/bin/python -m benchmarks.scan

train: $(DEV)/.ready  ## the release, from data to exported, calibrated, carded models
	$(DEV)/bin/python -m benchmarks.release

wheel: $(DEV)/.ready
	$(DEV)/bin/python -m build --wheel

gpu: $(SCAN)/.ready  ## swap ONNX Runtime for its CUDA build in the scan environment
	$(SCAN)/bin/pip uninstall --quiet --yes onnxruntime
	$(SCAN)/bin/$(PIP) "onnxruntime-gpu"

$(SCAN)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SCAN)
	$(SCAN)/bin/$(PIP) -e .
	touch $@

$(DEV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/$(PIP) -e ".[train,service,dev]"
	$(DEV)/bin/python -c "import torchvision"
	touch $@

clean:
	rm -rf $(SCAN) $(DEV) build dist *.egg-info
