"""Evaluation: zero-shot, linear, kNN; predictions are kept, scores derived."""
