"""Routes of webhook endpoints and their deliveries."""
