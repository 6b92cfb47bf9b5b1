"""`python -m spikesim` and the console script `spikesim`."""

from spikesim.cli import main

if __name__ == "__main__":
    main()
