"""WsgiDAV on the folder of $DAV_ROOT, for everybody."""
import os
from wsgidav.wsgidav_app import WsgiDAVApp

app = application = WsgiDAVApp({
  "provider_mapping": {"/": os.environ["DAV_ROOT"]}, "http_authenticator": {"domain_controller": None},
  "simple_dc": {"user_mapping": {"*": True}}, "verbose": 1, "lock_storage": True, "property_manager": True,
  "logging": {"enable_loggers": []}})
