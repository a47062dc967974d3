"""open_clip's models: towers, by name or file or folder, architecture from shapes."""
