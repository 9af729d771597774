// my_app: an application for nsgi-server. nsgi.hpp is the manual.
#include "nsgi.hpp"

namespace {

// Made once in each worker process; respond() runs on several threads at once, as NSGI_THREADSAFE says.
class App final : public nsgi::App {
 public:
  explicit App(const nsgi::Boot &) {}

  nsgi::Response respond(nsgi::Request &request) override {
    if (request.path() != "/") throw nsgi::Abort(404, "There is nothing here.\n");
    return nsgi::Response::text("Hello World!\n");
  }
};

}  // namespace

NSGI_APP_CLASS(App, "my_app", "0.1.0", NSGI_THREADSAFE)
