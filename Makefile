# Two commands: `make demo` runs the flow, `make test` checks the project. Both make .venv first, once.
# Needs Python >= 3.11 with venv, its headers, a C and a C++ compiler. No root.
# Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
PRESET ?= demo
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Under the name of the environment only: a copied or moved checkout gets an environment of its own.
INSTALLED := $(VENV)/installed-core
INSTALLED_DFT := $(VENV)/installed-dft
INSTALLED_TEST := $(VENV)/installed-test

# Versions of constraints.txt hold for build requirements, too (old pip reads the first, new pip the second name).
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
GPAW_CONFIG := $(CURDIR)/workflows/engines/gpaw_siteconfig.py
PIP_INSTALL := $(BIN)/python -m pip install --quiet --prefer-binary

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-cluster cluster-programs check format constraints clean

help:
	@echo "make demo      install, run potassium-diffusion at preset '$(PRESET)', print where its report is"
	@echo "make test      install, ruff, mypy, codespell, pytest"
	@echo "make test-cluster  the faults of a real Slurm and a Prefect server on PostgreSQL, installed and started here; needs root"
	@echo "make install   the environment in $(VENV) alone, GPAW included"
	@echo "make check     ruff, mypy and codespell alone"
	@echo "make format    let ruff format the code"
	@echo "make clean     remove $(VENV) and caches (runs and the store stay)"

install: $(INSTALLED_DFT)

demo: $(INSTALLED_DFT)
	$(BIN)/alkaliflow run potassium-diffusion --preset $(PRESET)

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -P -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

# Slurm and PostgreSQL are installed where they are missing, and started in folders of their own; nothing of the machine's own is touched.
test-cluster: $(INSTALLED_TEST) cluster-programs
	ALKALIFLOW_TEST_CLUSTER=1 OMP_NUM_THREADS=1 $(BIN)/python -P -m pytest tests/cluster $(PYTEST_ARGS)

cluster-programs:
	@[ "$$(id -u)" = 0 ] || { echo "make test-cluster needs root, as Slurm does: take a machine or container that may be thrown away."; exit 2; }
	@(for program in slurmctld slurmd munged sbatch $$(ls /usr/lib/postgresql/*/bin/initdb || echo initdb); do \
	    command -v $$program || exit 1; done) >/dev/null 2>&1 || \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends slurm-wlm munge postgresql; } || \
	  { echo "Slurm or PostgreSQL cannot be installed here. On Debian or Ubuntu: apt-get install slurm-wlm munge postgresql"; exit 2; }

check: $(INSTALLED_TEST)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell

format: $(INSTALLED_TEST)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is missing or older than 3.11. Name another: make demo PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "$(PYTHON) has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV), 2 to 3 minutes the first time ..."
	$(PIP_INSTALL) -e .
	@touch $@

# GPAW is compiled here, against the MPI and BLAS of the environment, which therefore come first.
$(INSTALLED_DFT): $(INSTALLED)
	@$(BIN)/python -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())' || \
	  { echo "This Python has no headers (Python.h), which GPAW is compiled with. On Debian or Ubuntu: apt-get install python3-dev"; exit 2; }
	@command -v c++ >/dev/null && command -v cc >/dev/null || \
	  { echo "There is no C or C++ compiler (cc, c++). On Debian or Ubuntu: apt-get install gcc g++"; exit 2; }
	@echo "Compiling GPAW, half a minute ..."
	$(PIP_INSTALL) scipy-openblas32 wheel
	GPAW_CONFIG=$(GPAW_CONFIG) $(PIP_INSTALL) -e '.[dft,electrolyte]'
	@touch $@

$(INSTALLED_TEST): $(INSTALLED_DFT)
	GPAW_CONFIG=$(GPAW_CONFIG) $(PIP_INSTALL) -e '.[test]'
	@touch $@

# Resolves everything anew and writes the exact versions; torch is pinned by the extra that needs it. Run it with the oldest
# Python that is supported (Debian 12 has 3.11.2): some packages need a later patch release.
constraints:
	$(PYTHON) -m venv build/constraints
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT build/constraints/bin/python -m pip install --quiet --prefer-binary --upgrade pip
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT build/constraints/bin/python -m pip install --quiet scipy-openblas32 mpich
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT GPAW_CONFIG=$(GPAW_CONFIG) \
	  build/constraints/bin/python -m pip install --quiet --prefer-binary \
	  --dry-run --ignore-installed --report build/constraints/report.json '.[dft,electrolyte,mlip,test]' hatchling setuptools wheel cython
	$(PYTHON) -c 'import json, pathlib; \
	  found = json.loads(pathlib.Path("build/constraints/report.json").read_text())["install"]; \
	  pins = {item["metadata"]["name"]: item["metadata"]["version"].split("+")[0] for item in found}; \
	  lines = [f"{name}=={pins[name]}\n" for name in sorted(pins, key=str.lower) if name not in ("alkaliflow", "torch")]; \
	  head = "# Exact versions that were tried together. Made by `make constraints`; do not edit.\n"; \
	  pathlib.Path("constraints.txt").write_text(head + "".join(lines))'

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis
