"""Facts and answers become a plan."""
