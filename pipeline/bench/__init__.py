"""Standard protocols on data in the layout of its authors."""
