"""Published networks, one file each, named after author and year."""
