"""The Papers with Code archive, in (``importer.py``) and out (``export.py``), with other exports.

``format.py`` has the archive's names and licence, ``fields.py`` reads its records without trust.
"""
