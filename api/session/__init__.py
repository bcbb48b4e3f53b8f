"""The session of a browser that is signed in to the console: its cookie, and the requests that it counts for."""
