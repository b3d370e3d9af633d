"""Which adapters an engine answers with: found by name, added and removed while others answer. The weights are the decoder's."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from newsft.errors import UserError
from newsft.models.adapter_info import AdapterInfo, unknown_adapter


class Adapters:
    """The adapters by name; safe for threads. The first is the one that answers where none is named, and it stays.

    `retire` is told a removed adapter's side once nobody asks it any more, and not before.
    """

    def __init__(self, infos: Sequence[AdapterInfo], *, retire: Callable[[str], None]):
        self._infos = {info.name: info for info in infos}
        self._first, self._retire = infos[0] if infos else None, retire
        self._lock = threading.Lock()  # guards all of the others; never held while the model runs
        self._coming: set[str] = set()  # names of those that are being loaded
        self._lent: Counter[str] = Counter()  # side -> how many ask it
        self._leaving: set[str] = set()  # sides that are removed and still asked

    @property
    def infos(self) -> tuple[AdapterInfo, ...]:
        """All of them, those that are not listed too."""
        with self._lock:
            return tuple(self._infos.values())

    def find(self, name: str | None = None) -> AdapterInfo | None:
        """The adapter of this name; without one the first, None where there is no adapter at all. UserError for a name that is not there."""
        with self._lock:
            return self._find(name)

    def _find(self, name: str | None) -> AdapterInfo | None:
        if name is None:
            return self._first
        if name not in self._infos:
            raise unknown_adapter(name, [info.name for info in self._infos.values() if info.listed])
        return self._infos[name]

    @contextmanager
    def lend(self, name: str | None) -> Iterator[AdapterInfo | None]:
        """As `find`; within, its weights stay, even where it is removed meanwhile."""
        with self._lock:
            info = self._find(name)
            if info is not None:
                self._lent[info.side] += 1
        try:
            yield info
        finally:
            if info is not None and self._give_back(info.side):
                self._retire(info.side)

    def _give_back(self, side: str) -> bool:
        """Whether that was the last one who asked a removed adapter."""
        with self._lock:
            self._lent[side] -= 1
            last = not self._lent[side]
            if last:
                del self._lent[side]
            leaves = last and side in self._leaving
            self._leaving -= {side} if leaves else set()
            return leaves

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """Keep a name for an adapter that is loaded within. UserError for an empty name and for one that is taken."""
        with self._lock:
            if not name.strip() or name in self._infos or name in self._coming:
                what = f"is the name of another adapter ({name})" if name.strip() else "is empty"
                raise UserError(f"The adapter's name {what}; give it another one.", key="adapter_name", name=name)
            self._coming.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._coming.discard(name)

    def put(self, info: AdapterInfo) -> None:
        """From here on it can be asked."""
        with self._lock:
            self._infos[info.name] = info

    def remove(self, name: str) -> None:
        """From here on it cannot be asked; who is being answered by it is answered to the end. UserError for an unknown name and for the first."""
        with self._lock:
            info = self._find(name)
            if info is self._first:
                raise UserError(
                    f"{name} is the adapter that the page was started with, and stays; start the page with another --adapter.",
                    key="adapter_stays",
                    name=name,
                )
            del self._infos[name]
            asked = bool(self._lent[info.side])
            if asked:
                self._leaving.add(info.side)
        if not asked:
            self._retire(info.side)
