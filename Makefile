# Every target makes what it needs on first use. Set-up talks on stderr, so that output stays clean.
ARGS ?=
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

.PHONY: demo test lint bench docs soak score demo-seeds opensearch clean

demo: .venv/demo.ready        ## the whole pipeline on this machine, then the terminal on top
	@$(BIN)/logship demo $(ARGS)

test: .venv/dev.ready         ## everything but the slow runs
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not soak" $(ARGS)

lint: .venv/dev.ready         ## style, types, floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/dev.ready        ## the budgets, as ratios inside one run
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python -m tests.benchmarks.$$(basename $$script .py) $(ARGS) || exit 1; done

docs: .venv/dev.ready         ## the pictures of the README, and the examples run as tests
	@$(BIN)/python -m logship_tui.picture docs
	@$(BIN)/python -m pytest -q tests/docs

soak: .venv/dev.ready         ## slow fault and volume runs, and thousands of new examples for the property tests
	@$(BIN)/python -m pytest -m soak $(ARGS)
	@LOGSHIP_HYPOTHESIS=searching $(BIN)/python -m pytest tests/unit $(ARGS)

opensearch: .venv/dev.ready   ## a real OpenSearch node on loopback, data in ./opensearch-data; ARGS="--port 9200 --heap 1g"
	@$(BIN)/python -m logship.testing.opensearch_node $(ARGS)

score: .venv/dev.ready        ## cause finding on the labelled incidents beside this checkout
	@python3 ../shared/incidents/trainticket/score.py ../shared/incidents/trainticket --command "$(BIN)/logship" -v $(ARGS)

demo-seeds: .venv/demo.ready  ## the demo with ten seeds in a row
	@for seed in 1 2 3 4 5 6 7 8 9 10; do \
	  $(BIN)/logship demo --no-tui --format json --seed $$seed >/dev/null && echo "seed $$seed exact" || { echo "seed $$seed FAILED"; exit 1; }; done

.venv/made:
	@test -n "$(PYTHON)" || { echo "logship needs Python 3.11 or later; on Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up .venv, once" >&2
	@$(PYTHON) -m venv .venv >&2
	@touch $@

.venv/demo.ready: .venv/made pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check -e ".[demo]" >&2
	@touch $@

.venv/dev.ready: .venv/made pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]" >&2
	@touch $@ .venv/demo.ready

clean:                        ## removes what the other targets made
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
