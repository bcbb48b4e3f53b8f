"""Routes of servers and the commands that operators give them."""
