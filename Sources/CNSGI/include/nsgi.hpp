/* nsgi.hpp - NSGI for C++17: everything of nsgi.h that an app needs, as values, exceptions and RAII.
 * One file because an app includes one, beside nsgi.h, and links nothing.
 *
 *   #include <nsgi.hpp>
 *
 *   NSGI_APP([](nsgi::Request &) { return nsgi::Response::text("Hello World!\n"); })
 *
 * An app with a state of its own derives from nsgi::App and is registered with NSGI_APP_CLASS. Text of a
 * request is lent (std::string_view) until the handler returns. Exceptions end at the border: Abort becomes
 * its status, any other is logged, and the client gets a 500 or, if part of a response has gone out, a cut
 * connection.
 */
#ifndef NSGI_HPP
#define NSGI_HPP
#include "nsgi.h"

#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nsgi {

/// A negative answer of the host, as an exception; see nsgi_result.
class Error : public std::exception {
 public:
  explicit Error(int64_t result) noexcept : result_(static_cast<int>(result)) {}

  /// The nsgi_result.
  int result() const noexcept { return result_; }

  const char *what() const noexcept override {
    switch (result_) {
      case NSGI_AGAIN: return "the host would have to wait";
      case NSGI_GONE: return "the exchange is over";
      case NSGI_MISUSE: return "the host was used wrongly";
      case NSGI_TOOBIG: return "above a limit of the host";
      case NSGI_NOMEM: return "out of memory";
      case NSGI_IO: return "the host could not read or write";
      case NSGI_TIMEOUT: return "the client was silent for too long";
      default: return "the host failed";
    }
  }

  /// Passes a good result on and throws a bad one.
  template <class Result>
  static Result check(Result result) {
    if (result < 0) throw Error(result);
    return result;
  }

 private:
  int result_;
};

/// Ends a request with a status and a text: throw nsgi::Abort(404, "No such note.\n").
class Abort : public std::exception {
 public:
  explicit Abort(int status, std::string text = "") : status_(status), text_(std::move(text)) {
    if (text_.empty()) text_ = std::to_string(status) + "\n";
  }

  int status() const noexcept { return status_; }
  const std::string &text() const noexcept { return text_; }
  const char *what() const noexcept override { return text_.c_str(); }

 private:
  int status_;
  std::string text_;
};

/// Header fields in order. Content-Length and those of the connection are the host's.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// What a handler answers.
struct Response {
  enum class Kind { whole, streamed, later };

  int status = 200;
  Headers headers;
  std::string body;
  Kind kind = Kind::whole;

  static Response of(int status, std::string type, std::string body) {
    return Response{status, {{"Content-Type", std::move(type)}}, std::move(body), Kind::whole};
  }
  static Response text(std::string body, int status = 200) {
    return of(status, "text/plain; charset=utf-8", std::move(body));
  }
  static Response html(std::string page, int status = 200) {
    return of(status, "text/html; charset=utf-8", std::move(page));
  }
  static Response json(std::string document, int status = 200) {
    return of(status, "application/json", std::move(document));
  }
  /// 303 unless another status is given (307 and 308 keep method and body).
  static Response redirect(std::string location, int status = 303) {
    return Response{status, {{"Location", std::move(location)}}, "", Kind::whole};
  }
  /// The end of a response that went through a Writer.
  static Response streamed() { return Response{200, {}, "", Kind::streamed}; }
  /// The answer comes through a Later.
  static Response later() { return Response{200, {}, "", Kind::later}; }
};

/// The text of the host as C++ sees it, and the other way round.
inline std::string_view view(nsgi_str text) noexcept { return {text.p ? text.p : "", text.n}; }
inline nsgi_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }

namespace detail {

/// Calls body with fields as the host takes them.
template <class Body>
int withPairs(const Headers &headers, Body body) {
  nsgi_pair few[8];
  std::vector<nsgi_pair> many(headers.size() > 8 ? headers.size() : 0);
  nsgi_pair *pairs = many.empty() ? few : many.data();
  for (size_t i = 0; i < headers.size(); i++) pairs[i] = {str(headers[i].first), str(headers[i].second)};
  return body(pairs, headers.size());
}

}  // namespace detail

