"""What sets the course up agrees: pyproject, constraints, conda environment, pre-commit, CI."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def ranges(lines) -> dict[str, str]:
    return {r.name: str(r.specifier) for r in map(Requirement, lines)}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


def test_environment_yml_has_the_ranges_of_pyproject():
    wanted = ranges(PROJECT["dependencies"] + EXTRAS["lessons"] + EXTRAS["test"])
    wanted = {CONDA_NAMES.get(name, name): spec for name, spec in wanted.items()}
    wanted["python"] = PROJECT["requires-python"]
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    found = dict(line.split(" ", 1) for line in conda if line != "pip")
    assert pip == {"pip": ["-e ."]}
    assert {n: set(s.split(",")) for n, s in found.items()} == {
        n: set(s.split(",")) for n, s in wanted.items()
    }


def test_base_needs_torch_numpy_and_jaxtyping_alone():
    assert set(ranges(PROJECT["dependencies"])) == {"torch", "numpy", "jaxtyping"}


def test_learners_do_not_get_the_grader_and_tests_do():
    makefile = (ROOT / "Makefile").read_text()
    extras = dict(re.findall(r"^\$\((\w+)_READY\):.*\n.*\"\$\(VENV\)\" (\S+)", makefile, re.M))
    assert extras["LESSONS"] == "lessons"
    assert {"teach", "test"} <= set(extras["TEST"].split(","))
    assert not [line for line in EXTRAS["lessons"] if "nbgrader" in line]
    assert re.search(r"^lab: \$\(LESSONS_READY\)$", makefile, re.M)
    assert re.search(r"^grade: \$\(TEACH_READY\)$", makefile, re.M)


def test_constraints_are_exact_and_inside_the_ranges():
    assert pins()["torch"] == "2.13.0"
    for line in itertools.chain(PROJECT["dependencies"], *EXTRAS.values()):
        requirement = Requirement(line)
        pin = pins()[requirement.name.lower().replace("_", "-")]
        assert requirement.specifier.contains(pin), f"{requirement} does not admit {pin}"
        assert any(s.operator == ">=" for s in requirement.specifier), f"{requirement}: no range"


def test_precommit_uses_the_pinned_tools():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    revisions = {r["repo"].rsplit("/", 1)[1]: r["rev"].lstrip("v") for r in hooks}
    assert revisions == {"ruff-pre-commit": pins()["ruff"], "nbstripout": pins()["nbstripout"]}


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_style(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_ci_runs_the_test_command_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert "make lab" in readme
    assert re.search(r"^make test\b", readme, re.M)
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")
    assert "run: make test" in (ROOT / ".github/workflows/test.yml").read_text()


def imported(source: str) -> set[str]:
    """Top-level names of all absolute imports in a file, wherever in the file they stand."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return names


@pytest.mark.parametrize("wing", ["losses", "metrics", "ops", "models"])
def test_the_reference_wing_imports_torch_numpy_and_jaxtyping_alone(wing):
    for path in (ROOT / "cvcourse" / wing).rglob("*.py"):
        names = imported(path.read_text())
        packages = {name.split(".")[0] for name in names}
        extra = packages - {"torch", "numpy", "jaxtyping", "cvcourse"} - sys.stdlib_module_names
        assert not extra, f"{path} imports {extra}"
        assert not [n for n in names if re.match(r"cvcourse\.(data|classroom)", n)], path


def test_the_reference_wing_loads_nothing_else():
    program = (
        "import sys, numpy, jaxtyping, torch; before = set(sys.modules); "
        "import cvcourse.losses, cvcourse.metrics, cvcourse.ops, cvcourse.models; "
        "others = {'matplotlib', 'scipy', 'sklearn', 'skimage', 'accelerate', 'IPython', 'tqdm'}; "
        "more = (set(sys.modules) - before) & others; assert not more, more"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_importing_cvcourse_loads_nothing():
    program = (
        "import sys, cvcourse; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


class TestSetupSaysWhatIsMissing:
    @staticmethod
    def setup(tmp_path, **environment):
        command = [ROOT / "scripts/setup.sh", tmp_path / "venv", "lessons", tmp_path / "stamp"]
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **environment}
        for name in ("pyproject.toml", "constraints.txt"):
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
        assert not (tmp_path / "stamp").exists()
        return result

    @staticmethod
    def fake_python(tmp_path, body):
        path = tmp_path / "fake-python"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    def one_sentence(self, result, text):
        assert result.returncode == 1
        assert text in result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr

    def test_no_python(self, tmp_path):
        result = self.setup(tmp_path, PYTHON="no-such-python")
        self.one_sentence(result, "there is no 'no-such-python'")

    @pytest.mark.parametrize("version", ["3.9", "3.14"])
    def test_python_of_the_wrong_version(self, tmp_path, version):
        python = self.fake_python(tmp_path, f"echo {version}")
        self.one_sentence(self.setup(tmp_path, PYTHON=python), f"is Python {version}")

    def test_no_venv_module(self, tmp_path):
        body = 'case "$2" in *version_info*) echo 3.11;; *) exit 1;; esac'
        python = self.fake_python(tmp_path, body)
        self.one_sentence(self.setup(tmp_path, PYTHON=python), "apt install python3.11-venv")

    def test_no_network(self, tmp_path):
        result = self.setup(
            tmp_path,
            PYTHON=sys.executable,
            PIP_INDEX_URL="http://127.0.0.1:9/simple",
            PIP_CONFIG_FILE="/dev/null",
            PIP_RETRIES="0",
        )
        self.one_sentence(result, "the Python package index cannot be reached")
