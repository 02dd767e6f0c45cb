"""What sets the course up agrees: pyproject, constraints, conda environment, pre-commit, CI."""

import importlib.metadata
import importlib.util
import itertools
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def ranges(lines) -> dict[str, str]:
    return {r.name: str(r.specifier) for r in map(Requirement, lines)}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


def test_environment_yml_has_the_ranges_of_pyproject():
    wanted = ranges(PROJECT["dependencies"] + EXTRAS["lessons"] + EXTRAS["test"])
    wanted = {CONDA_NAMES.get(name, name): spec for name, spec in wanted.items()}
    wanted["python"] = PROJECT["requires-python"]
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    found = dict(line.split(" ", 1) for line in conda if line != "pip")
    assert pip == {"pip": ["-e ."]}
    assert {n: set(s.split(",")) for n, s in found.items()} == {
        n: set(s.split(",")) for n, s in wanted.items()
    }


def test_base_needs_torch_numpy_and_jaxtyping_alone():
    assert set(ranges(PROJECT["dependencies"])) == {"torch", "numpy", "jaxtyping"}


def test_learners_do_not_get_the_grader_and_tests_do():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
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
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    revisions = {r["repo"].rsplit("/", 1)[1]: r["rev"].lstrip("v") for r in hooks}
    assert revisions == {"ruff-pre-commit": pins()["ruff"], "nbstripout": pins()["nbstripout"]}


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_style(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stdout


def test_ci_runs_the_test_command_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make lab" in readme
    assert re.search(r"^make test\b", readme, re.M)
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").rstrip().endswith("exec make test")
    assert "run: make test" in (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")


def tool(name: str) -> str:
    """A command of the environment that runs these tests."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or name


def test_imports_point_one_way():
    result = run(tool("lint-imports"), "--no-cache", "--no-logo")
    assert result.returncode == 0, result.stdout


def test_the_reference_wing_is_kept_from_every_package_of_the_extras():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    [wing] = [c for c in contracts["importlinter"]["contracts"] if c["id"] == "reference-wing"]
    wanted = {re.split(r"[<>=\[]", line)[0] for n in ("lessons", "bench") for line in EXTRAS[n]}
    modules = importlib.metadata.packages_distributions().items()
    theirs = {m for m, packages in modules if {p.lower() for p in packages} & wanted}
    tops = {m for m in theirs if not m.startswith("_") and importlib.util.find_spec(m).origin}
    assert tops - set(wing["forbidden_modules"]) == set()


def test_what_is_imported_is_declared():
    result = run(tool("deptry"), ".", "--no-ansi")
    assert result.returncode == 0, result.stderr


def test_the_types_of_functions_are_right():
    result = run(tool("pyright"), "--pythonpath", sys.executable)
    assert result.returncode == 0, result.stdout


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
        result = subprocess.run(
            command, capture_output=True, cwd=tmp_path, env=env, encoding="utf-8"
        )
        assert not (tmp_path / "stamp").exists()
        return result

    @staticmethod
    def fake_python(tmp_path, body):
        path = tmp_path / "fake-python"
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def one_sentence(self, result, text):
        assert result.returncode == 1
        assert text in result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr

    def test_no_python(self, tmp_path):
        result = self.setup(tmp_path, PYTHON="no-such-python")
        self.one_sentence(result, "there is no 'no-such-python'")

    @pytest.mark.parametrize("version", ["3.9", "3.15"])
    def test_python_of_the_wrong_version(self, tmp_path, version):
        python = self.fake_python(tmp_path, f"echo {version}")
        self.one_sentence(self.setup(tmp_path, PYTHON=str(python)), f"is Python {version}")

    def test_another_python_beside_the_default_one_is_taken_and_named(self, tmp_path):
        for name, version in (("python3", "3.15"), ("python3.13", "3.13")):
            self.fake_python(tmp_path, f"echo {version}").rename(tmp_path / name)
        result = self.setup(tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin")
        assert "python3 is 3.15; Python 3.13 is, and is taken" in result.stdout

    def test_no_venv_module(self, tmp_path):
        body = 'case "$2" in *version_info*) echo 3.11;; *) exit 1;; esac'
        python = self.fake_python(tmp_path, body)
        self.one_sentence(self.setup(tmp_path, PYTHON=str(python)), "apt install python3.11-venv")

    def test_no_network(self, tmp_path):
        result = self.setup(
            tmp_path,
            PYTHON=sys.executable,
            PIP_INDEX_URL="http://127.0.0.1:9/simple",
            PIP_CONFIG_FILE="/dev/null",
            PIP_RETRIES="0",
        )
        self.one_sentence(result, "the Python package index cannot be reached")
