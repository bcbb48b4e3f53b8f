"""What is settled before a route is chosen (how a path is spelled, HEAD, OPTIONS, CORS), and what every answer has."""
