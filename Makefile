# make course · make test · make check · make lab · make app · make clean. Each sets up .venv by itself.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
# The list of files in JupyterLab has each lesson once: not its text beside it, nor what the pages are made with.
HIDDEN = ['__pycache__', '[0-9]*_*.py', 'conf.py', 'own_song.py', '*.j2', '_*']

# uv installs in a tenth of pip's time; where pip was told where to look for packages, it looks there too.
UV = $(shell sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.txt)
export UV_INDEX_STRATEGY ?= unsafe-best-match
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif
# Commands start several seconds sooner with the compiled code of what they import.
unexport PYTHONDONTWRITEBYTECODE
PIP = $(RUN) -m pip install --disable-pip-version-check
LINKS = $${UV_FIND_LINKS:-$${PIP_FIND_LINKS:-$$($(RUN) -m pip config get global.find-links 2> /dev/null)}}
INSTALL = { $(PIP) --quiet "$(UV)" && UV_FIND_LINKS="$(LINKS)" $(RUN) -m uv pip install --compile-bytecode --python $(RUN) -r $(1); } || \
	  { echo "uv could not; pip goes on, which takes some minutes."; $(PIP) -r $(1); }

.PHONY: course test check lab app clean
.DEFAULT_GOAL := course

course: $(VENV)/.installed
	$(RUN) -m dann_lib course

test: $(VENV)/.installed-tests
	$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder  # three files at a time, as browsers wait much; order: tests/conftest.py

check: $(VENV)/.installed-tests
	$(RUN) -m ruff check .
	$(RUN) -m pytest -n 2 -m "not slow" --ignore-glob="*_browser.py" --ignore-glob="*/test_lesson_*"  # without browser, lessons and training

lab: $(VENV)/.installed
	$(RUN) -m jupyter lab notebooks --LabApp.default_url=/lab/tree/01_data.ipynb "--ContentsManager.hide_globs=$(HIDDEN)"

app: $(VENV)/.installed
	$(RUN) -m dann_lib.course.app

clean:
	rm -rf data/synthetic data/cache data/course data/grades data/scores data/separated .pytest_cache .ruff_cache
	test ! -d data/runs || find data/runs -mindepth 1 -maxdepth 1 ! -name reproduce -exec rm -rf {} +  # reproducing takes hours
	find dann_lib tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 …"; exit 1; }
	@echo "Setting up $(VENV), once: packages of 2 GB."
	$(PYTHON) -m venv $(VENV)
	$(call INSTALL,requirements.txt)
	@touch $@

$(VENV)/.installed-tests: $(VENV)/.installed tests/requirements.txt
	$(call INSTALL,tests/requirements.txt)
	@touch $@
