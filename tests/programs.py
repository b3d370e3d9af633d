"""The project's programs for tests, each in a process of its own, which is forked where everything is imported already.

To import torch, transformers, trl and Gradio takes longer than most of these runs do. What has to be seen of a new interpreter, such as the order of its
sets or a variable that a library reads when it is imported, is not for this: start `sys.executable` there.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "newsft.page.page newsft.page.diagnosis newsft.inference.engine newsft.inference.server newsft.evaluation.run newsft.evaluation.article "
    "newsft.training.run newsft.publish.hub newsft.publish.card gradio_client sacrebleu matplotlib.pyplot"
).split()


class Program:
    """A running program, as far as tests need it what `subprocess.Popen` is."""

    def __init__(
        self,
        words: list[str],
        *,
        environment: dict[str, str],
        output: IO,
        errors: IO,
        given: int | None = None,
        session: bool = False,
    ):
        """`words` are what stands behind `python`; `given` is a file that it reads as its standard input, `session` gives it one of its own."""
        ours, theirs = os.pipe()
        request = json.dumps([list(map(str, words)), environment, session]).encode()
        with tempfile.TemporaryFile() as asked:
            asked.write(request)
            asked.flush()
            files = [asked.fileno(), output.fileno(), errors.fileno(), theirs]
            with _lock:
                socket.send_fds(_forker(), [b"."], files if given is None else [*files, given])
        os.close(theirs)
        self._told = os.fdopen(ours, "r")
        self.pid, self.returncode = int(self._told.readline()), None
        self._end = threading.Thread(target=self._wait, daemon=True)
        self._end.start()

    def _wait(self) -> None:
        with self._told:
            self.returncode = int(self._told.readline() or -signal.SIGKILL)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._end.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a program", timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(*words: object, output: IO, errors: IO, **variables: str) -> Program:
    """`python WORDS`, without the network, with `variables` besides the environment's own."""
    return Program(words, environment=_environment() | variables, output=output, errors=errors)


def popen(command: list[str], *, stdin: int, stdout: IO, stderr: int, start_new_session: bool) -> Program:
    """What a page's runs ask of `subprocess.Popen`, forked: a pipe to its standard input, both outputs in one file."""
    assert (stdin, stderr) == (subprocess.PIPE, subprocess.STDOUT)
    given, ours = os.pipe()
    try:
        files = {"output": stdout, "errors": stdout, "given": given, "session": start_new_session}
        program = Program(command[1:], environment=_environment(), **files)
    finally:
        os.close(given)
    program.stdin = os.fdopen(ours, "wb")
    return program


def start_new(*words: object, output: IO, errors: IO, **variables: str) -> subprocess.Popen:
    """The same in a new interpreter, for what measures its time and memory."""
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=_environment() | variables, stdout=output, stderr=errors)


def run(*words: object, timeout: float = 300, **variables: str) -> subprocess.CompletedProcess:
    """`python WORDS` to its end, with what it has said."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        program = start(*words, output=output, errors=errors, **variables)
        try:
            program.wait(timeout)
        finally:
            program.kill()
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(words, program.returncode, output.read(), errors.read())


_lock = threading.Lock()
_home = tempfile.TemporaryDirectory(prefix="newsft-hub-")  # of the hub's files: nothing was ever downloaded


def _environment() -> dict[str, str]:
    return os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": _home.name, "GRADIO_ANALYTICS_ENABLED": "False"}


@cache
def _forker() -> socket.socket:
    """Where this process's forker is asked, which ends when its asker does."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", __name__, str(theirs.fileno())]
        subprocess.Popen(command, cwd=ROOT, env=_environment() | {"PYTHONHASHSEED": "0"}, pass_fds=[theirs.fileno()])
    return ours


def serve(asker: socket.socket) -> NoReturn:
    """Fork for each request, until nobody can ask any more."""
    while True:
        _, files, *_ = socket.recv_fds(asker, 1, 5)
        while _reap():
            pass
        if not files:
            os._exit(0)  # at once: to take apart what was imported would take seconds
        sys.stdout.flush()
        if os.fork() == 0:
            asker.close()
            watch(*files)
        for file in files:
            os.close(file)


def _reap() -> bool:
    """Whether a watcher had ended."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def watch(asked: int, output: int, errors: int, tell: int, given: int | None = None) -> NoReturn:
    """Start the program, say its id and, once it has ended, its exit code."""
    if child := os.fork():
        os.write(tell, f"{child}\n".encode())
        for file in (asked, output, errors, *([] if given is None else [given])):
            os.close(file)
        os.write(tell, f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n".encode())
        os._exit(0)
    os.close(tell)
    words, environment, session = json.loads(os.pread(asked, os.fstat(asked).st_size, 0))
    for file, place in ((output, 1), (errors, 2), *([] if given is None else [(given, 0)])):
        os.dup2(file, place)
    if session:
        os.setsid()
    if threads := environment.get("OMP_NUM_THREADS"):  # which is read where torch is imported
        sys.modules["torch"].set_num_threads(int(threads))
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the forker itself leaves Ctrl-C to the tests
    finish(*words)


def finish(*words: str) -> NoReturn:
    """The program to its end, with its exit code, but without taking apart what was imported, which would take a second."""
    code = 0
    try:
        execute(*words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # as at an ordinary end: wait for threads, then what was to be done at the exit
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def execute(*words: str) -> NoReturn:
    """As `python WORDS` does in a process that has just been started."""
    if words[0] == "-m":
        sys.argv = list(words[1:])
        sys.modules.pop(words[1], None)  # it is to be run, not only imported
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        runpy.run_path(words[0], run_name="__main__")
    sys.exit()


def main() -> None:
    """Import everything, then fork."""
    import importlib

    from tqdm import tqdm

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(
        threading.RLock()
    )  # its own is one for all processes: who is killed with it in hand would stop the others
    for name in IMPORTED:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()  # a fork takes no thread with it
    gc.freeze()  # what was imported stays: no program looks through it for garbage, nor copies its pages by that
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
