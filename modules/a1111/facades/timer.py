"""How long things take."""

from __future__ import annotations

import time

from modules.a1111.missing import refusing


class TimerSubcategory:
    def __init__(self, timer, category):
        self.timer, self.category = timer, category

    def __enter__(self):
        self.start = time.time()
        self.before, self.timer.base_category = self.timer.base_category, f"{self.timer.base_category}{self.category}/"
        return self

    def __exit__(self, *exc_info):
        self.timer.base_category = self.before
        self.timer.add_time_to_record(f"{self.before}{self.category}", time.time() - self.start)


class Timer:
    """`record(category)` counts the seconds since the last record; `summary()` says them all."""

    def __init__(self, print_log=False):
        self.start = time.time()
        self.records = {}
        self.total = 0
        self.base_category = ""
        self.print_log = print_log
        self.subcategory_level = 0

    def elapsed(self):
        end = time.time()
        passed, self.start = end - self.start, end
        return passed

    def add_time_to_record(self, category, amount):
        self.records[category] = self.records.get(category, 0) + amount

    def record(self, category, extra_time=0, disable_log=False):
        passed = self.elapsed()
        self.add_time_to_record(self.base_category + category, passed + extra_time)
        self.total += passed + extra_time

    def subcategory(self, name):
        self.elapsed()
        return TimerSubcategory(self, name)

    def summary(self):
        parts = [f"{category}: {seconds:.1f}s" for category, seconds in self.records.items() if seconds >= 0.1]
        return f"{self.total:.1f}s" + (f" ({', '.join(parts)})" if parts else "")

    def dump(self):
        return {"total": self.total, "records": self.records}

    def reset(self):
        self.__init__()


startup_timer = Timer()
startup_record = None

__getattr__ = refusing("modules.timer")
