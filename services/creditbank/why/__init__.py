"""Why? 何以如此: the chain from score to rule to entry to credential behind any number, in one answer."""
