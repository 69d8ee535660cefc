"""Examples take as long as they take: the machine may be busy, and the first one compiles."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
