"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: these tests judge what is done, and machines are slow at times.
settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
