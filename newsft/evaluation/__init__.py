"""Answers read, set beside the gold answers, and scored."""
