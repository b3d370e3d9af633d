"""Base models and adapters: loaded, told apart, measured."""
