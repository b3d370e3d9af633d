"""What a Hugging Face Space gets: put into a folder, and started as a Space starts it.

python -m scripts.space FOLDER             every file of the repository that a Space needs, read-only
python -m scripts.space FOLDER --check     its page, started with this interpreter and asked one question
python -m scripts.space FOLDER --check --zero     the same as on ZeroGPU, with a stand-in for its package `spaces`

`make space` does the first and the last, with a fresh environment that holds nothing but the Space's requirements and the Gradio that it names.
"""

import argparse
import fcntl
import json
import os
import platform
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("tests/", ".ci/", "newsft/mini/")
FRONT_MATTER = ROOT / "assets" / "space.yaml"
TORCH = "2.11.0"  # the newest that ZeroGPU takes; Python 3.12.12, in FRONT_MATTER, likewise
ZERO_LOG = "zero.jsonl"
STAND_IN = Path(__file__).parent / "stand_in"
LARGEST_FILE = 10_000_000  # bytes; the hub refuses larger ones outside Git LFS
SPACE_MEMORY = 16.0  # GB, of the free CPU hardware
NEWS = "가람누리테크가 1,200억 원 규모의 전력 반도체 공급 계약을 체결했다."


def list_files() -> list[str]:
    """What git tracks, without what only developers need."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return [name for name in tracked if name and not name.startswith(LEFT_OUT)]


def build(folder: Path) -> None:
    """Copy the files to `folder`, which is made anew, and take the right to write from everybody."""
    if folder.exists():
        set_modes(folder, files=0o644, folders=0o755)
        shutil.rmtree(folder)
    for name in list_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        if target.stat().st_size > LARGEST_FILE:
            sys.exit(
                f"error: {name} has more than {LARGEST_FILE:,} bytes, which a Space takes through Git LFS only; make it smaller or split it."
            )
    readme, front = folder / "README.md", FRONT_MATTER.read_text(encoding="utf-8")
    readme.write_text(f"---\n{front}---\n\n{readme.read_text(encoding='utf-8')}", encoding="utf-8")
    (folder / "requirements.txt").write_text(space_requirements(), encoding="utf-8")
    set_modes(folder, files=0o444, folders=0o555)


def space_requirements() -> str:
    """requirements.txt as a Space needs it: ZeroGPU's torch, and no Gradio, which the Space installs by the `sdk_version` of its README."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [f"torch=={TORCH}" if line.startswith("torch==") else line for line in lines]
    return "".join(f"{pin}\n" for pin in pins if not pin.startswith("gradio=="))


def set_modes(folder: Path, *, files: int, folders: int) -> None:
    """The same mode for all files of a tree, and for all its folders."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(folders if path.is_dir() else files)


def isolation() -> list[str]:
    """The command that runs another one without any network but its own loopback; empty where that is not allowed here."""
    return allowed(["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"])


def allowed(command: list[str]) -> list[str]:
    """The command if it can be run here, else nothing."""
    try:
        return command if subprocess.run([*command, "true"], capture_output=True).returncode == 0 else []
    except FileNotFoundError:
        return []


def raise_loopback() -> None:
    """Switch the loopback interface on; in a new network namespace it is off."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = fcntl.ioctl(probe, get_flags, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", request)[1]
        if not flags & up:
            fcntl.ioctl(probe, set_flags, struct.pack("16sH14x", b"lo", flags | up))


def drop_rights(folder: Path) -> list[str]:
    """The command that runs another one without root's rights: as nobody, or, where nobody cannot reach the interpreter, as nobody of a user namespace; empty where neither is allowed here.

    Either way the program has no capability, so that what is read-only is so for it too.
    """
    nobody = pwd.getpwnam("nobody")
    mapped = any(
        first <= nobody.pw_uid < first + count
        for first, _, count in (map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines())
    )
    ways = [
        parent for start in (Path(sys.executable), Path(sys.executable).resolve(), folder) for parent in start.parents
    ]
    if os.geteuid() == 0 and mapped and all(way.stat().st_mode & 0o005 == 0o005 for way in ways):
        return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return allowed(["unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}"])


