"""The page in the browser: own thread, own event loop. Importing this package costs nothing; `server` is heavy."""
