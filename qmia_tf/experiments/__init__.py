"""Jobs that chain the nouns: a run, reference models, epochs, comparisons."""
