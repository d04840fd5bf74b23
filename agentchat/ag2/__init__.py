"""AG2's agents: found in files, built, run for one turn at a time, remembered."""
