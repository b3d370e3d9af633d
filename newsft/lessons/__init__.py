"""What the lesson shows: conversations, the mistakes as pure functions, what other trainers do, two real steps as proof."""
