"""Published experiments, one file each, named after author and year."""
