# The two commands of this course: `make lab` (set up and open it), `make test` (set up, test everything).
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
HERE := $(shell pwd | cksum | cut -d' ' -f1)# a clone that was moved or copied sets itself up anew
LESSONS_READY := $(VENV)/ready-lessons-$(HERE)
TEST_READY := $(VENV)/ready-test-$(HERE)
TEACH_READY := $(VENV)/ready-teach-$(HERE)
NBVAL := -m pytest -p no:cacheprovider --nbval-lax --nbval-current-env --nbval-cell-timeout=1200 --dist loadfile
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
OFFLINE := PYTHONPATH=$(CURDIR)/tests/offline

.PHONY: help lab test unit lessons lesson assignments grade gpu bench clean
help:
	@echo "make lab            set up what is missing and open the course in JupyterLab"
	@echo "make test           set up what is missing, run the unit tests and every lesson"
	@echo "make lesson N=04    run one lesson from top to bottom"
	@echo "make assignments    write assignments/release from assignments/source"
	@echo "make grade SUBMITTED=folder   mark a folder that holds one folder a student (assignments/README.md)"
	@echo "make gpu            run every lesson on CUDA at full scale; writes lessons/GPU.md"
	@echo "make bench          our functions beside the well-known libraries'; writes benchmarks/RESULTS.md"
	@echo "make clean          remove .venv and everything that was built"

$(LESSONS_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons "$@"

$(TEST_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons,teach,test,bench,dev "$@" "$(LESSONS_READY)" "$(TEACH_READY)"

$(TEACH_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons,teach "$@" "$(LESSONS_READY)"

lab: $(LESSONS_READY)
	$(PY) -m jupyter lab lessons/ $(if $(filter 0,$(shell id -u)),--allow-root)

test: unit lessons

unit: $(TEST_READY)
	$(ONE_THREAD) $(PY) -m pytest -q -n auto --maxprocesses 8 --dist worksteal

lessons: $(TEST_READY)
	rm -rf build/records
	$(ONE_THREAD) $(OFFLINE) $(PY) $(NBVAL) -q -n auto --maxprocesses 8 lessons/
	$(PY) -m pytest -q -n 0 tests/lessons/records.py

lesson: $(TEST_READY)
	@ls lessons/$(N)_*.ipynb >/dev/null 2>&1 || { echo "There is no lesson '$(N)': call for example  make lesson N=02"; exit 2; }
	$(OFFLINE) $(PY) $(NBVAL) -q -n 0 lessons/$(N)_*.ipynb

assignments: $(TEACH_READY)
	$(PY) -m grading assignments $(ASSIGNMENT)

grade: $(TEACH_READY)
	@test -n "$(SUBMITTED)" || { echo "Which folder? Call for example  make grade SUBMITTED=~/week1"; exit 2; }
	@$(PY) -m grading grade "$(SUBMITTED)" $(if $(TO),--to "$(TO)") $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) $(if $(WORKERS),--workers $(WORKERS)) $(foreach limit,$(LIMITS),--limit $(limit))

gpu: $(TEST_READY)
	$(PY) scripts/gpu.py

bench: $(TEST_READY)
	$(PY) -m benchmarks
	$(PY) -m benchmarks.bench_scenes --write

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