/// The body of a response under way. A handle: copies mean the same response, late use is an Error.
class Writer {
 public:
  Writer(const nsgi_host *host, nsgi_id id) noexcept : host_(host), id_(id) {}

  /// Sends bytes; waits while the client is slower than the app.
  Writer &write(std::string_view bytes) {
    Error::check(host_->write(id_, bytes.data(), bytes.size()));
    return *this;
  }
  Writer &operator<<(std::string_view bytes) { return write(bytes); }

  /// Sends bytes without a copy: they are kept until the host is done with them.
  Writer &lend(std::shared_ptr<const std::string> bytes) {
    const std::string &text = *bytes;
    auto *kept = new std::shared_ptr<const std::string>(std::move(bytes));
    auto release = [](void *arg) { delete static_cast<std::shared_ptr<const std::string> *>(arg); };
    Error::check(host_->lend(id_, text.data(), text.size(), release, kept));
    return *this;
  }

  /// Sends `count` bytes of a file from `offset` on, to its end if negative. The caller keeps the descriptor.
  Writer &sendfile(int descriptor, int64_t offset = 0, int64_t count = -1) {
    Error::check(host_->sendfile(id_, descriptor, offset, count));
    return *this;
  }

  /// Pushes what was written on towards the client now; the host gathers small pieces otherwise.
  Writer &flush() {
    Error::check(host_->flush(id_));
    return *this;
  }

  /// Ends the response with fields behind its body, which are dropped where there is no place for them; a
  /// Trailer among the headers of start() announces them. Nothing can be sent afterwards.
  void end(const Headers &trailers) {
    if (!NSGI_HAS(host_, trailers)) return;
    Error::check(detail::withPairs(trailers, [&](const nsgi_pair *pairs, size_t n) {
      return host_->trailers(id_, pairs, n);
    }));
  }

 private:
  const nsgi_host *host_;
  nsgi_id id_;
};

/// What a request under way can do whichever thread it is on.
class Exchange {
 public:
  Exchange(const nsgi_host *host, nsgi_id id) noexcept : host_(host), id_(id) {}

  nsgi_id id() const noexcept { return id_; }
  const nsgi_host *host() const noexcept { return host_; }

  /// One line of the host's log, marked with this request.
  void log(std::string_view line, nsgi_level level = NSGI_INFO) const noexcept {
    host_->log(id_, level, str(line));
  }

  /// Begins a response whose body follows through the writer; end it with `return Response::streamed()`.
  Writer start(int status = 200, const Headers &headers = {}) const {
    Error::check(detail::withPairs(headers, [&](const nsgi_pair *pairs, size_t n) {
      return host_->start(id_, status, pairs, n);
    }));
    return Writer(host_, id_);
  }

  /// Sends an interim response, status 102 to 199, before the final one: 103 (Early Hints) with Link fields.
  /// Does nothing for a client that takes none, or over a host of version 1.0.
  void interim(int status, const Headers &headers = {}) const {
    if (!NSGI_HAS(host_, interim)) return;
    Error::check(detail::withPairs(headers, [&](const nsgi_pair *pairs, size_t n) {
      return host_->interim(id_, status, pairs, n);
    }));
  }

  /// Calls function(arg) once on a host thread, as soon as one of what (nsgi_ready) is so; what == 0 takes
  /// the earlier one back. An nsgi_result.
  int onReady(int what, void (*function)(void *), void *arg) const noexcept {
    return host_->on_ready(id_, what, function, arg);
  }

  /// The whole response at once; an nsgi_result.
  int respond(const Response &response) const {
    return detail::withPairs(response.headers, [&](const nsgi_pair *pairs, size_t n) {
      const std::string &body = response.body;
      return host_->respond(id_, response.status, pairs, n, body.data(), body.size());
    });
  }

 protected:
  const nsgi_host *host_;
  nsgi_id id_;
};

