"""What the two pretraining scripts share: corpus, captions, augmentation, the loop."""
