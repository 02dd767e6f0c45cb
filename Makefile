# The two commands of this course: `make lab` (set up and open it), `make test` (set up, test everything).
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
HERE := $(shell pwd | cksum | cut -d' ' -f1)# a clone that was moved or copied sets itself up anew
LESSONS_READY := $(VENV)/ready-lessons-$(HERE)
TEST_READY := $(VENV)/ready-test-$(HERE)
SITE_READY := $(VENV)/ready-site-$(HERE)
TEACH_READY := $(VENV)/ready-teach-$(HERE)

.PHONY: help lab explore test unit lessons lesson site assignments grade mark gpu rehearse bench bench-gpu mutants clean
help:
	@echo "make lab            set up what is missing and open the course in JupyterLab"
	@echo "make explore        choose a picture and a question, and see what every trained model answers"
	@echo "make test           set up what is missing, run the unit tests and every lesson"
	@echo "make unit K=focal   run the unit tests, or those whose names contain a word"
	@echo "make lesson N=04    run one lesson from top to bottom"
	@echo "make site           the course as a site, build/site, from what make lessons left behind"
	@echo "make assignments    write assignments/release from assignments/source"
	@echo "make grade SUBMITTED=folder   mark a folder that holds one folder a student (assignments/README.md)"
	@echo "make mark SUBMITTED=folder    open Formgrader to mark the written answers of that folder"
	@echo "make gpu            run every lesson on CUDA at full scale; writes lessons/GPU.md"
	@echo "make rehearse       every lesson at scale full on the CPU, two steps a training; or SEEDS=\"0 1 2\": which claims hold"
	@echo "make bench          our functions beside the well-known libraries', and what became slower; writes benchmarks/RESULTS.md"
	@echo "make bench-gpu      the same on a CUDA device, beside torchvision's kernels; writes benchmarks/GPU.md"
	@echo "make mutants FILE=cvcourse/losses/dice.py   do its tests notice when a token of it changes?"
	@echo "make clean          remove .venv and everything that was built"

$(LESSONS_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons "$@"

$(TEST_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons,teach,test,bench,dev "$@" "$(LESSONS_READY)" "$(TEACH_READY)"

$(TEACH_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons,teach "$@" "$(LESSONS_READY)"

$(SITE_READY): pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" scripts/setup.sh "$(VENV)" lessons,site "$@" "$(LESSONS_READY)"

lab: $(LESSONS_READY)
	$(PY) -m jupyter lab lessons/ $(if $(filter 0,$(shell id -u)),--allow-root)

explore: $(LESSONS_READY)
	@$(PY) -m cvcourse explore

test: unit lessons

unit: $(TEST_READY)
	$(PY) -m cvcourse unit $(K)

lessons: $(TEST_READY)
	$(PY) -m cvcourse lessons

lesson: $(TEST_READY)
	@$(PY) -m cvcourse lesson $(N)

site: $(SITE_READY)
	@$(PY) -m cvcourse site $(if $(STRICT),strict)

assignments: $(TEACH_READY)
	$(PY) -m grading assignments $(ASSIGNMENT)

grade: $(TEACH_READY)
	@test -n "$(SUBMITTED)" || { echo "Which folder? Call for example  make grade SUBMITTED=~/week1"; exit 2; }
	@$(PY) -m grading grade "$(SUBMITTED)" $(if $(TO),--to "$(TO)") $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) $(if $(WORKERS),--workers $(WORKERS)) $(foreach limit,$(LIMITS),--limit $(limit))

mark: $(TEACH_READY)
	@test -n "$(SUBMITTED)" || { echo "Which folder? Call for example  make mark SUBMITTED=~/week1"; exit 2; }
	@$(PY) -m grading mark "$(SUBMITTED)" $(if $(TO),--to "$(TO)")

gpu: $(TEST_READY)
	$(PY) scripts/gpu.py

rehearse: $(TEST_READY)
	$(PY) scripts/rehearse.py $(N) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(DATA),--data $(DATA))

bench: $(TEST_READY)
	$(PY) -m benchmarks
	$(PY) -m benchmarks.bench_scenes --write

bench-gpu: $(TEST_READY)
	$(PY) -m benchmarks.bench_gpu

mutants: $(TEST_READY)
	@test -n "$(FILE)" || { echo "Which file? Call for example  make mutants FILE=cvcourse/losses/dice.py"; exit 2; }
	$(PY) scripts/mutants.py $(FILE) $(if $(SAMPLE),--sample $(SAMPLE))

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
