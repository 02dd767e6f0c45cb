"""The other doors to the course: Binder, development containers, workflows, addresses."""

import json
import re

import yaml

from cvcourse.models import TORCHVISION_WEIGHTS
from scripts import addresses, binder
from tests.lessons.notebooks import ROOT


def test_binder_has_the_environment_without_what_tests_need():
    written = (ROOT / ".binder/environment.yml").read_text(encoding="utf-8")
    whole = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert written == binder.environment(whole), "call python scripts/binder.py"
    ours, all_ = yaml.safe_load(written)["dependencies"], yaml.safe_load(whole)["dependencies"]
    assert ours[-1] == {"pip": ["-e .."]}
    assert set(ours[:-1]) < set(all_[:-1])
    assert not [line for line in ours[:-1] if line.startswith("pytest")]


def test_the_development_container_is_set_up_as_make_test_is():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    script, venv, extras, _ = container["postCreateCommand"].split()
    assert (ROOT / script).exists()
    assert venv == ".venv"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f'"$(VENV)" {extras.removesuffix(",site")} "$@"' in makefile


def test_workflows_call_what_is_there():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert {"site.yml", "weekly.yml", "release.yml", "test.yml"} <= {p.name for p in workflows}
    for path in workflows:
        text = path.read_text(encoding="utf-8")
        assert yaml.safe_load(text)["jobs"]
        for target in re.findall(r"run: make ([a-z]+)", text):
            assert target in targets, f"{path.name}: make {target}"
        for script in re.findall(r"python (\w+/\S+\.py)", text):
            assert (ROOT / script).exists(), f"{path.name}: {script}"


def test_addresses_are_those_of_the_scripts_and_the_weights():
    found = addresses.addresses()
    assert set(TORCHVISION_WEIGHTS.values()) <= set(found)
    text = "\n".join(found)
    for part in ("VOCtrainval_11-May-2012.tar", "cifar-10-binary", "annotations_trainval2017"):
        assert part in text
    assert len(found) == len(set(found))
    assert all(address.startswith(("http://", "https://")) for address in found)


def test_an_address_that_does_not_answer_is_told():
    assert "refused" in addresses.complaint("http://127.0.0.1:9/archive.tar")
