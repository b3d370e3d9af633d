"""One invented article together with what is true of it: the stuff of the embedded rows and of the base model's training."""

import random
from dataclasses import dataclass, field

from newsft.mini import names, wordings
from newsft.mini.wordings import fill, pools, sectors

WIDE_SHARE = 0.4  # of the articles for the pre-training: a run with all of them, and other changes, wrote worse sentences
SINGLE_EVENT = 0.84  # share of stock articles about one event; the others join a second one, often in the other direction


@dataclass
class Story:
    """One event told: its sentences and its truth. `effects` maps a company to '+', '-' or '0'."""

    event: dict
    values: dict[str, str]
    effects: dict[str, str]
    headline: str
    lead: str
    body: list[str]


@dataclass
class Article:
    """An article's text and its truth, each list in the order of first mention in the text."""

    kind: str
    text: str
    headline: str
    companies: list[str]
    positive: list[str] = field(default_factory=list)
    negative: list[str] = field(default_factory=list)
    keywords: dict[str, list[str]] = field(default_factory=dict)  # under '+', '-' and, for news about no stock, '0'
    reasons: dict[str, str] = field(default_factory=dict)  # under '+' and '-'
    summary: str = ""

    @property
    def is_stock_related(self) -> bool:
        return bool(self.positive or self.negative)

    @property
    def effects(self) -> dict[str, str]:
        """Each company's effect: '+', '-' or '0'."""
        return {name: "+" if name in self.positive else "-" if name in self.negative else "0" for name in self.companies}


def draw(rng: random.Random, *, part: str, length: int, wild: float = 0.0, stock: bool | None = None) -> Article:
    """An article of about `length` characters (150 to 1,500), its names from `part`; 30 % are about no stock."""
    if stock is None:
        stock = rng.random() >= 0.3
    worded = part if part != "pretrain" or rng.random() < WIDE_SHARE else "train"
    chosen = [event for event in wordings.events(worded) if bool(event["effect"]) == stock]
    story = _tell(rng, rng.choice(chosen), part=part, wild=wild)
    stories = [story]
    if stock and rng.random() > SINGLE_EVENT:
        second = _tell(rng, rng.choice(chosen), part=part, wild=wild)
        if not set(second.effects) & set(story.effects) and second.event is not story.event:
            stories.append(second)
    paragraphs = _paragraphs(rng, stories, part=part, length=length, wild=wild)
    text = _layout(rng, story, paragraphs, part=part)
    return _truth(rng, stories, text)


def _tell(rng: random.Random, event: dict, *, part: str, wild: float) -> Story:
    choices = event.get("sectors", ["any"])
    sector = rng.choice(list(sectors()) if choices == ["any"] else choices)
    values = wordings.slot_values(rng, sector=sector, part=part)
    effects = {}
    for role, effect in event["effect"].items():
        trade = sectors()[rng.choice(event.get("role_sectors", {}).get(role, [sector]))] if role != "A" else sectors()[sector]
        taken = [values[other] for other in "ABC" if other in values]
        name = names.company(rng, trade["suffixes"], part=part, wild=wild)
        while any(name in other or other in name for other in taken):  # one name inside another could not be told apart
            name = names.company(rng, trade["suffixes"], part=part, wild=wild)
        values[role] = name
        effects[name] = effect
    values |= {slot: rng.choice(choices) for slot, choices in event.get("slots", {}).items()}
    body = [fill(text, values) for text in rng.sample(event["detail"], min(6, len(event["detail"])))]
    body += [fill(text, values) for text in rng.sample(event["quote"], 2)]
    if effects:
        body += [fill(text, values) for text in rng.sample(sectors()[sector]["background"], 2)]
        body += _share_and_analysts(rng, event["effect"]["A"], values, part=part)
    return Story(event, values, effects, fill(rng.choice(event["headline"]), values), fill(rng.choice(event["lead"]), values), body)


def _share_and_analysts(rng: random.Random, effect: str, values: dict[str, str], *, part: str) -> list[str]:
    pool = pools(part)
    direction = {"+": "up", "-": "down"}.get(effect)
    texts = [rng.choice(pool["analyst_flat"]), rng.choice(pool["background"]), rng.choice(pool["closing"])]
    if direction:
        values = values | {"pct": f"{rng.randint(1, 29)}.{rng.randint(0, 9)}%"}  # a share moves by 30 % a day at most
        texts += [rng.choice(pool[f"price_{direction}"]), rng.choice(pool[f"analyst_{direction}"])]
    return [fill(text, values) for text in texts]


