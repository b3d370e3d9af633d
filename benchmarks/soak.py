"""Readers who do at random what readers do, for a long time: nothing may fail, get lost or pile up.

python -m benchmarks.soak [--minutes 20] [--readers 12]

The page is one of its own on the loopback. Its exit code is 1 where a request failed or was lost, or its memory has grown by more
than 5 % since the first quarter of the time.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import psutil

from benchmarks.crowd import TAB_ROWS, TABS, look
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.data.text import NEWS_LIMIT
from newsft.page.texts import say
from newsft.recipe import RECIPES
from tests import programs
from tests.readers import Reader, Site
from tests.serve import serve

THINK = 3.0  # mean seconds between two deeds of a reader
MOST_GROWTH = 0.05
ODD = ["", "가" * 100_000, "<script>alert(1)</script> 회사 \0 <|eot_id|>", "그냥 글"]


@dataclass
class Record:
    """What happened."""

    begun: Counter = field(default_factory=Counter)
    ended: Counter = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    answers: dict[int, list[str]] = field(default_factory=dict)  # of every row, when it was first answered
    sizes: list[int] = field(default_factory=list)

    def check(self, holds: bool, what: str) -> None:
        """Keep what must not happen."""
        if not holds:
            self.errors.append(what)


class Readers:
    """The deeds; each name is one that `live` may choose, and each checks what came of it."""

    def __init__(self, site: Site, rows: list[dict], record: Record):
        self.site, self.rows, self.record = site, rows, record

    async def compare(self, reader: Reader, chance: random.Random) -> None:
        """Compare and read both answers, which are the same for everyone at any time."""
        row = chance.randrange(len(self.rows))
        answered = await reader.compare(self.rows[row]["user_prompt"])
        self.record.check(
            answered.done is not None and not answered.warnings,
            f"comparison of row {row}: {answered.refused or answered.warnings}",
        )
        self.record.check(
            answered.texts == self.record.answers.setdefault(row, answered.texts), f"another answer to row {row}"
        )

    async def stop(self, reader: Reader, chance: random.Random) -> None:
        """Compare and press 멈춤 after a moment."""
        running = asyncio.create_task(reader.compare(chance.choice(self.rows)["user_prompt"]))
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        await reader.call("stop", "click")
        answered = await running
        self.record.check(answered.done is not None, f"stopped comparison: {answered.refused}")

    async def leave(self, reader: Reader, chance: random.Random) -> None:
        """Compare and close the tab after a few words."""
        async with Reader(self.site) as guest:
            if not await guest.press(chance.choice(self.rows)["user_prompt"]):
                async for message in guest.listen():
                    if message["msg"] == "process_generating":
                        return

    async def read(self, reader: Reader, chance: random.Random) -> None:
        """Look at a row in one of the other tabs."""
        shown = await look(reader, chance.choice(list(TABS)), chance.randrange(TAB_ROWS))
        self.record.check(all(isinstance(part, str) for part in shown) and any(shown), "a tab showed nothing")

    async def err(self, reader: Reader, chance: random.Random) -> None:
        """Send what is no news."""
        article = chance.choice(ODD)
        answered = await reader.compare(article)
        refused = (
            say("error_news_empty", "ko")
            if not article
            else say("error_news_too_long", "ko", count=len(article), limit=NEWS_LIMIT)
        )
        self.record.check(
            answered.warnings == ([refused] if article in ODD[:2] else []),
            f"{article[:20]!r}: {answered.warnings} {answered.refused}",
        )

    async def live(self, seed: int, until: float) -> None:
        """One deed after the other, in a new tab now and then."""
        chance = random.Random(seed)
        while time.monotonic() < until:
            async with Reader(self.site) as reader:
                for _ in range(chance.randint(1, 8)):
                    await asyncio.sleep(chance.expovariate(1 / THINK))
                    if time.monotonic() >= until:
                        return
                    deed = chance.choices(["compare", "read", "stop", "leave", "err"], [4, 6, 1, 1, 1])[0]
                    self.record.begun[deed] += 1
                    try:
                        await getattr(self, deed)(reader, chance)
                        self.record.ended[deed] += 1
                    except (httpx.HTTPError, KeyError, IndexError) as error:
                        self.record.errors.append(f"{deed}: {error!r}")


async def soak(site: Site, process: psutil.Process, rows: list[dict], *, readers: int, minutes: float) -> Record:
    """All readers until the time is over; the page's memory is taken a hundred times."""
    record, seconds = Record(), minutes * 60
    living = Readers(site, rows, record)
    people = asyncio.gather(*(living.live(seed, time.monotonic() + seconds) for seed in range(readers)))
    for _ in range(100):
        await asyncio.sleep(seconds / 100)
        record.sizes.append(process.memory_info().rss)
    await people
    return record


def main() -> int:
    """Print the figures and, last, one JSON line."""
    parser = Flags(__doc__, minutes=0.4, readers=3)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--readers", type=int, default=12)
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    rows = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio).test[:40]
    with serve(seconds=600, start=programs.start_new) as url:
        (process,) = psutil.Process().children()
        record = asyncio.run(soak(Site(url), process, rows, readers=arguments.readers, minutes=arguments.minutes))
    early, late = max(record.sizes[:25]), max(record.sizes[-5:])
    result = {
        "minutes": arguments.minutes,
        "readers": arguments.readers,
        "requests": dict(record.begun),
        "lost": sum((record.begun - record.ended).values()),
        "errors": len(record.errors),
        "first_errors": record.errors[:5],
        "memory_first_quarter_mb": round(early / 1e6),
        "memory_end_mb": round(late / 1e6),
        "memory_growth": round(late / early - 1, 3),
    }
    print_result(result)
    return int(bool(result["lost"] or record.errors or late > early * (1 + MOST_GROWTH)))


if __name__ == "__main__":
    sys.exit(main())
