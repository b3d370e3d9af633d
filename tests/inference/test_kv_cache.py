import torch
from transformers import DynamicCache

from newsft.inference.kv_cache import KVCache, join_caches

HEADS, SIZE = 2, 4


def states(rows, positions):
    return torch.randn(rows, HEADS, positions, SIZE), torch.randn(rows, HEADS, positions, SIZE)


def filled(rows, positions, layers=2):
    cache = DynamicCache()
    for number in range(layers):
        cache.update(*states(rows, positions), number)
    return cache


def step(cache, own, width=1, kept=None):
    """More positions for every row, in the cache and in each row's own list of keys; what the cache gives back agrees."""
    kept = kept or [width] * len(own)
    places, before = cache.begin_step(width), list(cache.lengths)
    assert places.tolist() == [list(range(length, length + width)) for length in before]
    for number in range(len(cache.layers)):
        new_keys, new_values = states(len(own), width)
        keys, values = cache.update(new_keys, new_values, number)
        assert keys.shape == values.shape == (len(own), HEADS, max(before) + width, SIZE)
        for row, mine in enumerate(own):
            whole = [
                torch.cat([old, new[row]], 1) for old, new in zip(mine[number], (new_keys, new_values), strict=True)
            ]
            end = before[row] + width
            assert torch.equal(keys[row, :, :end], whole[0]) and torch.equal(values[row, :, :end], whole[1])
            mine[number] = [one[:, : before[row] + kept[row]] for one in whole]
    cache.end_step(kept)
    assert cache.lengths == [length + count for length, count in zip(before, kept, strict=True)]


def lists(cache, lengths):
    return [
        [[layer.keys[row, :, :length], layer.values[row, :, :length]] for layer in cache.layers]
        for row, length in enumerate(lengths)
    ]


def test_rows_of_any_length_join_grow_and_leave():
    torch.manual_seed(0)
    cache, first, second = KVCache(2), filled(3, 6), filled(2, 9)
    cache.join(first, [4, 6, 5], room=3)
    own = lists(first, [4, 6, 5])
    step(cache, own)
    cache.leave(0)  # the last row takes its number
    own = [own[2], own[1]]
    assert cache.lengths == [6, 7]
    step(cache, own)
    cache.join(second, [9, 2], room=4)  # longer than the buffers were
    own += lists(second, [9, 2])
    for _ in range(3):
        step(cache, own)
    cache.leave(3)
    own.pop()
    step(cache, own)
    assert cache.lengths == [11, 12, 13] and cache.get_seq_length() == 13


def test_a_step_of_several_positions_keeps_as_many_as_each_row_wants():
    torch.manual_seed(3)
    cache, first = KVCache(2), filled(2, 5)
    cache.join(first, [5, 3], room=12)
    own = lists(first, [5, 3])
    for kept in ([3, 1], [1, 2], [2, 3]):  # what was not kept is written over by the next step
        step(cache, own, width=3, kept=kept)
    assert cache.lengths == [11, 9]


def test_each_token_of_a_step_sees_its_row_up_to_itself():
    cache = KVCache(1)
    cache.join(filled(2, 5, layers=1), [5, 3], room=3)
    cache.begin_step(2)
    mask = cache.mask(torch.float32)
    assert mask.shape == (2, 1, 2, 7)
    assert (mask[:, 0] == 0).sum(-1).tolist() == [[6, 7], [4, 5]]


def test_mask_hides_what_a_shorter_row_has_not_filled():
    cache = KVCache(1)
    cache.join(filled(2, 5, layers=1), [5, 3], room=2)
    cache.begin_step(1)
    mask = cache.mask(torch.float32)
    assert mask.shape == (2, 1, 1, 6)
    assert (mask == 0).flatten(1).tolist() == [[True] * 6, [True] * 4 + [False] * 2]
    cache.leave(1)
    cache.begin_step(1)
    assert cache.mask(torch.float32) is None


def test_joined_caches_grow_without_touching_their_sources():
    torch.manual_seed(2)
    first, second = filled(1, 6), filled(1, 6)
    kept = first.layers[0].keys.clone()
    joined = join_caches([first, second, first])
    assert torch.equal(joined.layers[0].keys, torch.cat([kept, second.layers[0].keys, kept]))
    joined.update(*states(3, 2), 0)
    assert joined.get_seq_length() == 8 and first.get_seq_length() == 6
    assert torch.equal(first.layers[0].keys, kept)


def test_buffers_go_with_the_last_row():
    cache = KVCache(2)
    cache.join(filled(3, 50), [50, 20, 30], room=5)
    for row in (1, 0):
        cache.leave(row)
        assert cache.layers[0].buffers is not None
    cache.leave(0)
    assert [layer.buffers for layer in cache.layers] == [None, None]
    cache.join(filled(1, 4), [4], room=5)
    assert cache.layers[1].buffers[0].shape == (1, HEADS, 9, SIZE)
