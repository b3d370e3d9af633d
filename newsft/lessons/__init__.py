"""What the lesson shows: conversations, the mistakes as pure functions, two real steps as proof."""
