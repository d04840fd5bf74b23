# Two commands: `make run` and `make test`. Both do all set-up themselves, and are quick the second time.

PYTHON ?= python3
# The package that provides the module `autogen`: ag2 or autogen. Each has an environment of its own; pip must never
# put both into one.
CLASSIC ?= ag2
$(if $(filter ag2 autogen,$(CLASSIC)),,$(error CLASSIC is ag2 or autogen, not $(CLASSIC)))
# For `make installed`: the Pythons with which the package is installed as people do it, with everything it needs.
PYTHONS ?= $(or $(wildcard $(HOME)/.pyenv/versions/3.1[0-3].*/bin/python),$(PYTHON))
# For `make autobahn` alone.
PYTHON2 ?= python2.7
VENV := .venv$(if $(filter-out ag2,$(CLASSIC)),-$(CLASSIC))
BIN := $(VENV)/bin
ARGS ?=
# Their sources have the examples of the specifications of Markdown, for the tests.
SPECIFICATIONS := markdown-it-py==4.3.0 marko==2.2.4
# Each worker imports everything, so more of them cost more than the waits that they fill.
WORKERS ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

REQUIREMENTS := $(wildcard requirements*.txt)
# Install one of the requirements files, with the package that CLASSIC names.
install = $(foreach file,$(REQUIREMENTS),sed 's/^ag2\[/$(CLASSIC)[/' $(file) > $(VENV)/$(file) && ) \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/$(1)

# Dozens of processes start in the tests: without bytecode each would compile everything again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test lint pytest coverage installed bench soak faults updates autobahn real-model pictures clean

run: $(VENV)/run.stamp
	$(BIN)/python main.py $(ARGS)

test: $(VENV)/dev.stamp
	sh tests/install_programs.sh
	$(MAKE) --no-print-directory --jobs=2 lint pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

pytest: $(VENV)/dev.stamp
	$(PYTEST) $(ARGS)

coverage: $(VENV)/dev.stamp
	sh tests/install_programs.sh
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html $(ARGS)

installed: $(VENV)/dev.stamp
	for python in $(PYTHONS); do INSTALLED_WITH=$$python $(BIN)/python -m pytest tests/test_installed.py $(ARGS) || exit 1; done

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks soak $(ARGS)

pictures: $(VENV)/dev.stamp
	$(BIN)/python -m tests.pictures

faults: $(VENV)/dev.stamp
	$(BIN)/python -m tests.faults $(ARGS)

updates: $(VENV)/dev.stamp
	$(BIN)/python -m tests.updates $(ARGS)

autobahn: $(VENV)/dev.stamp .venv-autobahn/stamp
	PYTHONUSERBASE=$(CURDIR)/.venv-autobahn $(BIN)/python -m tests.autobahn .venv-autobahn/bin/wstest $(ARGS)

real-model: $(VENV)/dev.stamp .venv-real/stamp
	$(BIN)/python -m tests.real_model --model-python .venv-real/bin/python $(ARGS)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	$(call install,requirements.txt)
	touch $@

$(VENV)/dev.stamp: $(REQUIREMENTS) | $(BIN)/python
	$(call install,requirements-dev.txt)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary markdown-it-py,marko \
		--dest $(VENV)/sources $(SPECIFICATIONS)
	touch $@

# Autobahn's test suite is a program for Python 2.7. Its `site` knows of no virtual environments, but of a user's folder.
.venv-autobahn/stamp:
	PYTHONUSERBASE=$(CURDIR)/.venv-autobahn $(PYTHON2) -m pip install --quiet --disable-pip-version-check --user \
		--no-warn-script-location autobahntestsuite==25.10.1
	touch $@

.venv-real/stamp: tests/real_model/requirements.txt
	$(PYTHON) -m venv .venv-real
	.venv-real/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r $<
	touch $@

clean:
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov
	find . -name __pycache__ -prune -exec rm -rf {} +