/// The right and the duty to answer a request after its handler has returned, from any thread. Moves, never
/// copies. One that dies unanswered ends its request as failed: the client is not left waiting.
class Later : public Exchange {
 public:
  using Exchange::Exchange;
  Later(Later &&other) noexcept : Exchange(other.host_, std::exchange(other.id_, 0)) {}
  Later &operator=(Later &&other) noexcept {
    if (this != &other) {
      abandon();
      host_ = other.host_;
      id_ = std::exchange(other.id_, 0);
    }
    return *this;
  }
  ~Later() { abandon(); }

  /// Answers and ends the request.
  void respond(const Response &response) { finish(Exchange::respond(response)); }

  /// Ends a request that was answered through start(); an nsgi_result says how.
  void finish(int result = NSGI_OK) noexcept {
    if (id_ != 0) host_->finish(std::exchange(id_, 0), result);
  }

 private:
  void abandon() noexcept { finish(NSGI_FAIL); }
};

/// One request. Its texts are lent until the handler returns.
class Request : public Exchange {
 public:
  Request(const nsgi_host *host, const nsgi_request *view) noexcept : Exchange(host, view->id), view_(view) {}
  Request(const Request &) = delete;
  Request &operator=(const Request &) = delete;

  std::string_view method() const noexcept { return view(view_->method); }
  /// The path below the app's mount point, percent-decoded: "/cart/7".
  std::string_view path() const noexcept { return view(view_->path_info); }
  /// Where the app is mounted: "" or "/shop".
  std::string_view mount() const noexcept { return view(view_->script_name); }
  /// Without the question mark, as sent; empty if there is none.
  std::string_view query() const noexcept { return view(view_->query); }
  std::string_view protocol() const noexcept { return view(view_->protocol); }
  std::string_view scheme() const noexcept { return view(view_->scheme); }
  std::string_view remoteAddress() const noexcept { return view(view_->remote_addr); }
  std::string_view contentType() const noexcept { return view(view_->content_type); }
  /// Bytes of the body; nothing if the client did not say.
  std::optional<int64_t> contentLength() const noexcept {
    if (view_->content_length < 0) return std::nullopt;
    return view_->content_length;
  }

  /// A header field by its name in lower case: the first one of that name.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (const nsgi_pair &field : headers())
      if (view(field.name) == name) return view(field.value);
    return std::nullopt;
  }

  /// One CGI meta-variable (RFC 3875), such as "SERVER_PORT" or "HTTP_COOKIE".
  std::optional<std::string_view> variable(std::string_view name) const noexcept {
    nsgi_str value = host_->env(id_, str(name));
    return value.p ? std::optional<std::string_view>(view(value)) : std::nullopt;
  }

  /// Name-value pairs for a range-based for.
  struct Pairs {
    const nsgi_pair *first = nullptr;
    size_t count = 0;
    const nsgi_pair *begin() const noexcept { return first; }
    const nsgi_pair *end() const noexcept { return first + count; }
    size_t size() const noexcept { return count; }
  };
  /// Header fields in the order received, names in lower case, repeated ones kept apart.
  Pairs headers() const noexcept {
    Pairs pairs;
    pairs.first = host_->fields(id_, &pairs.count);
    return pairs;
  }
  /// All CGI meta-variables, HTTP_* included.
  Pairs variables() const noexcept {
    Pairs pairs;
    pairs.first = host_->environ(id_, &pairs.count);
    return pairs;
  }

  /// The whole body; waits for it.
  std::string_view body() const {
    nsgi_str whole = {"", 0};
    Error::check(host_->body(id_, &whole));
    return view(whole);
  }

  /// The next bytes of the body, at most `capacity`; 0 at the end.
  size_t read(void *buffer, size_t capacity) {
    return static_cast<size_t>(Error::check(host_->read(id_, buffer, capacity)));
  }

  /// Fields behind the body, names in lower case; none before the end of the body has come, which body()
  /// waits for, and read() with its 0.
  Pairs trailers() const noexcept {
    Pairs pairs;
    if (NSGI_HAS(host_, request_trailers)) pairs.first = host_->request_trailers(id_, &pairs.count);
    return pairs;
  }

  /// What interim() sends reaches the client.
  bool takesInterim() const noexcept { return view_->flags & NSGI_TAKES_INTERIM; }
  /// What Writer::end() is given reaches the client, behind a body.
  bool takesTrailers() const noexcept { return view_->flags & NSGI_TAKES_TRAILERS; }

  /// Takes the answer away from the handler, which returns Response::later(). Needs NSGI_MAY_ASYNC.
  Later later() noexcept {
    isLater_ = true;
    return Later(host_, id_);
  }
  bool isLater() const noexcept { return isLater_; }

 private:
  using Exchange::respond;  // A handler returns its response.

  static std::string_view view(nsgi_str text) noexcept { return nsgi::view(text); }

  const nsgi_request *view_;
  bool isLater_ = false;
};

