"""Classes, and the places in them that approved learners hold or wait for."""
