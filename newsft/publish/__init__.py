"""What leaves the machine: the adapter's card, its licence, the hub, a merged checkpoint."""
