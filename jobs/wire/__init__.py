"""The structs of the API's answers, which the API writes and its clients read."""
