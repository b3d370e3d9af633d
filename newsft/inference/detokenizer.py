"""Token ids -> text while an answer grows."""

from newsft.encoding.chat import ChatFormat


class IncrementalDetokenizer:
    """Token ids -> text that only ever grows: the bytes of a syllable may be spread over tokens, so an unfinished one waits."""

    def __init__(self, chat: ChatFormat):
        self._chat, self._pending, self.text, self.count = chat, [], "", 0

    def add(self, token: int) -> str:
        """Take one more token and return the text so far."""
        self._pending.append(token)
        self.count += 1
        decoded = self._chat.decode(self._pending)
        # U+FFFD at the end is a syllable still incomplete; after eight tokens it is the model's own broken output.
        if not decoded.endswith("\ufffd") or len(self._pending) > 8:
            self.text += decoded
            self._pending = []
        return self.text

    def finish(self) -> str:
        """The whole text, with what was held back."""
        if self._pending:
            self.text += self._chat.decode(self._pending)
            self._pending = []
        return self.text
