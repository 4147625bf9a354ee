"""What a network can be taught: one file a task, `images` in base.py. The table of them is in spec/tasks.py."""