/// Publishes messages to the WebSockets that apps of this server have subscribed to a topic
/// (nsgi.websocket/1). May be kept, and used from any thread.
class Topics {
 public:
  /// Throws an Error on a host without WebSockets, or without publish_all.
  explicit Topics(const nsgi_host *host)
      : table_(static_cast<const nsgi_websocket *>(host->extension("nsgi.websocket/1"))) {
    if (!table_ || table_->size < offsetof(nsgi_websocket, lend)) throw Error(NSGI_MISUSE);
  }

  /// To those of this worker, but for one (0: none); how many took it.
  int64_t publish(std::string_view topic, std::string_view message, nsgi_ws_kind kind = NSGI_WS_TEXT,
                  nsgi_ws_id except = 0) const {
    return Error::check(table_->publish(str(topic), kind, message.data(), message.size(), except));
  }

  /// To those of all workers; how many of this one took it.
  int64_t publishAll(std::string_view topic, std::string_view message, nsgi_ws_kind kind = NSGI_WS_TEXT,
                     nsgi_ws_id except = 0) const {
    return Error::check(table_->publish_all(str(topic), kind, message.data(), message.size(), except));
  }

 private:
  const nsgi_websocket *table_;
};

/// One WebSocket (nsgi.websocket/1). A handle: copies mean the same socket, late use is an Error. May be
/// kept, and used from any thread.
class Socket {
 public:
  Socket(const nsgi_websocket *table, nsgi_ws_id id) noexcept : table_(table), id_(id) {}

  nsgi_ws_id id() const noexcept { return id_; }

  /// Sends a message; false if too much waits for the client (--websocket-queue): drained() follows.
  bool send(std::string_view message, nsgi_ws_kind kind = NSGI_WS_TEXT) const {
    int result = table_->send(id_, kind, message.data(), message.size());
    if (result == NSGI_AGAIN) return false;
    Error::check(result);
    return true;
  }

  /// The same without a copy where the host lends: the bytes are kept until it is done with them.
  bool lend(std::shared_ptr<const std::string> message, nsgi_ws_kind kind = NSGI_WS_TEXT) const {
    const std::string &text = *message;
    if (table_->size <= offsetof(nsgi_websocket, lend)) return send(text, kind);
    auto *kept = new std::shared_ptr<const std::string>(std::move(message));
    auto release = [](void *arg) { delete static_cast<std::shared_ptr<const std::string> *>(arg); };
    int result = table_->lend(id_, kind, text.data(), text.size(), release, kept);
    if (result == NSGI_AGAIN) return false;
    Error::check(result);
    return true;
  }

  /// Sends a ping of at most 125 bytes.
  void ping(std::string_view bytes = {}) const {
    Error::check(table_->ping(id_, bytes.data(), bytes.size()));
  }

  /// Closes after everything that was sent; does nothing to one that is closing already.
  void close(int code = 1000, std::string_view reason = {}) const {
    int result = table_->close(id_, code, str(reason));
    if (result != NSGI_GONE) Error::check(result);
  }

  /// Bytes that wait for the client.
  int64_t buffered() const { return Error::check(table_->buffered(id_)); }

