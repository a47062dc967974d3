"""What a user brings: images, labels, captions, shifts; readers and the loader."""
