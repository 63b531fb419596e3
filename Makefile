# Two commands for a newcomer: `make lab` and `make test`. Each makes .venv first, if need be.
# `make lab EXTRAS=lab` leaves the networks out: 1 GB instead of 6.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# JupyterLab's questions about news would cover the quickstart
LAB_SETTINGS := $(VENV)/share/jupyter/lab/settings
SOURCES := src tests benchmarks notebooks tools
EXTRAS ?= learning,lab,formats
PROXY := 5.3.0
comma := ,
LAB_STAMP := $(VENV)/.stamp-lab-$(subst $(comma),-,$(EXTRAS))

.PHONY: lab test test-again nightly check format bench docs docs-pictures wheel clean
.DEFAULT_GOAL := lab

lab: $(LAB_STAMP)
	@$(BIN)/voxloop lab notebooks/01-quickstart.ipynb

# The browser, whose pages wait more than they compute, with the learners beside it in one process; then the rest, in
# as many as there are cores. What the learners print comes when they are done.
PYTEST := $(BIN)/python -m pytest
test: $(VENV)/.stamp-test $(VENV)/.stamp-proxy check
	@mkdir -p build; rm -f build/failed; \
	$(PYTEST) tests/deep -o cache_dir=build/cache-learners >build/learners.log 2>&1 & learners=$$!; \
	$(PYTEST) tests/browser -o cache_dir=build/cache-browser || echo browser >>build/failed; \
	wait $$learners || echo learners >>build/failed; \
	cat build/learners.log; \
	$(PYTEST) --ignore tests/browser --ignore tests/deep -o cache_dir=build/cache-rest \
	  -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder || echo rest >>build/failed; \
	! test -e build/failed

# What failed once more, one after the other; a part in which nothing is known to have failed fails again.
test-again:
	@for part in $$(cat build/failed); do \
	  $(PYTEST) --last-failed --last-failed-no-failures none -o cache_dir=build/cache-$$part || exit 1; \
	done

# Long soaks: kills and damaged files by the hundred.
nightly: $(VENV)/.stamp-test
	@$(BIN)/python -m pytest -m nightly --timeout 3600

check: $(VENV)/.stamp-test
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/nbstripout --verify notebooks/*.ipynb

format: $(VENV)/.stamp-test
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/nbstripout notebooks/*.ipynb

# The proxy of JupyterHub, for the test of the hub. Without npm that test is skipped, and says so; in CI it fails.
$(VENV)/.stamp-proxy: | $(VENV)/.stamp-venv
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-audit --no-fund --prefix $(VENV)/proxy configurable-http-proxy@$(PROXY) && touch $@; \
	else \
	  echo "npm is missing: the test of the hub is left out"; \
	fi

# The site, in build/site: open build/site/index.html. Without network; warnings are errors.
docs: $(VENV)/.stamp-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Pictures of panels for the site, taken in a real JupyterLab; look at them before you commit them.
docs-pictures: $(VENV)/.stamp-test
	@$(BIN)/python tools/pictures.py docs/img

wheel: $(VENV)/.stamp-venv
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

bench: $(VENV)/.stamp-test
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps are written last, so that an install that was cut short is done again.
$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "voxloop needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "this Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(LAB_SETTINGS)
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' > $(LAB_SETTINGS)/overrides.json
	@touch $@

$(LAB_STAMP): pyproject.toml constraints.txt | $(VENV)/.stamp-venv
	@echo "Installing voxloop[$(EXTRAS)] into $(VENV): with networks 6 GB on Linux (torch brings its GPU libraries), 2 GB on a Mac; without 1 GB; 1 to 10 minutes, once."
	@$(PIP) -e '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.stamp-docs: pyproject.toml constraints.txt | $(VENV)/.stamp-venv
	@$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.stamp-test: pyproject.toml constraints.txt | $(VENV)/.stamp-venv
	@echo "Installing voxloop and its tests into $(VENV): about 6 GB on Linux, 2 GB on a Mac; 2 to 10 minutes, once."
	@$(PIP) -e '.[all]'
	@touch $@ $(VENV)/.stamp-docs $(VENV)/.stamp-lab-learning-lab-formats
