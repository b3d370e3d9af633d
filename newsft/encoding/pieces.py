"""Messages -> pieces: the conversation as the chat template writes it, cut where the template's own text ends and a message begins.

The template is rendered with a private marker in the place of each message's content, and the text is cut at the markers. So nothing has
to be searched for afterwards: no header is spelled in our code, and whatever a message holds cannot be taken for the template's text.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from newsft.errors import UserError

ORIGINS = {"system": "system", "user": "user", "assistant": "answer"}  # role of a message -> origin of its text
MARGINS = (
    "\u2003",
    "\n",
    " ",
)  # white space put around the markers, to see what a template strips; the first one no template writes itself

Render = Callable[..., str]  # (messages, generation_prompt=False) -> the template's text
Trim = (
    str | None
)  # what is stripped from one side of a content, as `str.strip` takes it: all white space, these characters, or none ("")


@dataclass(frozen=True)
class Piece:
    """A stretch of the rendered conversation from one source; `trained` says whether its tokens are labels."""

    text: str
    origin: str  # template, system, user or answer
    trained: bool = False
    unprotected: bool = False  # the mistake that the lab shows: what a message spells like a control token becomes one

    @property
    def has_control(self) -> bool:
        """Whether control tokens in it are real."""
        return self.origin == "template" or self.unprotected


@dataclass(frozen=True)
class Skeleton:
    """What a template writes around the contents of messages with certain roles."""

    pieces: tuple[tuple[Piece, ...], ...]  # before the first content, and after each
    trims: tuple[tuple[Trim, Trim], ...]  # what is stripped from each content, on its left and on its right
    leads: tuple[
        str, ...
    ]  # white space before each answer that the generation prompt lacks, so that the model has to write it
    tail: str  # what the template writes behind the last turn uninvited, which is in no piece

    def fill(self, messages: Sequence[dict]) -> list[Piece]:
        """The pieces of these messages, whose roles are the skeleton's; none of them is empty. An answer with `"train": False` is not trained, nor its end."""
        pieces = [*self.pieces[0]]
        for message, trim, lead, following in zip(messages, self.trims, self.leads, self.pieces[1:], strict=True):
            content = message["content"].lstrip(trim[0]).rstrip(trim[1])
            trained = message["role"] == "assistant" and message.get("train", True)
            pieces += [
                Piece(lead + content, ORIGINS.get(message["role"], "user"), trained=trained),
                *(replace(piece, trained=piece.trained and trained) for piece in following),
            ]
        return [piece for piece in pieces if piece.text]

    def fill_prompt(self, messages: Sequence[dict]) -> list[Piece]:
        """The pieces up to the last message, an answer, for which there is no content: what the model is given to write it."""
        return Skeleton(self.pieces[:-1], self.trims[:-1], self.leads[:-1], "").fill(messages)


def render_skeleton(render: Render, roles: tuple[str, ...], *, control: Collection[str]) -> Skeleton:
    """The template around one marker per role; `control` are the names of the control tokens.

    Raises UserError where the template refuses the roles, leaves out a message or never ends a turn.
    """
    own = _cut_at_markers(render, roles)
    leads = tuple(
        _find_lead(render, roles[:number], own[number]) if role == "assistant" and number else ""
        for number, role in enumerate(roles)
    )
    texts = [text.removesuffix(lead) for text, lead in zip(own, (*leads, ""), strict=True)]
    following, tail = [], ""
    for number, (role, text) in enumerate(zip(roles, texts[1:], strict=True), 1):
        if role != "assistant":
            following.append((Piece(text, "template"),))
            continue
        end, rest = _split_at_end(text, control)
        if number == len(roles):
            white = len(rest) - len(rest.lstrip())
            rest, tail = rest[:white], rest[white:]
        following.append((Piece(end, "template", trained=True), Piece(rest, "template")))
    return Skeleton(((Piece(texts[0], "template"),), *following), tuple(_find_trims(render, roles, own)), leads, tail)


