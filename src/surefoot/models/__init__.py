"""Models: loading, saving, exporting; heads; the built-in ones."""
