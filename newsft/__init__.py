"""newsft: a lesson that runs. Fine-tune a Korean Llama on financial news and look at every step of it."""
