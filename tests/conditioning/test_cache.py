from __future__ import annotations

import torch

from modules.conditioning.cache import Answer, AnswerCache


def answer(rows: int) -> Answer:
    return Answer(torch.zeros(rows, 256), torch.zeros(256))


def test_the_one_not_used_for_longest_goes_first():
    cache = AnswerCache(max_bytes=3 * answer(1).nbytes)
    for name in "abc":
        cache.put(name, answer(1))
    assert cache.get("a") is not None
    cache.put("d", answer(1))
    assert [name for name in "abcd" if cache.get(name) is not None] == ["a", "c", "d"]
    assert cache.nbytes == 3 * answer(1).nbytes


def test_what_is_larger_than_all_room_is_not_kept():
    cache = AnswerCache(max_bytes=1)
    cache.put("a", answer(1))
    assert (len(cache), cache.nbytes) == (0, 0)


def test_putting_again_takes_no_more_room():
    cache = AnswerCache()
    cache.put("a", answer(1))
    cache.put("a", answer(2))
    assert cache.nbytes == answer(2).nbytes
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)
