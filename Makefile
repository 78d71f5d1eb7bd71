# Two commands are all there is to know:
#   make run     watch a training script in the terminal   (SCRIPT=train.py ARGS="--epochs 3")
#   make test    every check that a change has to pass; with another PyTorch: make tests TORCH=2.14.1
#                and the recording of another TensorFlow: make tensorflow TENSORFLOW=2.16.2
# They need Python 3.11 to 3.13, make and git; the rest goes into .venv, which `make clean` removes.

PYTHON ?= python3
# Another PyTorch or TensorFlow than the pinned one gets an environment of its own.
TORCH ?=
TENSORFLOW ?=
VENV ?= .venv$(if $(TORCH),-torch-$(TORCH))$(if $(TENSORFLOW),-tensorflow-$(TENSORFLOW))
SCRIPT ?= examples/digits.py
ARGS ?=
# Tests on two cores: they start many processes of their own.
JOBS ?= 2

BIN := $(VENV)/bin
PINS := $(if $(TORCH)$(TENSORFLOW),$(VENV)/constraints.txt,constraints.txt)
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint $(PINS)

.PHONY: run test lint types layers tests long fuzz verdict truth compare tensorflow libraries formats bench pictures clean
.DELETE_ON_ERROR:

run: $(VENV)/.for-run
	$(BIN)/graphlens run $(SCRIPT) $(ARGS)

# The quick ones first: a typo is said after a second, not after the tests.
test: lint types layers tests

lint: $(VENV)/.for-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.for-test
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: $(VENV)/.for-test
	$(BIN)/lint-imports

tests: $(VENV)/.for-test
	$(BIN)/python -m pytest -n $(JOBS) --ignore=tests/libraries --ignore-glob='*/test_truth_*' $(PYTEST_ARGS)

# What takes too long for every change, and more of what is random.
long: $(VENV)/.for-test
	GRAPHLENS_EXAMPLES=60 $(BIN)/python -m pytest -n $(JOBS) -m 'long or hypothesis' --ignore=tests/libraries $(PYTEST_ARGS)

# Damaged and hostile run files, for SECONDS: what breaks the reader is kept, and said.
SECONDS ?= 600
fuzz: $(VENV)/.for-test
	PYTHONPATH=tests nice $(BIN)/python tests/trust/fuzz.py $(SECONDS)

# The verdict on all cases, ranks and models, of which `make test` tries a part.
verdict: $(VENV)/.for-test
	GRAPHLENS_CASES=all $(BIN)/python -m pytest -n $(JOBS) tests/verdict --ignore-glob='*/test_truth_*' $(PYTEST_ARGS)

# That what the verdict's cases say of themselves is what running them without graphlens shows.
truth: $(VENV)/.for-test
	for framework in pytorch tensorflow; do $(BIN)/python -m pytest tests/verdict/test_truth_$$framework.py || exit 1; done

# What detect_anomaly, torchlens and check_numerics say of the verdict's cases; half an hour.
compare: $(VENV)/.for-libraries
	for framework in pytorch tensorflow; do PYTHONPATH=tests $(BIN)/python tests/verdict/compared.py $$framework || exit 1; done

# Only what records TensorFlow, without PyTorch.
tensorflow: $(VENV)/.for-tensorflow
	$(BIN)/python -m pytest -n $(JOBS) tests/tracers/tf $(PYTEST_ARGS)

# Scripts that use other people's libraries: ten of those and what they need are installed first.
libraries: $(VENV)/.for-libraries
	$(BIN)/python -m pytest tests/libraries $(PYTEST_ARGS)

# Our files in the programs they are for: DuckDB, Chromium, Mermaid, Model Explorer, as far as those are here.
formats: $(VENV)/.for-formats
	command -v npm > /dev/null && npm install --silent --no-save --prefix $(VENV) 'mermaid@11' || echo 'no npm: Mermaid is not tried'
	$(BIN)/python -m pytest -m 'long or not long' tests/exporters $(PYTEST_ARGS)

# What tracing costs, and what a frame of the terminal costs, on this machine.
bench: $(VENV)/.for-test
	for benchmark in $(filter-out benchmarks/training.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$benchmark || exit 1; done

# The pictures of the README, from a real recording.
pictures: $(VENV)/.for-test
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# A stamp is as new as what was installed: the second `make` has nothing to do.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "graphlens needs Python 3.11 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + "; name another one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	touch $@

# Each PyTorch has its own torchvision, and each TensorFlow its own bounds for the four that go.
$(VENV)/constraints.txt: constraints.txt $(VENV)/.made
	sed $(if $(TORCH),-e 's/^torch==.*/torch==$(TORCH)/' -e '/^torchvision==/d') \
		$(if $(TENSORFLOW),-e 's/^tensorflow==.*/tensorflow==$(TENSORFLOW)/' -e '/^\(numpy\|protobuf\|ml-dtypes\|tf-keras\)==/d') \
		constraints.txt > $@

$(VENV)/.for-run: $(VENV)/.made pyproject.toml $(PINS)
	@echo 'installing graphlens and PyTorch into $(VENV); the first time takes a few minutes'
	$(INSTALL) --editable '.[torch,examples]'
	touch $@

$(VENV)/.for-test: $(VENV)/.made pyproject.toml $(PINS)
	@echo 'installing graphlens, PyTorch and the development tools into $(VENV); the first time takes a few minutes'
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/.for-tensorflow: $(VENV)/.made pyproject.toml $(PINS)
	$(INSTALL) --editable '.[tensorflow]' hypothesis pytest pytest-asyncio pytest-xdist tf-keras
	touch $@

# Model Explorer brings a PyTorch, a TensorFlow and a NumPy of its own choice: it gets an environment of its own.
$(VENV)/.for-formats: $(VENV)/.for-test
	$(INSTALL) --editable '.[dev,formats]'
	$(PYTHON) -m venv $(VENV)/explorer
	$(VENV)/explorer/bin/python -m pip install --disable-pip-version-check --quiet 'ai-edge-model-explorer==0.1.34'
	touch $@

# Operators of a torchvision that was built for another PyTorch cannot be loaded, and what imports it fails.
$(VENV)/.for-libraries: $(VENV)/.for-test
	$(INSTALL) --editable '.[dev,libraries]'
	$(BIN)/python -c 'import torchvision' || $(BIN)/python -m pip uninstall --yes --quiet torchvision
	touch $@
