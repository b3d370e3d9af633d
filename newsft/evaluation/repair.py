"""Read a damaged dict: a tolerant reader for what neither `ast.literal_eval` nor `json.loads` takes.

Values are a literal word, a number, a string, or a flat list of strings: all that an answer holds. Every departure from
a Python literal is named; a value that does not end is left out, never completed.
"""

import re
from dataclasses import dataclass, field
from typing import Any

# The repairs, by what the page and the reports call them.
FENCE, AROUND, JSON, QUOTE, REPEATED, BROKEN_OFF, LINE_BREAK = (
    "fence",
    "around",
    "json",
    "quote",
    "repeated_key",
    "broken_off",
    "line_break",
)
SPACE, CHARACTER, ESCAPE, NUMBER = "space", "character", "escape", "number"
WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}
PYTHON_WORDS = frozenset({"True", "False", "None"})
WHITE = re.compile(r"\s*")
PYTHON_WHITE = re.compile(r"[ \t\n\r\f]*")
DIGITS = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
PYTHON_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]+)?")
UNHELD = re.compile("[\0\ud800-\udfff]")  # no Python source holds a NUL character or half a surrogate pair
# What stands behind the quote that ends a string. Any other quote belongs to the text.
AFTER_VALUE = re.compile(r"""\s*(?:\}|\Z|,\s*(?:\}|\Z|(['"])[^'"\n:]{1,80}\1\s*(?::|\Z)|['"][^'"\n:]{0,80}\Z))""")
AFTER_ITEM = re.compile(r"""\s*(?:\]|\Z|,\s*(?:['"\]]|\Z))""")
AFTER_KEY = re.compile(r"\s*(?::|\Z)")
WORD = re.compile(r"[A-Za-z]+")
FENCE_LINE = re.compile(r"```\w*")
ESCAPES = {
    "\n": "",
    "\r": "",
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "/": "/",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
CODE = re.compile(r"[uxU]((?<=u)[0-9a-fA-F]{4}|(?<=x)[0-9a-fA-F]{2}|(?<=U)(?:000[0-9a-fA-F]|0010)[0-9a-fA-F]{4})")


@dataclass
class Damaged(Exception):
    """Reading cannot go on; `position` is the character in the text."""

    position: int
    broken_off: bool = False


@dataclass
class Repaired:
    """What was read and what had to be repaired, in the order of the text."""

    values: dict[str, Any] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    position: int | None = None  # where the reading stopped before the dict's end

    def note(self, repair: str) -> None:
        """Name a repair once."""
        if repair not in self.repairs:
            self.repairs.append(repair)


def peel(text: str) -> tuple[str, list[str]]:
    """The text from the first brace to the last, and what stood around it: a code fence, other text."""
    start, end = text.find("{"), text.rfind("}") + 1
    if start < 0:
        return text, []
    return text[start : max(end, start)] or text[start:], _around(text[:start], text[end:] if end > start else "")


def _around(*parts: str) -> list[str]:
    outside = "\n".join(parts)
    noted = [FENCE] if "```" in outside else []
    return noted + ([AROUND] if FENCE_LINE.sub("", outside).strip() else [])


def read_damaged(text: str) -> Repaired:
    """The first dict in `text`, value by value; without one, no values and the position 0."""
    found, text = Repaired(), text.rstrip()
    start = text.find("{")
    if start < 0:
        found.position = 0
        return found
    reader = _Reader(text, start + 1, found)
    try:
        reader.read_dict()
        rest = text[reader.at :]
    except Damaged as damage:
        found.position, rest = damage.position, ""
        if damage.broken_off:
            found.note(BROKEN_OFF)
    for noted in _around(text[:start], rest):
        found.note(noted)
    return found


class _Reader:
    def __init__(self, text: str, at: int, found: Repaired):
        self.text, self.at, self.found = text, at, found

    def read_dict(self) -> None:
        """The keys and values up to the closing brace, into `found`."""
        while True:
            self._skip()
            if self._peek() == "}":
                self.at += 1
                return
            key = self._string(AFTER_KEY)
            self._skip()
            self._expect(":")
            self._skip()
            value = self._value()
            if key in self.found.values:
                self.found.note(REPEATED)
            self.found.values[key] = value  # the last one, as in Python
            self._skip()
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != "}":
                raise Damaged(self.at)

    def _value(self) -> Any:
        mark = self._peek()
        if mark in "'\"":
            return self._string(AFTER_VALUE)
        if mark == "[":
            return self._list()
        number = DIGITS.match(self.text, self.at)
        if number:
            if not PYTHON_DIGITS.fullmatch(number[0]):
                self.found.note(NUMBER)
            self.at = number.end()
            return float(number[0])
        word = WORD.match(self.text, self.at)
        if not word or word[0] not in WORDS:
            raise Damaged(self.at, broken_off=bool(word) and word.end() == len(self.text))
        if word[0] not in PYTHON_WORDS:
            self.found.note(JSON)
        self.at = word.end()
        return WORDS[word[0]]

    def _list(self) -> list[str]:
        items = []
        self.at += 1
        while True:
            self._skip()
            if self._peek() == "]":
                self.at += 1
                return items
            items.append(self._string(AFTER_ITEM))
            self._skip()
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != "]":
                raise Damaged(self.at)

    def _string(self, closing: re.Pattern) -> str:
        mark = self._peek()
        if mark not in "'\"":
            raise Damaged(self.at)
        begun, parts = self.at, []
        self.at += 1
        while True:
            char = self._peek(begun)
            if char == mark:
                if closing.match(self.text, self.at + 1):
                    self.at += 1
                    return "".join(parts)
                self.found.note(QUOTE)
            elif char == "\\":
                char = self._escaped(begun)
            elif char in "\r\n":
                self.found.note(LINE_BREAK)
            elif UNHELD.match(char):
                self.found.note(CHARACTER)
            parts.append(char)
            self.at += 1

    def _escaped(self, begun: int) -> str:
        self.at += 1
        char = self._peek(begun)
        code = CODE.match(self.text, self.at)
        if code:
            self.at = code.end() - 1
            return chr(int(code[1], 16))
        if char in "uUxN01234567":  # Python reads on, or refuses; here it stays as it is written
            self.found.note(ESCAPE)
        elif char == "/":
            self.found.note(JSON)
        elif UNHELD.match(char):
            self.found.note(CHARACTER)
        return ESCAPES.get(char, "\\" + char)

    def _skip(self) -> None:
        white = WHITE.match(self.text, self.at)
        if not PYTHON_WHITE.fullmatch(white[0]):
            self.found.note(SPACE)
        self.at = white.end()

    def _peek(self, begun: int | None = None) -> str:
        """The character here; at the text's end the value that began at `begun` is lost."""
        if self.at >= len(self.text):
            raise Damaged(self.at if begun is None else begun, broken_off=True)
        return self.text[self.at]

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            raise Damaged(self.at)
        self.at += 1
