# Every command for a person, a hook and the CI machine is here. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin

# Where git is absent or the folder is no checkout, the sources are still complete; nothing below needs git.
.DEFAULT_GOAL := help
.PHONY: help setup engine podman sshd editors compose lint format docs test demo up bench clean
.PHONY: bench-volumes bench-watch soak soak-volumes

help:
	@echo "make demo    run examples/flask, edit it, show the reload, stop"
	@echo "make up      run examples/flask and stay up (Ctrl-C stops it)"
	@echo "make test    every test, on a real engine"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make format  let ruff mend and format"
	@echo "make docs    the documentation as pages, in build/docs; a broken link is an error"
	@echo "make bench   measure reloads against other ways"
	@echo "make bench-watch    measure what watching costs against watchfiles and watchdog"
	@echo "make bench-volumes  measure backups of volumes against tar by hand"
	@echo "make soak    random changes for DEVMOUNT_SOAK_MINUTES (30): is what runs always what is on disk?"
	@echo "make soak-volumes   kill devmount, its helper and an engine of its own at 132 moments of them"
	@echo "make clean   remove what make made"

setup: .venv/.installed

# The stamp makes a changed pyproject.toml install again.
.venv/.installed: pyproject.toml scripts/venv
	PYTHON="$(PYTHON)" scripts/venv
	touch $@

engine: setup
	$(BIN)/python scripts/engine
	$(BIN)/python scripts/base-image

lint: setup docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy scripts/docs.py
	$(BIN)/mypy --scripts-are-modules scripts/base-image scripts/demo scripts/engine scripts/picture scripts/podman scripts/sshd
	$(BIN)/lint-imports

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build --strict

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sshd: setup
	$(BIN)/python scripts/sshd

podman: setup
	$(BIN)/python scripts/podman

editors:
	scripts/editors

compose: engine
	scripts/compose

test: setup engine podman editors sshd compose
	$(BIN)/python -m pytest

demo: setup engine
	$(BIN)/python scripts/demo

up: setup engine
	cd examples/flask && $(CURDIR)/$(BIN)/devmount up

bench: setup engine
	$(BIN)/python -m bench.reload

bench-watch: setup engine
	$(BIN)/python -m bench.watch --write

bench-volumes: setup engine
	$(BIN)/python -m bench.volumes --write

soak: setup engine
	$(BIN)/python -m bench.soak --minutes $${DEVMOUNT_SOAK_MINUTES:-30} --write

soak-volumes: setup engine
	$(BIN)/python -m bench.faults --write

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
