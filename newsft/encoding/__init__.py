"""Messages -> ids, labels, mask, origins: the one way of encoding."""
