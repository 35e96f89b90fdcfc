"""Ground floor: the data types, what a stage is, and every geometric stage."""
