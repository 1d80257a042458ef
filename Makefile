# `make run` shows what the tool does; `make check` is what a change must pass.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: run test check smoke docs release faults cluster processors lint types clean

run: $(VENV)/.installed
	$(BIN)/resexp run configs/depth_sweep.yaml
	$(BIN)/resexp report depth_sweep

test: $(VENV)/.test
	$(BIN)/python -m pytest

smoke: $(VENV)/.installed
	$(BIN)/resexp run configs/smoke.yaml --fresh --yes
	$(BIN)/resexp report smoke

check: lint types test

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# What trains or compares numbers, as on processors with older instruction sets.
NUMBERS := $(addprefix tests/,bench connections models probes tasks training)

processors: $(VENV)/.test
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 OPENBLAS_CORETYPE=Haswell $(BIN)/python -m pytest $(NUMBERS)
	ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default $(BIN)/python -m pytest $(NUMBERS)

# The documentation as a site that needs no other: open build/docs/index.html.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# What a release needs: wheel and source archive in build/dist, checked; tests/test_wheel.py tries the wheel.
release: check
	rm -rf build/dist
	$(BIN)/python -m build --no-isolation --outdir build/dist
	$(BIN)/python -m twine check --strict build/dist/*

faults: $(VENV)/.test
	$(BIN)/python -m pytest tests/faults -m "faults or not faults"

# Trials on a real Slurm with two nodes on this machine. On Debian, it needs these packages:
# apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
cluster: $(VENV)/.test
	$(BIN)/python -m pytest tests/cluster -rs

# One environment, made with uv where it is installed, else with venv and pip; extras are added to it.
$(VENV)/.installed: pyproject.toml
	@command -v uv >/dev/null || test -x $(BIN)/python \
		|| $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "No Python 3.11 or newer was found as '$(PYTHON)'. Name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; }
	@if command -v uv >/dev/null; then \
		test -x $(BIN)/python || uv venv --python $(PYTHON) $(VENV); \
		uv pip install --python $(BIN)/python -e .; \
	else \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .; \
	fi
	@touch $@

$(VENV)/.test $(VENV)/.dev $(VENV)/.docs: $(VENV)/.%: $(VENV)/.installed
	@if command -v uv >/dev/null; then uv pip install --python $(BIN)/python -e ".[$*]"; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"; fi
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
