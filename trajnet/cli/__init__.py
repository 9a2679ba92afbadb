"""The ``trajnet`` command: parse, call the library, show."""
