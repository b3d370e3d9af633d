"""The rendered conversation as stretches that know their message: what the chat template wrote, and around what."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece

ROLE = re.compile(r"(?<=>)(system|user|assistant)(?=[<\n])")  # in a header, not in a template's prose
# The lesson writes its template three times, each time otherwise: the official one, with one newline, with spaces around the role.
SPELLINGS = {"official": {}, "one_newline": {"one_newline": True}, "spaces": {"one_newline": True, "spaces": True}}


@dataclass(frozen=True)
class Stretch:
    """A part of the rendered text. `message` is the number of the message that it belongs to, None for the frame around all."""

    text: str
    origin: str  # template, system, user, answer
    message: int | None
    control: bool = False
    generation: bool = False  # part of the generation prompt


@dataclass(frozen=True)
class Spelling:
    """One way of writing the template: the tokens of the conversation and the ids of the answer's header."""

    name: str
    tokens: int
    header: str
    header_ids: list[int]


def link_pieces(chat: ChatFormat, pieces: Sequence[Piece]) -> list[Stretch]:
    """The pieces, the template's cut at control tokens: up to and with its end of turn it belongs to the message before it."""
    last = sum(piece.origin != "template" for piece in pieces)
    stretches, message, closed = [], -1, True  # the last content's number, and whether its end of turn has come
    for piece in pieces:
        if piece.origin != "template":
            message, closed = message + 1, False
            stretches.append(Stretch(piece.text, piece.origin, message))
            continue
        closed = closed or chat.end_token not in piece.text
        for text, control in chat.split_at_control(piece.text):
            number = message + closed
            outside = number == last or text == chat.tokenizer.bos_token
            stretches.append(
                Stretch(
                    text,
                    "template",
                    None if outside else number,
                    control=control,
                    generation=number == last and bool(piece.text.strip()),
                )
            )
            closed = closed or text == chat.end_token
    return stretches


def compare_spellings(chat: ChatFormat, messages: Sequence[dict], *, generation_prompt: bool = False) -> list[Spelling]:
    """The lesson's three templates over the same conversation, in tokens; with the generation prompt in place of its answer."""
    pieces = chat.build_pieces(messages[:-1] if generation_prompt else messages, generation_prompt=generation_prompt)
    header = Piece(answer_header(chat, messages), "template")
    found = []
    for name, options in SPELLINGS.items():
        spelled = respell_template([header], **options)
        encoded = chat.encode_pieces(respell_template(pieces, **options))
        found.append(Spelling(name, len(encoded), spelled[0].text, chat.encode_pieces(spelled).input_ids))
    return found


def respell_template(pieces: Sequence[Piece], *, spaces: bool = False, one_newline: bool = False) -> list[Piece]:
    """The template written as the lesson's own code does: spaces around the role, one newline where there are two."""

    def respell(text: str) -> str:
        text = ROLE.sub(r" \1 ", text) if spaces else text
        return text.replace("\n\n", "\n") if one_newline else text

    return [replace(piece, text=respell(piece.text)) if piece.origin == "template" else piece for piece in pieces]


def answer_header(chat: ChatFormat, messages: Sequence[dict]) -> str:
    """The answer's header, which is what the generation prompt adds to the conversation before it."""
    asked = chat.build_pieces(messages[:-1], generation_prompt=True)[-1].text
    return asked.rpartition(chat.end_token)[2].lstrip("\n") if chat.end_token in asked else asked