def _aside(rng: random.Random, values: dict[str, str], *, part: str, stock: bool, wild: float) -> str:
    pool = pools(part)
    if rng.random() < wild * 0.3:  # words never seen elsewhere, so that every syllable is met and can be passed over
        values = values | {"X": names.word(rng)}
        return fill(rng.choice([f"{names.word(rng)} {{X:은}} {names.word(rng)} {names.word(rng)}에서 열렸다.", f"{{X:이}} {names.word(rng)} {names.word(rng)}에 쓰인다."]), values)
    if stock and rng.random() < 0.25:
        other = names.company(rng, sectors()[rng.choice(list(sectors()))]["suffixes"], part=part, wild=wild)
        return fill(rng.choice(pool["competitor"]), values | {"X": other})
    return fill(rng.choice(pool["market"] if stock and rng.random() < 0.5 else pool["filler"]), values)


def _paragraphs(rng: random.Random, stories: list[Story], *, part: str, length: int, wild: float) -> list[str]:
    paragraphs, budget = [], length
    for number, story in enumerate(stories):
        lead = story.lead
        if number:
            lead = rng.choice(["한편 ", "이와 별도로 ", "같은 날 ", "", "이런 가운데 "]) + lead
        body = rng.sample(story.body, len(story.body))
        used = [lead]
        target = budget / (len(stories) - number)
        # A long article has more asides: an event has only so much to tell.
        while sum(map(len, used)) + len(story.headline) < target:
            if body and rng.random() < 0.8:
                used.append(body.pop())
            else:
                used.append(_aside(rng, story.values | wordings.slot_values(rng, sector="food", part=part), part=part, stock=bool(story.effects), wild=wild))
        budget -= sum(map(len, used))
        while used:
            size = rng.choice([1, 2, 2, 3])
            paragraphs.append(" ".join(used[:size]))
            used = used[size:]
    return paragraphs


def _layout(rng: random.Random, story: Story, paragraphs: list[str], *, part: str) -> str:
    byline = fill(rng.choice(pools(part)["reporter"]), story.values) if rng.random() < 0.6 else ""
    gap = rng.choice(["\n", "\n", "\n\n", " "])
    head = story.headline if rng.random() < 0.9 else ""
    text = "\n".join(line for line in (head, byline) if line)
    text = "\n".join(part for part in (text, gap.join(paragraphs)) if part)
    quotes = rng.choice(['""', '""', "“”", "''", "  "])  # published collections often drop the quotation marks
    opened = False
    signs = []
    for sign in text:
        if sign == '"':
            sign, opened = quotes[1 if opened else 0], not opened
        signs.append(sign)
    return "\n".join(" ".join(line.split()) if quotes == "  " else line for line in "".join(signs).split("\n"))


def _truth(rng: random.Random, stories: list[Story], text: str) -> Article:
    first, article = stories[0], None
    by_mention = sorted((name for story in stories for name in story.effects), key=text.find)
    effects = {name: effect for story in stories for name, effect in story.effects.items()}
    article = Article(kind="+".join(story.event["kind"] for story in stories), text=text, headline=first.headline, companies=by_mention)
    article.positive = [name for name in by_mention if effects[name] == "+"]
    article.negative = [name for name in by_mention if effects[name] == "-"]
    article.summary = " ".join(fill(rng.choice(story.event["summary"]), story.values) for story in stories)
    for sign, key in (("+", "keywords_pos"), ("-", "keywords_neg"), ("0", "keywords")):
        words = [fill(word, story.values) for story in stories for word in story.event.get(key, []) if fill(word, story.values) in text]
        words = sorted(dict.fromkeys(words), key=text.find)
        article.keywords[sign] = [word for word in words if not any(word != other and word in other for other in words)][:4]
    for sign, key in (("+", "reason_pos"), ("-", "reason_neg")):
        article.reasons[sign] = " ".join(fill(rng.choice(story.event[key]), story.values) for story in stories if key in story.event)
    return article
