"""Build the `pictograms` data set and the pretraining corpus of the tiny models."""