  /// The client has to wait from now on, or need no longer.
  void pause() const { Error::check(table_->pause(id_)); }
  void resume() const { Error::check(table_->resume(id_)); }

  /// From now on it gets what is published under this topic, or no longer.
  void subscribe(std::string_view topic) const { Error::check(table_->subscribe(id_, str(topic))); }
  void unsubscribe(std::string_view topic) const { Error::check(table_->unsubscribe(id_, str(topic))); }

 private:
  const nsgi_websocket *table_;
  nsgi_ws_id id_;
};

/// What is done with a WebSocket: an object for each, which is deleted after closed(). One call at a time.
/// What it throws is logged, and closes the socket with 1011.
class SocketHandler {
 public:
  virtual ~SocketHandler() = default;

  /// A whole message; its bytes are lent until this returns.
  virtual void message(Socket socket, std::string_view bytes, nsgi_ws_kind kind) = 0;
  /// There is room again behind a send() that was false.
  virtual void drained(Socket) {}
  /// The end, and the last call: 1005 if the client gave no code, 1006 if the connection broke.
  virtual void closed(Socket, int /* code */, std::string_view /* reason */) {}
};

/// What an app learns when it starts; lent until its constructor returns.
class Boot {
 public:
  explicit Boot(const nsgi_boot *boot) noexcept : boot_(boot) {}

  uint32_t worker() const noexcept { return boot_->worker; }
  uint32_t workers() const noexcept { return boot_->workers; }
  uint32_t generation() const noexcept { return boot_->generation; }
  const nsgi_host *host() const noexcept { return boot_->host; }
  /// What the previous generation's save() wrote, and that generation's version; empty at a cold start.
  std::string_view previousState() const noexcept { return view(boot_->from_state); }
  std::string_view previousVersion() const noexcept { return view(boot_->from_version); }

  /// --app-option key=value; the last one of a key counts.
  std::optional<std::string_view> option(std::string_view key) const noexcept {
    std::optional<std::string_view> found;
    for (const char *const *next = boot_->options; next && next[0] && next[1]; next += 2)
      if (key == next[0]) found = next[1];
    return found;
  }

 private:
  const nsgi_boot *boot_;
};

/// An app with a state: made once in each worker, from a `const Boot &`. A constructor that throws stops the
/// server's start, or refuses the swap, with what() as the reason.
class App {
 public:
  virtual ~App() = default;

  /// Answers one request; on several threads at once if the app was registered with NSGI_THREADSAFE.
  virtual Response respond(Request &request) = 0;

  /// Takes bytes of save().
  class Sink {
   public:
    using Function = int (*)(void *arg, const void *bytes, size_t n);
    Sink(Function function, void *arg) noexcept : function_(function), arg_(arg) {}
    void write(std::string_view bytes) { Error::check(function_(arg_, bytes.data(), bytes.size())); }

   private:
    Function function_;
    void *arg_;
  };

  /// Throws to refuse a swap to this generation.
  virtual void probe() {}
  /// Writes what the next generation should know.
  virtual void save(Sink &) {}
  /// No new request will come.
  virtual void drain() {}
  /// A host thread is about to make its first call, or has made its last.
  virtual void thread(bool /* entering */) {}
  /// The client is gone or the deadline passed; on any thread, while respond() runs or before finish().
  virtual void cancel(const Request &) {}
  /// What the app offers beyond the table, by name and version; for a derived class to hide.
  static const void *extension(const char *) noexcept { return nullptr; }
};

/// Between the C table and App: nothing is thrown across.
namespace detail {

/// The `state` of the C table.
struct Service {
  const nsgi_host *host;
  std::unique_ptr<App> app;

