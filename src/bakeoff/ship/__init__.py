"""What is done with a trained run: evaluate it on other data, predict with it."""
