"""The key-value cache of rows that are answered together: each has a slot of its own, so rows of any length join and leave at any step.

transformers' own cache copies itself for every token and pads all rows to one length, which costs half of the time of a batch on a CPU.
"""

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class KVCacheLayer(DynamicLayer):
    """One layer's keys and values, two buffers (slots, heads, positions, size); its cache says where each row writes."""

    def __init__(self, cache: "KVCache"):
        super().__init__()
        self._cache = cache
        self.buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the step's positions, (rows, heads, width, size); returns keys and values (rows, heads, longest row with them, size)."""
        rows, places = self._cache.targets
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[rows, :, places] = states.transpose(1, 2)
        end = self.get_seq_length() + key_states.shape[2]
        keys, values = (buffer[: len(rows), :, :end] for buffer in self.buffers)
        return keys, values

    def get_seq_length(self) -> int:
        """The positions that the longest row has filled."""
        return max(self._cache.lengths, default=0)

    def make_room(self, slots: int, positions: int, like: torch.Tensor) -> None:
        """Buffers of at least this size; `like` gives heads, size, type and device."""
        heads, size = like.shape[1], like.shape[3]
        old = self.buffers
        if old and old[0].shape[0] >= slots and old[0].shape[2] >= positions:
            return
        if old:
            slots, positions = max(slots, old[0].shape[0]), max(positions, old[0].shape[2])
        self.buffers = tuple(
            like.new_zeros(slots, heads, positions, size) for _ in range(2)
        )  # zeros: the mask adds a large negative number, which does not remove a NaN of uninitialised memory
        for buffer, kept in zip(self.buffers, old or (), strict=False):
            buffer[: kept.shape[0], :, : kept.shape[2]] = kept


class KVCache(Cache):
    """All layers' slots; rows are numbered without gaps, and the last takes the number of one that leaves.

    A step is `begin_step`, a pass through the model, `end_step`. Row r has filled the first `lengths[r]` positions of its slot.
    """

    def __init__(self, layers: int):
        super().__init__(layers=[KVCacheLayer(self) for _ in range(layers)])
        self.lengths: list[int] = []
        self.targets: tuple[torch.Tensor, torch.Tensor] | None = (
            None  # within a step: rows (rows, 1) and positions (rows, width) that are written
        )

    def join(self, cache: Cache, lengths: list[int], *, room: int) -> None:
        """Add the rows of a cache that was filled apart, of which row r used `lengths[r]` positions; each may grow by `room`."""
        start, slots, longest = len(self.lengths), len(self.lengths) + len(lengths), max(lengths)
        for layer, filled in zip(self.layers, cache.layers, strict=True):
            layer.make_room(slots, longest + room, filled.keys)
            for buffer, states in zip(layer.buffers, (filled.keys, filled.values), strict=True):
                buffer[start:slots, :, :longest] = states[:, :, :longest]
        self.lengths += lengths

    def leave(self, row: int) -> None:
        """Free a row's slot."""
        last = len(self.lengths) - 1
        length = self.lengths[last]
        if row != last:
            for layer in self.layers:
                for buffer in layer.buffers:
                    buffer[row, :, :length] = buffer[last, :, :length]
            self.lengths[row] = length
        self.lengths.pop()
        if not self.lengths:
            for layer in self.layers:
                layer.buffers = None  # frees the memory: they have the size of the most and the longest rows so far

    def begin_step(self, width: int) -> torch.Tensor:
        """Begin a step in which every row writes `width` positions; which ones, (rows, width)."""
        device = self.layers[0].buffers[0].device  # there are buffers, as there are rows
        places = torch.tensor(self.lengths, device=device)[:, None] + torch.arange(width, device=device)
        self.targets = torch.arange(len(self.lengths), device=device)[:, None], places
        return places

    def end_step(self, kept: list[int]) -> None:
        """End the step: of the positions that it wrote, row r keeps the first `kept[r]`."""
        self.lengths = [length + count for length, count in zip(self.lengths, kept, strict=True)]
        self.targets = None

    def mask(self, dtype: torch.dtype) -> torch.Tensor | None:
        """What to add to the scores of the step's attention, (rows, 1, width, longest row with them); None where every token sees everything."""
        places = self.targets[1]
        longest = max(self.lengths)
        if places.shape[1] == 1 and min(self.lengths) == longest:
            return None
        beyond = torch.arange(longest + places.shape[1], device=places.device) > places[..., None]
        return torch.zeros(beyond.shape, dtype=dtype, device=places.device).masked_fill_(
            beyond, torch.finfo(dtype).min
        )[:, None]


def join_caches(caches: list[Cache]) -> Cache:
    """The rows of several caches of the same length as one; theirs stay as they are."""
    joined = DynamicCache()
    for number in range(len(caches[0].layers)):
        layers = [cache.layers[number] for cache in caches]
        joined.update(
            torch.cat([layer.keys for layer in layers]), torch.cat([layer.values for layer in layers]), number
        )
    return joined
