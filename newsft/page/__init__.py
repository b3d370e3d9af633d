"""The Gradio page. In newsft/ Gradio is imported nowhere else, and publish/static.py alone imports this room."""
