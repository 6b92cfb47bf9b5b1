"""`plastic` in Brian 2, for the rules that `brunel_10k` has: the same program."""

import brian2_brunel_10k  # noqa: F401  (runs it)
