# make demo: set up and open the page.  make test: set up and run every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := HF_HUB_OFFLINE=1 $(BIN)/python

.PHONY: demo test train evaluate lint format mini clean

demo: $(VENV)/.demo
	$(RUN) app.py --open

test: $(VENV)/.test lint
	scripts/install-browser
	$(RUN) -m pytest

train: $(VENV)/.demo
	$(RUN) train.py

evaluate: $(VENV)/.demo
	$(RUN) -m newsft.evaluation

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The miniature from nothing: rows, tokenizer, base model (resumable, several hours on two cores), adapter. The shipped base model
# was made along this schedule in several sittings: assets/mini/README.md.
mini: $(VENV)/.demo
	$(RUN) -m newsft.mini.corpus
	$(RUN) -m newsft.mini.tokenizer
	$(RUN) -m newsft.mini.pretrain
	$(RUN) train.py --output assets/mini-news
	$(RUN) -m newsft.evaluation --output assets/mini-news/evaluation

# torch is pinned: that version is a CPU build where the index has one, and a plain `torch` is several GB of CUDA.
$(VENV)/.demo: requirements.txt
	scripts/make-venv $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.test: requirements-dev.txt $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) work
