import NSGI
