"""The structs that the API answers with; the API writes them and its clients read them."""
