"""What text encoders said before, so that none is asked the same twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Answer(NamedTuple):
    """What an encoder said of one chunk, before weights: (77, C), and its pooled vector (P,) if it has one."""

    z: Tensor
    pooled: Tensor | None

    @property
    def nbytes(self) -> int:
        return self.z.nbytes + (0 if self.pooled is None else self.pooled.nbytes)


class AnswerCache:
    """Answers by what was asked of whom; those not used for longest go first once they take more than `max_bytes`.

    Weights, steps and schedules are no part of the question: they are applied to the answer.
    """

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, question: Hashable) -> Answer | None:
        with self._lock:
            answer = self._answers.get(question)
            if answer is not None:
                self._answers.move_to_end(question)
            return answer

    def put(self, question: Hashable, answer: Answer) -> None:
        with self._lock:
            old = self._answers.pop(question, None)
            self._answers[question] = answer
            self.nbytes += answer.nbytes - (0 if old is None else old.nbytes)
            while self.nbytes > self.max_bytes:
                _, dropped = self._answers.popitem(last=False)
                self.nbytes -= dropped.nbytes

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()
            self.nbytes = 0
