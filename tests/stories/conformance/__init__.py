"""The conformance cases: what an application meets, whatever a provider does.

They are listed in docs/conformance.md.
"""

import pytest

pytest.register_assert_rewrite("tests.stories.conformance.strikes")
