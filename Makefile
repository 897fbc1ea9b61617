# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
SCAN := .venv
DEV := .venv-dev
JOBS ?= 2
PIP := pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: demo test check lint fix bench soak train wheel gpu size clean

demo: $(SCAN)/.ready  ## verdicts on real photographs, forged pictures and a video
	$(SCAN)/bin/python -m benchmarks.demo

test: $(DEV)/.ready services  ## lint, types, import order and every test
	$(MAKE) check
	OMP_NUM_THREADS=1 $(DEV)/bin/python -m pytest -n $(JOBS)  # a core a process: more threads only wait for each other

check: lint
lint: $(DEV)/.ready
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

fix: $(DEV)/.ready
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

bench: $(DEV)/.ready  ## end to end and stage by stage, beside the bare limit; what watermark, registry and log add
	$(DEV)/bin/python -m benchmarks.scan
	$(DEV)/bin/python -m benchmarks.origins

soak: $(DEV)/.ready services snapshots  ## the long runs: 50 000 requests that the API's description allows or forbids, power cuts, full disks, kill storms, outages, poison
	$(DEV)/bin/python -m benchmarks.fuzz_api --cases 50000
	$(DEV)/bin/python -m benchmarks.power_cut --cuts 1000
	$(DEV)/bin/python -m benchmarks.full_disk
	$(DEV)/bin/python -m benchmarks.kill_storm --on embedded
	$(DEV)/bin/python -m benchmarks.kill_storm --on redis
	$(DEV)/bin/python -m benchmarks.kill_storm --on postgres
	$(DEV)/bin/python -m benchmarks.log_kills --on sqlite
	$(DEV)/bin/python -m benchmarks.log_kills --on postgres
	$(DEV)/bin/python -m benchmarks.outages
	$(DEV)/bin/python -m benchmarks.poison

train: $(DEV)/.ready  ## the release, from data to exported, calibrated, carded models
	$(DEV)/bin/python -m benchmarks.release

wheel: $(DEV)/.ready
	$(DEV)/bin/python -m build --wheel

gpu: $(SCAN)/.ready  ## swap ONNX Runtime for its CUDA build in the scan environment
	$(SCAN)/bin/pip uninstall --quiet --yes onnxruntime
	$(SCAN)/bin/$(PIP) "onnxruntime-gpu"

# OpenCV's wheel links libGL and glib, and Debian splits venv off: install what is missing, as root or by sudo.
.PHONY: system
system:
	@{ ldconfig -p | grep -q libGL.so.1 && ldconfig -p | grep -q libgthread-2.0.so.0 && $(PYTHON) -c "import ensurepip"; } 2>/dev/null \
	  || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0 python3-venv; }

# The tests run on a real PostgreSQL, Redis and Chromium, which they start themselves; Pango draws PDF reports, poppler reads them, openssl signs.
.PHONY: services
services:
	@{ { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } && command -v redis-server && command -v curl \
	  && command -v chromium && command -v openssl && command -v pdftotext && ldconfig -p | grep -q libpangoft2-1.0.so.0; } >/dev/null 2>&1 \
	  || { $(SUDO) apt-get update -qq \
	  && $(SUDO) apt-get install -y -qq --no-install-recommends postgresql redis-server curl chromium openssl poppler-utils libpangoft2-1.0-0 fonts-dejavu-core; }

# The disk whose power is cut is copied by XFS.
.PHONY: snapshots
snapshots:
	@command -v mkfs.xfs >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends xfsprogs; }

$(SCAN)/.ready: pyproject.toml constraints.txt | system
	$(PYTHON) -m venv $(SCAN)
	$(SCAN)/bin/$(PIP) -e .
	touch $@

$(DEV)/.ready: pyproject.toml constraints.txt | system
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/$(PIP) -e ".[train,attacks,service,monitor,archives,pdf,s3,dev]"
	$(DEV)/bin/python -c "import torchvision"
	touch $@

size:  ## what the scan path costs to install: megabytes fetched, megabytes on disk
	@into=$$(mktemp -d) && $(PYTHON) -m venv $$into/venv \
	  && $$into/venv/bin/pip wheel --quiet --disable-pip-version-check -c constraints.txt -w $$into/wheels . \
	  && $$into/venv/bin/$(PIP) --no-index --find-links $$into/wheels touchstone \
	  && echo "fetched $$(du -sm $$into/wheels | cut -f1) MB, installed $$(du -sm $$into/venv | cut -f1) MB"; \
	  rm -rf $$into

clean:
	rm -rf $(SCAN) $(DEV) build dist *.egg-info
