"""From a trained model to the files that are deployed, and back to queries."""
