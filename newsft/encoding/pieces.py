"""Messages -> pieces: the conversation as the chat template writes it, cut where the template's own text ends and a message begins.

The template is rendered with a private marker in the place of each message's content, and the text is cut at the markers. So nothing has
to be searched for afterwards: no header is spelled in our code, and whatever a message holds cannot be taken for the template's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from newsft.errors import UserError

ORIGINS = {"system": "system", "user": "user", "assistant": "answer"}  # role of a message -> origin of its text
MARGIN = "\u2003"  # white space around a marker that no template writes itself: Llama 2's writes ordinary spaces around contents that it strips


@dataclass(frozen=True)
class Piece:
    """A stretch of the rendered conversation from one source; `trained` says whether its tokens are labels."""

    text: str
    origin: str  # template, system, user or answer
    trained: bool = False


@dataclass(frozen=True)
class Skeleton:
    """What a template writes around the contents of messages with certain roles."""

    pieces: tuple[tuple[Piece, ...], ...]  # before the first content, and after each
    trims: tuple[bool, ...]  # whether the template strips white space around this content

    def fill(self, messages: Sequence[dict]) -> list[Piece]:
        """The pieces of these messages, whose roles are the skeleton's; none of them is empty."""
        pieces = [*self.pieces[0]]
        for message, trim, following in zip(messages, self.trims, self.pieces[1:], strict=True):
            content = message["content"].strip() if trim else message["content"]
            pieces += [Piece(content, ORIGINS.get(message["role"], "user"), trained=message["role"] == "assistant"), *following]
        return [piece for piece in pieces if piece.text]


def render_skeleton(tokenizer: PreTrainedTokenizerBase, roles: tuple[str, ...], *, generation_prompt: bool) -> Skeleton:
    """The tokenizer's template around one marker per role. Raises UserError where it refuses the roles, leaves out a message or never ends a turn."""
    messages = [{"role": role, "content": f"{MARGIN}{_marker(number)}{MARGIN}"} for number, role in enumerate(roles)]
    try:
        rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation_prompt)
    except TemplateError as error:  # Gemma's refuses a system prompt, Mistral's two user messages in a row
        raise UserError(f"The chat template refuses the messages {', '.join(roles)}: {error}. Change them or use another instruct model.") from error
    texts, trims = [], []
    for number in range(len(roles)):
        before, marker, rendered = rendered.partition(_marker(number))
        if not marker:
            raise UserError(f"The chat template leaves out message {number + 1} ({roles[number]}); use a template that inserts every message as it is.")
        trimmed = not (before.endswith(MARGIN) and rendered.startswith(MARGIN))
        texts.append(before if trimmed else before[:-1])
        rendered = rendered if trimmed else rendered[1:]
        trims.append(trimmed)
    texts.append(rendered)
    following = [_pieces_after(tokenizer, text, role, last=number == len(roles) and not generation_prompt) for number, (role, text) in enumerate(zip(roles, texts[1:], strict=True), 1)]
    return Skeleton(((Piece(texts[0], "template"),), *following), tuple(trims))


def _marker(number: int) -> str:
    return f"\ue000{number}\ue001"


def _pieces_after(tokenizer: PreTrainedTokenizerBase, text: str, role: str, *, last: bool) -> tuple[Piece, ...]:
    """The template's text behind a content. Behind an answer it begins with the token that ends the turn, which is trained.

    Behind the last answer nothing but white space may follow that token: some templates append a header for one more answer even where none
    was asked for (transformers#32252); a model that is trained on it learns to open another turn.
    """
    if role != "assistant":
        return (Piece(text, "template"),)
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    places = [(text.find(token), -len(token), token) for token in special if token in text]
    if not places or text[: min(places)[0]].strip():
        raise UserError("The chat template writes no end-of-turn token after an answer; the model could never learn to stop.")
    start, _, token = min(places)
    end = start + len(token)
    rest = text[end:]
    if last:
        rest = rest[: len(rest) - len(rest.lstrip())]
    return Piece(text[:end], "template", trained=True), Piece(rest, "template")
