// What the tests ask of every language's kit, in C++.
#include <nsgi.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <stdexcept>
#include <thread>

namespace {

std::string checksum(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325u) {
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  char text[32];
  snprintf(text, sizeof text, "%" PRIx64, hash);
  return text;
}

/// Says everything back.
class Echo final : public nsgi::SocketHandler {
 public:
  explicit Echo(const nsgi_host *host) : host_(host) {}

  void message(nsgi::Socket socket, std::string_view bytes, nsgi_ws_kind kind) override {
    if (bytes == "throw") throw std::runtime_error("thrown on purpose");
    if (bytes == "close") return socket.close(4001, "bye");
    if (bytes == "join") return socket.subscribe("kit");
    if (bytes == "lend") {
      socket.lend(std::make_shared<const std::string>("lent"));
      return;
    }
    socket.send(bytes, kind);
  }

  void closed(nsgi::Socket, int code, std::string_view) override {
    host_->log(0, NSGI_WARNING, nsgi::str("a socket has ended with " + std::to_string(code)));
  }

 private:
  const nsgi_host *host_;
};

class Kit final : public nsgi::App {
 public:
  explicit Kit(const nsgi::Boot &boot) : host_(boot.host()), color_(boot.option("color").value_or("none")) {
    if (auto reason = boot.option("fail")) throw std::runtime_error(std::string(*reason));
  }

  nsgi::Response respond(nsgi::Request &request) override {
    std::string_view path = request.path();
    if (path == "/hello") return hello(request);
    if (path == "/option") return nsgi::Response::text(color_);
    if (path == "/body") return measured(std::string(request.body()));
    if (path == "/read") return read(request);
    if (path == "/redirect") return nsgi::Response::redirect("/x");
    if (path == "/stream") return stream(request);
    if (path == "/abort") throw nsgi::Abort(404, "nothing here");
    if (path == "/throw") throw std::runtime_error("thrown on purpose");
    if (path == "/throw-after") {
      request.start().write("part").flush();
      throw 42;
    }
    if (path == "/connection") return nsgi::Response{200, {{"Connection", "keep-alive"}}, "bad"};
    if (path == "/bad-header") return nsgi::Response{200, {{"X-Split", "a\r\nb: c"}}, "bad"};
    if (path == "/variables") return variables(request);
    if (path == "/file") return file(request);
    if (path == "/publish") return publish();
    if (path == "/socket") return socket(request);
    if (path == "/trailers") return trailers(request);
    if (path == "/later") return later(request);
    if (path == "/later-lost") {
      nsgi::Later lost = request.later();
      throw std::runtime_error("thrown on purpose");
    }
    throw nsgi::Abort(404);
  }

  void thread(bool entering) override {
    host_->log(0, NSGI_WARNING, nsgi::str(entering ? "a thread enters" : "a thread leaves"));
  }

 private:
  nsgi::Response publish() const {
    nsgi::Topics topics(host_);
    auto first = topics.publish("kit", "to this worker");
    auto second = topics.publishAll("kit", "to all");
    return nsgi::Response::text(std::to_string(first) + " " + std::to_string(second));
  }

  nsgi::Response socket(const nsgi::Request &request) const {
    if (!nsgi::asksForSocket(request)) throw nsgi::Abort(426);
    auto offered = request.header("sec-websocket-protocol").value_or("");
    return nsgi::acceptSocket(request, std::make_unique<Echo>(host_), offered, {{"X-Kit", "1"}});
  }

  static nsgi::Response variables(nsgi::Request &request) {
    for (const nsgi_pair &pair : request.variables())
      if (nsgi::view(pair.name) == "HTTP_X_COLOR") return nsgi::Response::text(pair.value.p);
    return nsgi::Response::text("none");
  }

  static nsgi::Response file(nsgi::Request &request) {
    nsgi::Writer out = request.start();
    out.write("<");
    int descriptor = open(std::string(request.query()).c_str(), O_RDONLY);
    out.sendfile(descriptor, 2, 4);
    close(descriptor);
    out.write(">");
    return nsgi::Response::streamed();
  }

  static nsgi::Response hello(nsgi::Request &request) {
    std::string text(request.method());
    text.append(" ").append(request.path()).append(" ").append(request.query()).append(" ");
    text.append(request.header("x-color").value_or("none")).append(" ");
    return nsgi::Response::text(text.append(request.variable("HTTP_X_COLOR").value_or("none")));
  }

  static nsgi::Response measured(const std::string &body) {
    return nsgi::Response::text(std::to_string(body.size()) + " " + checksum(body));
  }

  static nsgi::Response read(nsgi::Request &request) {
    std::string all;
    char piece[1000];
    while (size_t n = request.read(piece, sizeof piece)) all.append(piece, n);
    return measured(all);
  }

  static nsgi::Response stream(nsgi::Request &request) {
    nsgi::Writer out = request.start(201, {{"Content-Type", "text/plain"}, {"X-Kit", "1"}});
    out << "one ";
    out.flush().lend(std::make_shared<const std::string>("two"));
    return nsgi::Response::streamed();
  }

  static nsgi::Response trailers(nsgi::Request &request) {
    request.interim(103, {{"Link", "</a>; rel=preload"}});
    std::string seen(request.body());
    for (const nsgi_pair &field : request.trailers())
      seen.append(" ").append(field.name.p).append("=").append(field.value.p);
    nsgi::Headers head;
    if (request.takesTrailers()) head.emplace_back("Trailer", "X-Kit");
    request.start(200, head).write(seen).end({{"X-Kit", "behind"}});
    return nsgi::Response::streamed();
  }

  static nsgi::Response later(nsgi::Request &request) {
    std::thread([later = request.later()]() mutable {
      later.respond(nsgi::Response::text("later"));
    }).detach();
    return nsgi::Response::later();
  }

  const nsgi_host *host_;
  std::string color_;
};

}  // namespace

NSGI_APP_CLASS(Kit, "kit", "1.0", NSGI_THREADSAFE | NSGI_MAY_ASYNC)
