"""`plastic` in NEST, for the rules that `brunel_10k` has: the same program."""

import nest_brunel_10k  # noqa: F401  (runs it)
