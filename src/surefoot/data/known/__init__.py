"""Published data sets in the layouts that they ship with: loaders, checks, miniatures."""
