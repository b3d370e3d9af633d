"""Token ids -> text while an answer grows."""

from newsft.encoding.chat import ChatFormat
from newsft.encoding.token_bytes import token_bytes, unfinished_bytes


class IncrementalDetokenizer:
    """Token ids -> text that only ever grows, and in the end is `ChatFormat.decode` of them all.

    The bytes of a syllable may be spread over tokens, so an unfinished one waits; it is dropped where the answer ends in it. A token is decoded
    behind those before it: by itself one of SentencePiece's would lose the space that it begins with.
    """

    def __init__(self, chat: ChatFormat):
        self._chat, self._ids, self.text, self.count = chat, [], "", 0
        self._context, self._reached = 0, 0  # in `_ids`: where the tokens decoded last begin, and where they end

    def add(self, token: int) -> str:
        """Take one more token and return the text so far."""
        self.count += 1
        if token in self._chat.hidden_ids:
            return self.text
        self._ids.append(token)
        if not self._is_open(token):
            before, now = (self._chat.decode(self._ids[self._context : end]) for end in (self._reached, len(self._ids)))
            self.text += now[len(before) :]
            self._context, self._reached = self._reached, len(self._ids)
        return self.text

    def finish(self) -> str:
        """The whole text, but for a syllable that its last tokens leave unfinished."""
        lost = unfinished_bytes(self._chat, self._ids)
        if lost and self._chat.is_byte_level:  # the last token may also hold what comes before it
            self.text = self._chat.decode(self._ids).removesuffix("\ufffd")
        else:
            self.text = self._chat.decode(self._ids[: len(self._ids) - lost])  # SentencePiece has a token for each byte
        return self.text

    def _is_open(self, token: int) -> bool:
        """Whether the next token may change what the last ones are decoded to. SentencePiece's bytes are read together, and none of them where one is wrong."""
        if self._chat.is_byte_level:
            return unfinished_bytes(self._chat, self._ids) > 0
        return token_bytes(self._chat, token) is not None
