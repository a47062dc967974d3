"""transformers' models: towers, folders and hub repositories, transforms."""
