"""The order in which the base model is taught: what is asked in each phase and what its tokens weigh."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from newsft.mini import tasks

MOST_KEYS = 7  # in one dict; the full answer has eight


@dataclass(frozen=True)
class Phase:
    """A part of the training, up to step `until`: its conversations, what their tokens weigh in the loss, its learning rate."""

    until: float
    draw: Callable[[random.Random], list[tasks.Conversation]]
    read: float  # the articles' own tokens: enough to learn to continue, names are noise
    told: float  # what an answer says
    decided: float  # what an answer decides: whether a list is empty, a direction; a few tokens among a hundred
    rate: float = 1.0  # of the peak learning rate
    layers: int = 4
    auxiliary: float = 0.0  # weight of the auxiliary loss
    own: float = 0.0  # at most this share of a document's words is read as the model writes them (see own_words.py)
    run: int = 1  # in runs of at most so many tokens
    further: tuple[str, ...] = ()  # what is a decision too: "ends" of answers' last strings, "keys" behind the first
    named: float = 1.0  # a company's name in an answer, times what is told; other than 1, it is always read as given


def draw_mixed(
    rng: random.Random,
    *,
    decisions: float,
    short: float = 1.0,
    most_keys: int = 3,
    drills: float = 0.12,
    objects: float = 0.36,
    any_length: bool = False,
    large: float = 0.0,
    slips: float = 0.0,
    unfamiliar: float = 0.0,
    longest: int = 200,
    **asked: float,
) -> list[tasks.Conversation]:
    """Decisions (`tasks.draw_decisions` with `longest` and `asked`) for a share of `decisions`, else a conversation (`tasks.draw_conversation`), of a share of `short` about a short article."""
    if rng.random() < decisions:
        return tasks.draw_decisions(rng, longest=longest, **asked)
    return [tasks.draw_conversation(rng, short=rng.random() < short, any_length=any_length, most_keys=most_keys, large=large, slips=slips, unfamiliar=unfamiliar, drills=drills, objects=objects)]


def _deep(
    until: float, *, read: float, told: float, decided: float, rate: float, auxiliary: float = 1, own: float = 0.0, run: int = 1, named: float = 1.0, further: tuple[str, ...] = (), **asked: float
) -> Phase:
    """A phase of the deeper model, which the auxiliary loss helps; it asks for dicts of all sizes."""
    draw = partial(draw_mixed, most_keys=MOST_KEYS, **asked)
    return Phase(until, draw, read=read, told=told, decided=decided, rate=rate, layers=6, auxiliary=auxiliary, own=own, run=run, named=named, further=further)


def _long(
    until: float,
    *,
    decisions: float,
    decided: float = 3,
    slips: float = 0.0,
    unfamiliar: float = 0.0,
    drills: float = 0.04,
    own: float = 0.0,
    run: int = 1,
    named: float = 1.0,
    further: tuple[str, ...] = (),
    rate: float = 0.4,
) -> Phase:
    """A phase on articles of all lengths and large dicts."""
    asked = {
        "lists": 0.9,
        "pairs": 0.7,
        "opposed": 0.5,
        "several": 0.5,
        "keywords": 0.6,
        "short": 0.1,
        "any_length": True,
        "drills": drills,
        "objects": 0.65,
        "large": 0.5,
        "slips": slips,
        "unfamiliar": unfamiliar,
        "longest": 600,
    }
    return _deep(until, decisions=decisions, **asked, read=0.1, told=1, decided=decided, rate=rate, auxiliary=0.3, own=own, run=run, named=named, further=further)


# The order was found by measuring; each part rests on the one before.
# 1. Language first: arriving later, it destroys every decision that was learned before it.
# 2. Direction nearly alone, with just enough of the rest not to forget it. Among all tasks it stayed a guess after 17 M tokens,
#    whatever it weighed: the gradient of words that cannot be foreseen drowns it.
# 3. The negative list, empty or not as the direction says. Asked for either list, the answer is an exclusive-or of direction and
#    question, which has no first-order signal: 240 steps of both did not find it. With the negative list known, both take 180.
# 4. Both lists, then all tasks, at a lower rate. Muon's steps are of one size whatever the gradient's, and the large ones of the
#    start wear the lists away: at the full rate 60 steps of all tasks were enough.
# 5. What belongs to which company of an article of several: the lists of such articles stayed a guess for 1,400 steps, whatever
#    was asked. Two more layers and the auxiliary loss teach it (see auxiliary.py), on short articles that hold both directions.
# 6. Names again: those 500 steps at the full rate teach the direction of every company (98 %) and lose the copying of names; at
#    half the rate it comes back.
# 7. Language again, which the steps on decisions alone have worn down; the lists stay. Every second task is a dict, so that a string
#    in it is brought to its end.
# 8. Articles of all lengths and dicts of up to seven keys: without them one answer in seven was never closed, and on articles of
#    more than 400 characters most were not. With an eighth of decisions the lists wore away within 400 steps (exact ones 85 % ->
#    38 %); a short stretch with nearly half of them brought them back, and a quarter keeps them.
# 9. The same with mistakes set into answers (see slips.py): of 495 answers of the adapter on step 8,200, 29 could not be read, as
#    one loop or one string that turned into prose was never left again; on step 9,600 it was 15, 2 of them loops. More slips did not
#    help: a list with a slip set into it was closed in 60 of 60 cases, and what was left were lists in which the model itself had taken to
#    prose. 600 steps more ended in 20 answers that could not be read, 2,100 in 14 with the end of the answer as a decision too, and then the
#    base model gave all eight keys in 38 % of its answers.
# 10. Its own words beside set mistakes (see own_words.py), the wide wordings (see wordings.py) for four articles in ten, ends of items as
#    decisions: companies are read better (F1 of the adapter 93, before 91).
# 11. Its own words in runs, in which they follow own words. At step 12,800 the base model gave all eight keys in 79 % of its answers and left
#    little to teach; 250 steps with the larger objects in a code fence took that to 0, but a fifth of the answers ran on behind the
#    fence to the limit.
# 12. A sentence before the larger objects instead: the base model opens its answers with one and ends them as before. Words of no language in
#    four articles of ten (see unfamiliar.py), and names that weigh twice and are always read as given: on articles that no generator
#    wrote, what was put together of two places, or of a name and the word beside it, became rare.
# 13. Names of two parts (a blank, a number, letters in them: `names.COMPOUND_SHARE`), and the end of the last string as a decision: of 495 answers of the
#    adapter one runs to the limit, before five, and of the base model's none, before six.
# 14. Strings cut short as slips, their end too, and keys as decisions: of the 13 answers that could not be read, nine had a reason that broke
#    off and a wrong key behind it. At step 15,200 three of 495 cannot be read.
# 15. Syllables that the rows' names lack (`names.COINED`), and lists of up to 60 names to repeat. At step 15,200 the model cannot write a syllable
#    such as 멜 or 뱅 after the first part of a name (probability 0.01 to 0.03); 600 steps later it reads such names. The shipped weights stop
#    there, at step 15,920: after 500 more with few such lists fewer of the articles written by hand could be read (benchmarks/README.md).
# Short articles ask as much at a third of the cost.
PHASES = (
    Phase(320, partial(draw_mixed, decisions=0.15, lists=0.2, positive=0.5), read=0.25, told=1, decided=5),
    Phase(540, partial(draw_mixed, decisions=0.75, lists=0.2, positive=0.0), read=0.02, told=0.1, decided=10),
    Phase(620, partial(draw_mixed, decisions=0.75, lists=0.65, positive=0.0), read=0.02, told=0.1, decided=10),
    Phase(840, partial(draw_mixed, decisions=0.75, lists=0.65, positive=0.4), read=0.02, told=0.1, decided=10, rate=0.4),
    Phase(880, partial(draw_mixed, decisions=0.5, lists=0.5, longest=400), read=0.1, told=0.3, decided=15, rate=0.3),
    Phase(1020, partial(draw_mixed, decisions=0.5, lists=0.5, short=0.6, longest=600), read=0.25, told=1, decided=30, rate=0.3),
    Phase(1200, partial(draw_mixed, decisions=0.25, lists=0.5, pairs=0.4, short=0.6, longest=600), read=0.25, told=1, decided=15, rate=0.4),
    Phase(2160, partial(draw_mixed, decisions=0.25, lists=0.5, pairs=0.4, short=0.6, most_keys=5, longest=600), read=0.25, told=1, decided=15, rate=0.4),
    Phase(4300, partial(draw_mixed, decisions=0.3, lists=0.7, pairs=0.5, short=0.2, most_keys=5, longest=800), read=0.25, told=1, decided=10, rate=0.4),
    _deep(4800, decisions=0.97, lists=0.6, opposed=1.0, longest=250, read=0.05, told=0.2, decided=10, rate=1),
    _deep(5000, decisions=0.9, lists=0.7, pairs=0.4, opposed=0.8, longest=250, read=0.05, told=0.5, decided=8, rate=0.5),
    _deep(5160, decisions=0.6, lists=0.8, pairs=0.5, opposed=0.5, several=0.3, keywords=0.4, short=0.5, longest=400, read=0.1, told=0.7, decided=8, rate=0.45),
    _deep(5500, decisions=0.4, lists=0.8, pairs=0.6, opposed=0.3, several=0.4, keywords=0.5, short=0.25, longest=800, read=0.25, told=1, decided=5, rate=0.45),
    _deep(6750, decisions=0.25, lists=0.9, pairs=0.7, opposed=0.5, several=0.4, keywords=0.6, short=0.2, drills=0.04, objects=0.5, longest=600, read=0.25, told=1, decided=3, rate=0.45, auxiliary=0.3),
    _long(7320, decisions=0.12),
    _long(7600, decisions=0.45, decided=8),
    _long(8200, decisions=0.25),
    _long(9600, decisions=0.25, slips=0.3),
    _long(11_100, decisions=0.25, slips=0.3, own=0.4),
    _long(12_800, decisions=0.25, slips=0.3, own=0.4, run=8),
    _long(13_600, decisions=0.25, slips=0.3, unfamiliar=0.4, drills=0.08, own=0.4, run=8, named=2),
    _long(13_900, decisions=0.25, slips=0.3, unfamiliar=0.4, drills=0.08, own=0.4, run=8, named=2, further=("ends",)),
    _long(15_200, decisions=0.25, slips=0.4, unfamiliar=0.4, drills=0.08, own=0.4, run=8, named=2, further=("ends", "keys")),
    _long(math.inf, decisions=0.25, slips=0.4, unfamiliar=0.4, drills=0.2, own=0.4, run=8, named=2, further=("ends", "keys"), rate=0.8),
)


def phase_at(step: int) -> Phase:
    """The phase that a step belongs to."""
    return next(phase for phase in PHASES if step < phase.until)