@contextmanager
def serve(folder: Path, *, zero: bool = False, seconds: float = 300) -> Iterator[tuple[str, int, Path]]:
    """The running page's address, process id and home folder. The environment is a Space's, with `zero` ZeroGPU's, and nothing of this one but NEWSFT_* and HF_*."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="newsft-home-") as home, tempfile.TemporaryFile() as log:
        environment = {name: value for name, value in os.environ.items() if name.startswith(("NEWSFT_", "HF_", "OMP_"))}
        environment |= {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": home,
            "LANG": "C.UTF-8",
            "SYSTEM": "spaces",
            "SPACE_ID": "someone/newsft",
            "PYTHONUNBUFFERED": "1",
        }
        environment |= {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port), "GRADIO_NUM_PORTS": "1"}
        if zero:
            environment |= {"SPACES_ZERO_GPU": "true", "PYTHONPATH": str(STAND_IN)}
            environment |= {"ZERO_STAND_IN_LOG": str(Path(home, ZERO_LOG)), "PYTHONDONTWRITEBYTECODE": "1"}
        Path(home).chmod(0o777)  # whoever the page runs as
        process = subprocess.Popen(
            [*drop_rights(folder), sys.executable, "app.py"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for_page(process, f"http://127.0.0.1:{port}", seconds)
            yield f"http://127.0.0.1:{port}", process.pid, Path(home)
        except BaseException:  # SystemExit too
            log.seek(0)
            print(log.read().decode(errors="replace"), file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_page(process: subprocess.Popen, url: str, seconds: float) -> None:
    """Return when the page answers; SystemExit where it ends or takes longer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: the page did not start within {seconds:.0f} s; its log stands above.")
            time.sleep(0.2)


def read_zero(home: Path) -> dict:
    """What the stand-in for ZeroGPU has noted: the functions that are decorated at the start, and the seconds that calls have asked for."""
    events = [json.loads(line) for line in (home / ZERO_LOG).read_text(encoding="utf-8").splitlines()]
    found = [event["decorated"] for event in events if event["event"] == "launch"]
    return {
        "gpu_functions": found[0] if found else [],
        "gpu_seconds": [event["seconds"] for event in events if event["event"] == "gpu"],
    }


def check(folder: Path, *, zero: bool = False) -> dict:
    """Start the page, ask it one question, and say what was seen; SystemExit where something is not as it has to be."""
    from gradio_client import Client

    raise_loopback()
    files, begun = describe_tree(folder), time.monotonic()
    with serve(folder, zero=zero) as (url, pid, home):
        started = time.monotonic() - begun
        answer = Client(url, verbose=False).predict(news=NEWS, api_name="/compare")
        status = Path(f"/proc/{pid}/status").read_text()
        memory = int(status.split("VmHWM:")[1].split()[0]) / 1e6
        report = {
            "python": platform.python_version(),
            "torch": version("torch"),
            "gradio": version("gradio"),
            "capabilities": int(status.split("CapEff:")[1].split()[0], 16),
            "network": [name for _, name in socket.if_nameindex()],
            "seconds_to_start": round(started, 1),
            "peak_memory_gb": round(memory, 2),
            "ended": {side: answer[side]["reason"] for side in ("base", "tuned")},
            "adapter": answer["receipt"]["adapter_fingerprint"],
            "alarms": answer["receipt"]["alarms"],
            "device": answer["receipt"]["decoding"]["device"],
            "written_to_home": sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()),
        } | (read_zero(home) if zero else {})
    if describe_tree(folder) != files:
        sys.exit("error: the page has written to its own folder, which a read-only one would not have let it.")
    if memory > SPACE_MEMORY:
        sys.exit(f"error: the page took {memory:.1f} GB; a Space on CPU basic has {SPACE_MEMORY:.0f}.")
    return report


def describe_tree(folder: Path) -> list[tuple]:
    """Name, size and time of every file of a tree."""
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*"))


def main() -> int:
    """Build, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the Space's folder; made anew unless it is only checked")
    parser.add_argument(
        "--check",
        action="store_true",
        help="start the folder's page, without network where that is allowed here, and ask it one question",
    )
    parser.add_argument("--zero", action="store_true", help="with --check: as on ZeroGPU, with a stand-in for `spaces`")
    parser.add_argument("--here", action="store_true", help="with --check: in this process's own network")
    arguments = parser.parse_args()
    if not arguments.check:
        build(arguments.folder)
        print(f"{len(list_files())} files in {arguments.folder}")
    elif arguments.here:
        print(json.dumps(check(arguments.folder.resolve(), zero=arguments.zero)))
    else:
        flags = ["--check", "--here", *(["--zero"] if arguments.zero else [])]
        command = [*isolation(), sys.executable, "-m", "scripts.space", str(arguments.folder), *flags]
        return subprocess.run(command, cwd=ROOT).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
