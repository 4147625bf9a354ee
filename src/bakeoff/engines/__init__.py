"""Where runs are trained: in this process, or in workers beside it."""
