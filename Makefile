# `make demo` and `make test` are all that a newcomer needs; both set everything up first.
# ARGS goes to the command, for example: make up ARGS="--state-dir /tmp/second"

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-faults test-sweep soak bench up down verify generate lock
ARGS ?=
MINUTES ?= 10

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv and build the control plane (skipped when up to date)
	@scripts/bootstrap.sh

demo: setup ## Run the whole story on a real control plane, with checks; leaves nothing running
	@.venv/bin/hydracore demo $(ARGS)

test: setup ## Run all tests but those of faults
	@.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not faults" $(ARGS)

test-faults: setup ## Run the tests that kill, freeze and cut (docs/reliability.md says which)
	@.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "faults and not sweep" $(ARGS)

test-sweep: setup ## Kill the operator at its n-th outgoing call, for every n (long)
	@.venv/bin/pytest -n 2 --dist loadfile -m sweep $(ARGS)

soak: setup ## Random rollout histories in virtual time for MINUTES (10), other ones in every run
	@HYDRACORE_SOAK_MINUTES=$(MINUTES) .venv/bin/pytest -s -n 0 \
		tests/operator/rollouts/model/test_model.py -k long_time $(ARGS)

bench: setup ## Measure rollouts and REST (minutes; docs/performance.md tells what each figure means)
	@.venv/bin/python -m bench $(ARGS)

up: setup ## Start the stack and print what to try next
	@.venv/bin/hydracore up $(ARGS)

down: setup ## Stop the stack
	@.venv/bin/hydracore down $(ARGS)

verify: setup ## Check style, types, imports and that generated files are in step
	@scripts/verify.sh

generate: setup ## Write the generated files again
	@.venv/bin/python -m hydracore_crds.generate
	@.venv/bin/python -m hydracore_api.openapi

lock: ## Resolve the dependencies again into requirements.lock and bench/requirements.lock
	@scripts/uv.sh pip compile --quiet --universal --generate-hashes --extra agent --group dev \
		pyproject.toml -o requirements.lock
	@scripts/uv.sh pip compile --quiet --universal --generate-hashes --group bench \
		-o bench/requirements.lock