def _marker(number: int) -> str:
    return f"\ue000{number}\ue001"


def _mark(roles: Sequence[str], margin: str = "") -> list[dict]:
    return [{"role": role, "content": f"{margin}{_marker(number)}{margin}"} for number, role in enumerate(roles)]


def _split_at_markers(rendered: str, count: int) -> list[str] | int:
    """The text around the markers, or the number of the first one that is missing."""
    texts = []
    for number in range(count):
        before, marker, rendered = rendered.partition(_marker(number))
        if not marker:
            return number
        texts.append(before)
    return [*texts, rendered]


def _cut_at_markers(render: Render, roles: tuple[str, ...]) -> list[str]:
    texts = _split_at_markers(render(_mark(roles)), len(roles))
    if isinstance(texts, list):
        return texts
    number, what = texts, f"message {texts + 1} ({roles[texts]})"
    if (
        roles[-1] == "assistant"
        and number < len(roles) - 1
        and isinstance(_split_at_markers(render(_mark(roles[:-1]), generation_prompt=True), len(roles) - 1), list)
    ):
        raise UserError(
            f"The chat template writes {what} only while no answer follows, so prompt and training row would differ; leave that message empty or use another instruct model."
        )
    raise UserError(f"The chat template leaves out {what}; use a template that inserts every message as it is.")


def _find_lead(render: Render, roles: Sequence[str], text: str) -> str:
    """White space that the template writes before an answer but not at the end of the prompt for it: Llama 2's space, which belongs to the answer's first token."""
    asked = _split_at_markers(render(_mark(roles), generation_prompt=True), len(roles))
    if not isinstance(asked, list) or not text.startswith(asked[-1]):
        return ""
    lead = text[len(asked[-1]) :]
    return "" if lead.strip() else lead


def _find_trims(render: Render, roles: Sequence[str], own: Sequence[str]) -> list[tuple[Trim, Trim]]:
    """What the template strips from each content, seen from white space of three kinds around the markers; `own` is its text without any."""
    stripped: list[tuple[set[str], set[str]]] = [(set(), set()) for _ in roles]
    for margin in MARGINS:
        found = _split_at_markers(render(_mark(roles, margin)), len(roles))
        for number, text in enumerate(found if isinstance(found, list) else []):
            right = (
                number > 0 and MARGINS[0] not in stripped[number - 1][1]
            )  # what strips the first margin strips the others
            left = number < len(roles) and MARGINS[0] not in stripped[number][0]
            right, left = _kept_margins(text, own[number], margin, right=right, left=left)
            if number < len(roles) and not left:
                stripped[number][0].add(margin)
            if number > 0 and not right:
                stripped[number - 1][1].add(margin)
    return [(_as_trim(left), _as_trim(right)) for left, right in stripped]


def _kept_margins(text: str, own: str, margin: str, *, right: bool, left: bool) -> tuple[bool, bool]:
    """Of the text between two markers: whether it begins with the margin of the one before, and ends with that of the one behind; `right` and `left` say which it may have."""
    for kept in ((True, True), (False, True), (True, False)):
        if (right or not kept[0]) and (left or not kept[1]) and text == margin * kept[0] + own + margin * kept[1]:
            return kept
    return False, False


def _as_trim(stripped: set[str]) -> Trim:
    return None if MARGINS[0] in stripped else "".join(sorted(stripped))


def _split_at_end(text: str, control: Collection[str]) -> tuple[str, str]:
    """The template's text behind an answer, cut behind the token that ends the turn, which is trained.

    Behind the last answer nothing but white space may follow that token: some templates append a header for one more answer even where none
    was asked for (transformers#32252); a model that is trained on it learns to open another turn.
    """
    places = [(text.find(token), -len(token)) for token in control if token in text]
    if not places or text[: min(places)[0]].strip():
        raise UserError(
            "The chat template writes no end-of-turn token after an answer; the model could never learn to stop."
        )
    start, length = min(places)
    return text[: start - length], text[start - length :]
