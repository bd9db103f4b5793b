"""Will a symmetric structure break? Soft modes, subgroups, and the probability."""
