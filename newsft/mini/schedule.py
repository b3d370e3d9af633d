"""What the base model is asked in its training, and what its tokens weigh, in phases.

Lists of companies have a phase by themselves: beside everything else the model does not learn in ten million tokens to tell two companies
of one page apart; asked for little else it does so within one million, and keeps it. `sides` asks of most articles one thing alone, whom they move:
in a longer conversation the first answer names the companies, and the others copy them from there. `answers` asks for texts and dicts again,
which the model copies less well after `sides`, and keeps conversations short.
"""

from dataclasses import dataclass

from newsft.mini.exercises import EFFECTS, LISTS, TURNS


@dataclass(frozen=True)
class Phase:
    """Shares of the documents, and weights in the loss."""

    plain: float = 0.06  # articles alone, to be continued
    drills: float = 0.06  # names, words and sentences to repeat
    events: float = 0.5  # lines of news with questions about them (events.py)
    boards: float = 0.25  # of these are plain lines with the sign in a word (boards.py)
    judged: float = 0.75  # of the conversations ask for what the gold answer says; the others to copy and to find
    several: float = 0.5  # of the articles asked about move several companies, which a quarter of all do
    joined: float = 0.15  # of those conversations are about two articles as one page
    objects: float = 0.55  # of these tasks want a dict or JSON object
    lists: float = LISTS  # of the objects have keys that are neighbours in the full answer, often its four lists
    effects: float = EFFECTS  # of the other tasks about what the gold says ask what the news does to the companies
    turns: tuple[int, ...] = TURNS  # tasks about one article, one of these numbers
    slips: float = 0.4  # of the objects have a marked mistake (slips.py)
    left_out: float = (
        0.7  # of the articles come without some of the sentences that their gold does not need (leaving_out.py)
    )
    listed: float = 0.3  # of the companies in plain articles and copying tasks bear the name of a listed one
    read: float = 0.1  # what an article's own tokens weigh in a conversation
    decided: float = 4.0  # what an answer decides: whether a list is empty, a direction; a few tokens among a hundred
    named: float = 2.0  # a company's name in an answer
    own: float = 0.25  # share of the batches in which words of answers are read as the model writes them (own_words.py)


PHASES = {
    "lists": Phase(plain=0.02, drills=0.05, events=0.88, boards=0.4),
    "mixed": Phase(),
    "articles": Phase(plain=0.08, events=0.36, boards=0.1, judged=0.8, several=0.35, joined=0.08),
    "sides": Phase(
        plain=0.03,
        drills=0.04,
        events=0.2,
        boards=0.05,
        judged=0.95,
        several=0.4,
        joined=0.04,
        objects=0.45,
        lists=0.7,
        effects=0.6,
        turns=(1, 1, 1, 2),
        slips=0.2,
        decided=8.0,
    ),
    "answers": Phase(
        plain=0.04,
        drills=0.04,
        events=0.22,
        boards=0.05,
        judged=0.92,
        several=0.4,
        joined=0.05,
        lists=0.55,
        effects=0.5,
        turns=(1, 1, 2, 3),
        slips=0.25,
        decided=6.0,
    ),
}
