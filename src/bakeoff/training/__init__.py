"""One training run: the loop, its optimisers, schedules and losses, and checkpoints that lose no bit."""
