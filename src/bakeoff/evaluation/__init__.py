"""What stored logits say: metrics of one run, comparisons between contenders, and the errors behind them."""
