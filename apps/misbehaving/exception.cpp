// An exception on its way out of a handler: the C++ kit catches it, logs it, and answers a negative result.
#include <nsgi.hpp>

#include <stdexcept>

namespace {
struct Thrower final : nsgi::App {
  nsgi::Response respond(nsgi::Request &) override { throw std::runtime_error("thrown on purpose"); }
};
}  // namespace

extern "C" int throw_through_kit(const nsgi_host *host, const nsgi_request *request) {
  nsgi::detail::Service service{host, std::make_unique<Thrower>()};
  return nsgi::detail::call(&service, request);
}
