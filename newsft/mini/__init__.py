"""How the embedded miniature is made: rows, tokenizer and base model. Nothing outside this package knows of it."""
