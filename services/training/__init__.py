"""Training gives approved learners places in classes and records who completed them."""
