# Thin targets: each one line of intent; the work is in eng/ and in the programs themselves.
SHELL := bash
.DEFAULT_GOAL := help

help: ## show the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

build: ## build everything; leaves bin/opt-operator, bin/opt-trainer, bin/opt-local
	@eng/build.sh

.PHONY: help build
