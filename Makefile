# Everything sets itself up: python3 (3.10 or newer), make and a C compiler are enough, root is never needed.
# Variables: PYTHON=python3.11 picks the Python, JOBS=4 the tests that run side by side, TRAJNET_DATA=DIR the recorded data.

PYTHON ?= python3
JOBS ?= 2
DEV := .venv-dev/bin/python
MAKE_VENV := $(PYTHON) tools/make_venv.py

.DEFAULT_GOAL := help
.PHONY: help demo docs test lint types unit ros format clean .venv .venv-dev .venv-ros .onnxruntime-headers

help: ## show this list
	@echo "trajnet: what make can do"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo "Environments are made on first use: .venv (demo, no PyTorch), .venv-dev (tests, training), .venv-ros (ROS 2)."
	@echo "To train or evaluate yourself: make .venv-dev, then .venv-dev/bin/trajnet --help"

demo: .venv ## replay a bundled scene with the shipped model; writes out/demo/report.html
	@.venv/bin/trajnet demo

docs: .venv-dev ## the documentation site: out/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(DEV) -m mkdocs build --quiet --strict && echo "open out/site/index.html"

test: lint types unit ros ## everything that CI checks

lint: .venv-dev ## ruff: mistakes and formatting
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .

types: .venv-dev ## mypy --strict on the library, programs and tests
	$(DEV) -m mypy

# One thread per process: JOBS of them share the cores already.
unit: .venv-dev .onnxruntime-headers ## all tests but those of ROS: unit, property, integration, browser
	OMP_NUM_THREADS=1 $(DEV) -m pytest -n $(JOBS) --dist worksteal --ignore=tests/ros tests

# Where ROS 2 cannot be installed the same tests run without it, and skip with the reason.
ros: .venv-dev .venv-ros ## the tests with real ROS 2, on this machine's loopback
	@python=.venv-ros/bin/python; test -x $$python || python=$(DEV); \
	echo "$$python -m pytest tests/ros"; $$python -m pytest tests/ros

format: .venv-dev ## rewrite the sources in ruff's format
	$(DEV) -m ruff check --fix .
	$(DEV) -m ruff format .

clean: ## remove what make made: environments, builds, caches, the demo's report
	rm -rf .venv .venv-dev .venv-ros .venv-colcon .onnxruntime-headers build install log dist *.egg-info out/demo out/site
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find trajnet tests tools sim export launch -name __pycache__ -prune -exec rm -rf {} +

.venv:
	@$(MAKE_VENV) $@ cpu,tools

.venv-dev:
	@$(MAKE_VENV) $@ dev

.venv-ros: .venv-dev
	@$(DEV) tests/ros/make_ros_env.py

# The headers for examples/cpp. Where they cannot be had, its test skips with the reason.
.onnxruntime-headers: .venv-dev
	@$(DEV) tools/onnxruntime_headers.py $@ || true
