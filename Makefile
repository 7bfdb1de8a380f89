# Two commands do all the set-up: `make start` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: start test test-system lint install install-dev bench clean

start: $(VENV)/.runtime
	$(BIN)/lsp-cam start --foreground $(ARGS)

# What needs no clock runs side by side, three at a time as much of it waits; the rest alone. ARGS may
# choose tests of one kind only: pytest's 5 is that there is none of the other.
test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not system and not vm" -n 3 --dist loadfile --no-loadscope-reorder $(ARGS); \
	abreast=$$?; $(BIN)/pytest -m system $(ARGS); \
	case "$$abreast $$?" in "0 0"|"0 5"|"5 0") ;; *) exit 1 ;; esac

# A real camera in a virtual machine: minutes, and the packages that .ci/run installs.
test-system: $(VENV)/.dev
	$(BIN)/pytest -m vm tests/system/vm $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

install: $(VENV)/.runtime
install-dev: $(VENV)/.dev

# The runtime: no torch. Versions are the locked ones; pip only.
$(VENV)/.runtime: pyproject.toml requirements/runtime.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Tests and training on top; torch is pinned by itself so that pip takes a CPU build where there is one.
# mediapipe asks for an old numpy, an old protobuf and a second OpenCV, and works with ours: hence without its own.
$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt requirements/tracker.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/tracker.txt
	touch $@

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/motion.py

clean:
	rm -rf $(VENV)
