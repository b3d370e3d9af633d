"""Install the pinned torch as the build that this machine can use: python -m scripts.install_torch [REQUIREMENTS]

On Linux a plain `pip install torch` brings CUDA: some 3 GB of download, 5.5 GB on the disk, for a page that needs a tenth of it. Where no NVIDIA
driver is found and PyTorch's own index of CPU builds answers, torch comes from there; otherwise from pip's own index, as ever.
"""

import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
CPU_INDEX = os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
ANSWER_SECONDS = 3.0
DRIVER = Path("/proc/driver/nvidia/version")


def pinned(requirements: Path = ROOT / "requirements.txt") -> str:
    """`torch==...` as the requirements have it."""
    return next(line for line in requirements.read_text(encoding="utf-8").split() if line.startswith("torch=="))


def installed(pin: str) -> bool:
    """Whether this environment has that version already, of whatever build."""
    try:
        return version("torch").partition("+")[0] == pin.partition("==")[2]
    except PackageNotFoundError:
        return False


def has_nvidia() -> bool:
    """Whether there is an NVIDIA driver, without which CUDA's torch has nothing to run on."""
    return DRIVER.exists() or shutil.which("nvidia-smi") is not None


def answers(index: str) -> bool:
    """Whether an index lists torch within a few seconds; networks that close it often swallow the request."""
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=ANSWER_SECONDS) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


def install(pin: str, *flags: str) -> bool:
    """Whether pip installed it."""
    return (
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *flags, pin]
        ).returncode
        == 0
    )


def main(*given: str) -> int:
    """Choose, say how much it is, install; what is given is the file that names the version."""
    pin = pinned(*map(Path, given))
    if installed(pin):
        return 0
    if platform.system() != "Linux":
        return 0 if install(pin) else 1
    if has_nvidia():
        print(f"an NVIDIA driver is there: {pin} with CUDA, some 3 GB to download, 5.5 GB on the disk")
    elif answers(CPU_INDEX):
        print(f"no NVIDIA driver: {pin} for the CPU from {CPU_INDEX}, some 0.2 GB to download")
        # The index is an extra one, of this one package: of equal versions pip takes the one marked +cpu.
        if install(pin, "--extra-index-url", CPU_INDEX):
            return 0
        print("that did not work; pip's own index is tried")
    else:
        print(
            f"no NVIDIA driver, and {CPU_INDEX} does not answer: {pin} from pip's own index; where that one has CUDA's build alone, some 3 GB to download, 5.5 GB on the disk"
        )
    return 0 if install(pin) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
