"""The Gradio page. Gradio is imported nowhere else, and no other room imports this one."""
