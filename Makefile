# The targets create the virtual environment .venv with our packages (editable), and install Debian's InfluxDB 1.x if
# none is found. Another Python: make test PYTHON=python3.13. Another server: INFLUXDB_URL=http://...

python := .venv/bin/python
args ?=

.DEFAULT_GOAL := help
.NOTPARALLEL: # run the steps in order
.PHONY: help quickstart test lint types pytest docs layers bench matrix servers conformance newest oldest wheels lock dist coverage audit format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

quickstart: .venv/quickstart.stamp ## Measure this machine, write and query the samples with every client, and plot quickstart.png
	@$(python) -m tests.servers.influxd --install
	@$(python) -m examples.quickstart $(args)

test: lint types pytest ## Lint, check types and run every test

lint: .venv/dev.stamp ## Check style and formatting with ruff, the hosted workflows, and whether uv.lock is current
	@echo "== ruff check"
	@$(python) -m ruff check
	@echo "== ruff format --check"
	@$(python) -m ruff format --check
	@echo "== workflows"
	@$(python) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(python) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(python) -m check_jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml
	@$(python) -m check_jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	@$(python) -m check_jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	@.venv/bin/zizmor --offline --quiet .github
	@echo "== uv lock --check"
	@$(python) -m uv lock --check --quiet

types: .venv/dev.stamp ## Check types with mypy and pyright, both strict
	@echo "== mypy"
	@$(python) -m mypy
	@echo "== pyright"
	@$(python) -m pyright

pytest: .venv/dev.stamp ## Run only the tests, on all cores: make pytest args="-k write"; args="-n 0" for one process
	@echo "== pytest"
	@$(python) -m tests.servers.influxd --install
	@$(python) -m tests.servers.nginx --install
	@$(python) -m tests.servers.victoriametrics --install
	@$(python) -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal $(args)

docs: .venv/docs.stamp ## Build the documentation in build/docs; warnings and broken links are errors
	@$(python) -m sphinx --fail-on-warning --fresh-env --quiet -b html -d build/doctrees docs build/docs
	@echo "The documentation is in build/docs/index.html."

layers: .venv/dev.stamp ## Draw the layers of the core from its imports, for docs/design.md
	@$(python) docs/layers.py

bench: .venv/bench.stamp ## Compare with other clients and curl; writes benchmarks/RESULTS.md, takes ten minutes
	@$(python) -m tests.servers.influxd --install
	@$(python) -W ignore -m benchmarks $(args)

matrix: ## Run the tests with several Pythons, and with the newest and oldest dependencies: make matrix PYTHONS=python3.12
	@PYTHONS="$(PYTHONS)" .ci/matrix

newest: ## Run the tests against the newest releases of all dependencies: make newest args="-k write"
	@.ci/newest $(args)

oldest: ## Run the tests against the lower bounds of all direct dependencies
	@.ci/oldest $(args)

wheels: ## Run the tests against the built wheels, without the sources
	@.ci/wheels $(args)

lock: .venv/dev.stamp ## Update uv.lock to the newest releases
	@$(python) -m uv lock --upgrade

coverage: .venv/dev.stamp ## Measure the coverage of the core by its tests and the conformance suite; fails under 95 %
	@$(python) -m pytest -q tests/core tests/conformance -k "not (conformance and (aiohttp or http.client or httpx))" --cov --cov-report=
	@$(python) -m coverage report --include="packages/influx-proto/*" --skip-covered --fail-under=95

dist: .venv/dev.stamp ## Build the wheels and sdists in dist
	@rm -rf dist
	@for package in packages/*/; do $(python) -m build --no-isolation --outdir dist $$package || exit; done
servers: .venv/dev.stamp ## Build InfluxDB 1.13 and 2.7 and a current VictoriaMetrics in ~/.cache; takes some minutes each
	@$(python) -m tests.servers.builds $(SERVER)

ifdef SERVER
conformance: .venv/dev.stamp ## Run the conformance suite with the examples, or on SERVER=1.13, 2.7 or victoriametrics
	@$(python) -m tests.servers.influxd --install
	@$(python) -m tests.servers.nginx --install
	@$(python) -m pytest tests/conformance --server $(SERVER) $(args)
else
conformance: .venv/dev.stamp
	@$(python) -m tests.servers.influxd --install
	@$(python) -m tests.servers.nginx --install
	@$(python) -m tests.servers.victoriametrics --install
	@$(python) -m pytest tests/conformance $(foreach name,http_client:DRIVER httpx:SYNC httpx:ASYNCIO httpx:TRIO,--driver tests.conformance.adapters.$(name)) $(args)
endif

audit: .venv/audit.stamp ## Check the dependencies for known vulnerabilities (queries PyPI)
	@.ci/audit $(args)

format: .venv/dev.stamp ## Format the code and fix what ruff can fix
	@$(python) -m ruff check --fix
	@$(python) -m ruff format

clean: ## Remove all generated files
	rm -rf .venv .cache .matrix .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov build dist quickstart.png
	find . -name __pycache__ -prune -exec rm -rf {} +

# .venv with one of pyproject.toml's dependency groups, at the releases in uv.lock. Synced again when one of these files changes.
.venv/%.stamp: .ci/setup .ci/requirements.txt uv.lock pyproject.toml $(wildcard packages/*/pyproject.toml)
	@.ci/setup $*
	@touch $@
