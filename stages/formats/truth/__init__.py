"""Ground truth in the files of the data sets' authors, recognized by their layout."""
