"""Token ids -> text while an answer grows."""


class IncrementalDetokenizer:
    """Token ids -> text that only ever grows: the bytes of a syllable may be spread over tokens, so an unfinished one waits."""

    def __init__(self, tokenizer):
        self._tokenizer, self._pending, self.text, self.count = tokenizer, [], "", 0

    def add(self, token: int) -> str:
        """Take one more token and return the text so far."""
        self._pending.append(token)
        self.count += 1
        decoded = self._decode()
        # U+FFFD at the end is a syllable still incomplete; after eight tokens it is the model's own broken output.
        if not decoded.endswith("\ufffd") or len(self._pending) > 8:
            self.text += decoded
            self._pending = []
        return self.text

    def finish(self) -> str:
        """The whole text, with what was held back."""
        if self._pending:
            self.text += self._decode()
            self._pending = []
        return self.text

    def _decode(self) -> str:
        return self._tokenizer.decode(self._pending, skip_special_tokens=True, clean_up_tokenization_spaces=False)
