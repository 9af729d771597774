"""`make bench-wsgi`: many WSGI servers under an open-loop load, directly and behind lighttpd and nginx."""
