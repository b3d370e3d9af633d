"""The Gradio page: wiring only."""
