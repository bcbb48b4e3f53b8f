"""What comes with a request beside the parameters of one output: its origin, its shots, how numbers are written."""
