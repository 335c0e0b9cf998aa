# Thin targets: each one line of intent; the work is in eng/ and in the programs themselves.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run test soak bench build images lint golden crds

help: ## show the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

run: ## train a small OPT through the operator on this machine (STORE=azurite: checkpoints in Azure Blob Storage; KEEP=1: look around after the end)
	@eng/install.sh run && eng/build.sh && eng/run.sh

test: ## install what is missing, build, run every test (at most 15 minutes on two cores)
	@eng/install.sh test && eng/build.sh && eng/corpus.sh && eng/test.sh

soak: ## the seeded tests with their full sets
	@eng/install.sh test && eng/build.sh && eng/corpus.sh && OPT_SOAK=1 TEST_TIMEOUT=14400 eng/test.sh

bench: ## print the measurements as a table and as JSON lines
	@eng/install.sh bench && eng/build.sh && eng/corpus.sh && bench/run.sh

build: ## build everything; leaves bin/opt-operator, bin/opt-trainer, bin/opt-local, bin/kubectl-opt
	@eng/build.sh

images: ## build the container images with buildah
	@eng/images.sh

lint: ## check formatting, the chart and the shell scripts
	@eng/lint.sh

golden: ## rewrite the golden files; read the diff before committing it
	@UPDATE_GOLDEN=1 eng/test.sh

crds: ## write crds/ and the chart's copy from the API types
	@eng/crds.sh
