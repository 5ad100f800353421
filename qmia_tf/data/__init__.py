"""Records: loaded, split into members and nonmembers, made fit for models."""