  static Service &of(void *state) noexcept { return *static_cast<Service *>(state); }
};

/// Why it failed, for a handler of a catch clause.
inline std::string whatWasThrown() {
  try {
    throw;
  } catch (const std::exception &error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// For a handler of a catch clause: logs what was thrown; an nsgi_result. A client that has left or is too
/// slow is no fault of the app.
inline int failed(const nsgi_host *host, nsgi_id id, std::string_view doing,
                  std::string_view what = {}) noexcept {
  int result = NSGI_FAIL;
  try {
    try {
      throw;
    } catch (const Error &error) {
      result = error.result();
    } catch (...) {
    }
    if (result == NSGI_GONE || result == NSGI_TIMEOUT) return result;
    host->log(id, NSGI_ERROR, str(whatWasThrown().append(doing).append(what)));
  } catch (...) {
    return NSGI_NOMEM;
  }
  return result;
}

/// Runs `body`; what it throws is logged and becomes a negative nsgi_result.
template <class Body>
int guarded(const nsgi_host *host, std::string_view doing, Body body) noexcept {
  try {
    body();
    return NSGI_OK;
  } catch (...) {
    return failed(host, 0, doing);
  }
}

inline int answer(App &app, Request &request) {
  try {
    Response response = app.respond(request);
    if (request.isLater()) return NSGI_ASYNC;
    if (response.kind != Response::Kind::whole) return NSGI_OK;
    return static_cast<const Exchange &>(request).respond(response);
  } catch (const Abort &abort) {
    if (request.isLater()) return NSGI_ASYNC;
    return static_cast<const Exchange &>(request).respond(Response::text(abort.text(), abort.status()));
  } catch (const Error &error) {
    if (request.isLater() || error.result() != NSGI_TOOBIG) throw;
    return static_cast<const Exchange &>(request).respond(Response::text("Content Too Large\n", 413));
  }
}

inline int call(void *state, const nsgi_request *view) noexcept {
  Service &service = Service::of(state);
  Request request(service.host, view);
  try {
    return answer(*service.app, request);
  } catch (...) {
    int result = failed(service.host, view->id, ", answering ", request.path());
    // A Later ends its exchange by itself, wherever it is now.
    return request.isLater() ? static_cast<int>(NSGI_ASYNC) : result;
  }
}

template <class Type>
int load(const nsgi_boot *boot, void **state) noexcept {
  try {
    *state = new Service{boot->host, std::make_unique<Type>(Boot(boot))};
    return NSGI_OK;
  } catch (const std::exception &error) {
    if (boot->error_cap == 0) return NSGI_FAIL;
    std::strncpy(boot->error, error.what(), boot->error_cap - 1);
    boot->error[boot->error_cap - 1] = 0;
  } catch (...) {
  }
  return NSGI_FAIL;
}

inline int probe(void *state) noexcept {
  Service &service = Service::of(state);
  return guarded(service.host, ", in probe", [&] { service.app->probe(); });
}

inline int save(void *state, App::Sink::Function function, void *arg) noexcept {
  Service &service = Service::of(state);
  App::Sink sink(function, arg);
  return guarded(service.host, ", in save", [&] { service.app->save(sink); });
}

inline void drain(void *state) noexcept {
  Service &service = Service::of(state);
  guarded(service.host, ", in drain", [&] { service.app->drain(); });
}

inline void unload(void *state) noexcept { delete &Service::of(state); }

inline void thread(void *state, int entering) noexcept {
  Service &service = Service::of(state);
  guarded(service.host, ", in thread", [&] { service.app->thread(entering != 0); });
}

inline void cancel(void *state, const nsgi_request *view) noexcept {
  Service &service = Service::of(state);
  Request request(service.host, view);
  guarded(service.host, ", in cancel", [&] { service.app->cancel(request); });
}

/// The `socket` of the C handlers.
struct HeldSocket {
  const nsgi_host *host;
  const nsgi_websocket *table;
  std::unique_ptr<SocketHandler> handler;

  static HeldSocket &of(void *socket) noexcept { return *static_cast<HeldSocket *>(socket); }

  /// Runs `body`; what it throws is logged, and closes the socket.
  template <class Body>
  void run(nsgi_ws_id id, std::string_view doing, Body body) noexcept {
    try {
      body(Socket(table, id));
    } catch (...) {
      failed(host, 0, doing);
      table->close(id, 1011, nsgi_str{"", 0});
    }
  }
};

inline void socketMessage(void *socket, nsgi_ws_id id, int kind, const void *bytes, size_t n) noexcept {
  HeldSocket &held = HeldSocket::of(socket);
  held.run(id, ", in a message of a WebSocket", [&](Socket one) {
    std::string_view message(static_cast<const char *>(bytes), n);
    held.handler->message(one, message, static_cast<nsgi_ws_kind>(kind));
  });
}

inline void socketDrained(void *socket, nsgi_ws_id id) noexcept {
  HeldSocket &held = HeldSocket::of(socket);
  held.run(id, ", in drained", [&](Socket one) { held.handler->drained(one); });
}

inline void socketClosed(void *socket, nsgi_ws_id id, int code, nsgi_str reason) noexcept {
  std::unique_ptr<HeldSocket> held(static_cast<HeldSocket *>(socket));
  held->run(id, ", in closed", [&](Socket one) { held->handler->closed(one, code, nsgi::view(reason)); });
}

template <class Type>
constexpr nsgi_app table(const char *name, const char *version, uint32_t flags) noexcept {
  return {NSGI_APP_HEAD(flags), name, version, call, load<Type>, probe, save, drain, unload, thread, cancel,
          Type::extension};
}

}  // namespace detail

/// The request asks for a WebSocket, well or badly.
inline bool asksForSocket(const Request &request) noexcept {
  auto *table = static_cast<const nsgi_websocket *>(request.host()->extension("nsgi.websocket/1"));
  return table && table->asked(request.id()) == 1;
}

/// Accepts the WebSocket that a request asks for, and answers what its handler returns. A malformed handshake
/// is answered by the host, and `handler` deleted. subprotocol: one that the client offers, or empty.
inline Response acceptSocket(const Request &request, std::unique_ptr<SocketHandler> handler,
                             std::string_view subprotocol = {}, const Headers &headers = {}) {
  auto *table = static_cast<const nsgi_websocket *>(request.host()->extension("nsgi.websocket/1"));
  if (!table) throw Error(NSGI_MISUSE);
  auto held = std::make_unique<detail::HeldSocket>();
  held->host = request.host();
  held->table = table;
  held->handler = std::move(handler);
  const nsgi_ws_handlers handlers = {sizeof handlers, 0, detail::socketMessage, detail::socketDrained,
                                     detail::socketClosed};
  nsgi_ws_id id = 0;
  int result = detail::withPairs(headers, [&](const nsgi_pair *pairs, size_t n) {
    return table->accept(request.id(), str(subprotocol), pairs, n, &handlers, held.get(), &id);
  });
  // From here on closed() deletes it.
  if (result == NSGI_OK) (void)held.release();
  if (result != NSGI_GONE) Error::check(result);
  return Response::streamed();
}

}  // namespace nsgi

/// Registers a class derived from nsgi::App: NSGI_APP_CLASS(Shop, "shop", "1.2", NSGI_THREADSAFE)
#define NSGI_APP_CLASS(Type, name, version, flags)                                          \
  extern "C" NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *) {                    \
    static constexpr nsgi_app table = nsgi::detail::table<Type>(name, version, (flags));    \
    return &table;                                                                          \
  }

/// Registers a function or a lambda, `nsgi::Response (nsgi::Request &)`, called for one request at a time.
#define NSGI_APP(...) NSGI_APP_WITH(0, __VA_ARGS__)

/// The same with nsgi_app_flags: NSGI_APP_WITH(NSGI_THREADSAFE, handler)
#define NSGI_APP_WITH(flags, ...)                                            \
  namespace {                                                                \
  struct NsgiHandlerApp final : nsgi::App {                                  \
    explicit NsgiHandlerApp(const nsgi::Boot &) {}                           \
    nsgi::Response respond(nsgi::Request &request) override {                \
      static const auto handler = __VA_ARGS__;                               \
      return handler(request);                                               \
    }                                                                        \
  };                                                                         \
  }                                                                          \
  NSGI_APP_CLASS(NsgiHandlerApp, nullptr, nullptr, flags)

#endif
