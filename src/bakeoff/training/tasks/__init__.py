"""What a network can be taught: one file a task. The table of them is in spec/tasks.py."""
