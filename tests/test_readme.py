import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_linked_file_exists(readme):
    targets = re.findall(r"\]\(([^)#:]+)\)", readme.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_make_target_and_flag_exists(readme):
    text = readme.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    helps = "".join(
        subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for command in (["app.py"], ["train.py"], ["-m", "newsft.evaluation"], ["-m", "newsft.export"])
    )
    flags = set(re.findall(r"(?<![\w!-])(--[a-z][a-z-]+)", re.sub(r"<!--.*?-->|^vllm .*$|--nproc_per_node|--config_file|--num_processes", "", text, flags=re.MULTILINE)))  # other programs' flags
    assert flags
    assert [flag for flag in flags if flag not in helps] == []


def test_screenshots_are_small():
    shots = list((ROOT / "assets" / "screenshots").glob("*.png"))
    assert len(shots) >= 3
    assert [shot.name for shot in shots if shot.stat().st_size > 300_000] == []
