"""Results -> HTML, one module per tab. Nothing here knows gradio or torch; everything from a user or a model is escaped."""
