// Every function of nsgi_host and every hook of nsgi_app, in C++: what table.c does, with the interface as
// C++ sees it. The kit nsgi.hpp has an app of its own (Tests/Fixtures/kits).
#include <nsgi.h>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

namespace {

const nsgi_host *host;
std::string logfile, file, bootReport;
uint32_t generation;
std::atomic<nsgi_id> noted{0};
std::string last;
std::mutex mutex;  // of last
const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};

void note(const std::string &what) {
  if (logfile.empty()) return;
  const std::string line = std::to_string(getpid()) + " " + what + "\n";
  const int fd = open(logfile.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size())) close(fd);
}

int say(nsgi_id id, const std::string &text) {
  return host->respond(id, 200, &type, 1, text.data(), text.size());
}

struct Checksum {
  uint64_t hash = 0xcbf29ce484222325u;
  void add(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3u;
  }
};

// ---- The request

int view(const nsgi_request &r) {
  std::ostringstream text;
  text << r.method.p << " mount=" << r.script_name.p << " path=" << r.path_info.p << " query=" << r.query.p
       << " " << r.protocol.p << " " << r.scheme.p << " address=" << r.remote_addr.p
       << " type=" << r.content_type.p << " length=" << r.content_length << " flags=" << r.flags << " size "
       << (r.size >= sizeof r ? "whole" : "short");
  return say(r.id, text.str());
}

int environOf(const nsgi_request &r) {
  size_t n = 0, doubles = 0;
  std::string found = "absent";
  const nsgi_pair *pairs = host->environ(r.id, &n);
  for (size_t i = 0; i < n; i++) {
    if (std::strcmp(pairs[i].name.p, "HTTP_X_TABLE") == 0) found = pairs[i].value.p;
    for (size_t j = 0; j < i; j++) doubles += std::strcmp(pairs[i].name.p, pairs[j].name.p) == 0;
  }
  const char *again = host->environ(r.id, nullptr) == pairs ? "the same" : "another";
  return say(r.id, found + ", doubles " + std::to_string(doubles) + ", again " + again);
}

int fieldsOf(const nsgi_request &r) {
  size_t n = 0;
  std::string values;
  const nsgi_pair *pairs = host->fields(r.id, &n);
  for (size_t i = 0; i < n; i++)
    if (std::strcmp(pairs[i].name.p, "x-table") == 0) values.append(pairs[i].value.p).append("|");
  return say(r.id, values);
}

int envOf(const nsgi_request &r) {
  const std::string value = host->env(r.id, NSGI_STR("HTTP_X_TABLE")).p;
  return say(r.id, value + (host->env(r.id, NSGI_STR("HTTP_NOTHING")).p ? ", there" : ", absent"));
}

int readAll(const nsgi_request &r) {
  char piece[1021];
  Checksum sum;
  int64_t got, total = 0;
  while ((got = host->read(r.id, piece, sizeof piece)) > 0) {
    sum.add(piece, static_cast<size_t>(got));
    total += got;
  }
  std::ostringstream text;
  text << total << " " << std::hex << sum.hash << ", then " << host->read(r.id, piece, sizeof piece);
  return say(r.id, text.str());
}

int wholeBody(const nsgi_request &r) {
  nsgi_str once{}, twice{};
  const int result = host->body(r.id, &once) | host->body(r.id, &twice);
  Checksum sum;
  sum.add(once.p, once.n);
  std::ostringstream text;
  text << once.n << " " << std::hex << sum.hash << ", result " << result << ", again "
       << (once.p == twice.p ? "the same" : "another");
  return say(r.id, text.str());
}

// ---- The response

int replaceStart(const nsgi_request &r) {
  host->start(r.id, 500, nullptr, 0);
  const nsgi_pair fields[] = {type, {NSGI_STR("X-Table"), NSGI_STR("replaced")}};
  return host->respond(r.id, 202, fields, 2, "respond", 7);
}

void release(void *count) { static_cast<std::atomic<int> *>(count)->fetch_add(1); }

int stream(const nsgi_request &r) {
  std::atomic<int> released{0};
  const nsgi_pair fields[] = {type, {NSGI_STR("X-Table"), NSGI_STR("streamed")}};
  const int fd = open(file.c_str(), O_RDONLY);
  int bad = host->start(r.id, 201, fields, 2);
  bad |= host->write(r.id, "one ", 4);
  bad |= host->flush(r.id);
  bad |= host->lend(r.id, "two ", 4, release, &released);
  bad |= host->lend(r.id, "three ", 6, nullptr, nullptr);
  bad |= host->sendfile(r.id, fd, 2, 4);
  bad |= host->sendfile(r.id, fd, 7, -1);
  close(fd);
  const std::string text = " released " + std::to_string(released) + ", results " + std::to_string(bad);
  return host->write(r.id, text.data(), text.size());
}

// ---- Asynchronous

void finishTwice(nsgi_id id, int bad) {
  bad |= host->finish(id, NSGI_OK);
  const int again = host->finish(id, NSGI_OK);
  std::lock_guard<std::mutex> guard(mutex);
  last = "finish " + std::to_string(bad) + ", again " + std::to_string(again);
}

int tellLast(const nsgi_request &r) {
  std::lock_guard<std::mutex> guard(mutex);
  return say(r.id, last);
}

void onThread(nsgi_id id) {
  std::atomic<int> ready{0}, replaced{0};
  int bad = host->on_ready(id, NSGI_READY_GONE, release, &replaced);
  bad |= host->on_ready(id, NSGI_READY_SPACE, release, &ready);
  while (ready == 0) std::this_thread::yield();
  bad |= host->on_ready(id, NSGI_READY_GONE, release, &replaced);
  bad |= host->on_ready(id, 0, nullptr, nullptr);
  bad |= say(id, "ready " + std::to_string(ready) + ", replaced " + std::to_string(replaced) + ", results " +
                     std::to_string(bad));
  noted = id;
  finishTwice(id, bad);
}

int later(const nsgi_request &r) {
  std::thread(onThread, r.id).detach();
  return NSGI_ASYNC;
}

int early(const nsgi_request &r) {
  host->respond(r.id, 200, &type, 1, "early", 5);
  finishTwice(r.id, 0);
  return NSGI_ASYNC;
}

int beside(const nsgi_request &r) {
  std::thread([id = r.id] {
    host->start(id, 200, &type, 1);
    host->write(id, "from a thread", 13);
  }).join();
  return NSGI_OK;
}

// ---- Wrongs

struct List {
  std::string text;
  void add(const char *name, int64_t result) {
    text.append(name).append(" ").append(std::to_string(result)).append(" ");
  }
};

int misuse(const nsgi_request &r) {
  List list;
  const nsgi_id id = r.id;
  const nsgi_str nothing = {nullptr, 5};
  char byte;
  std::atomic<int> released{0};
  list.add("write", host->write(id, "x", 1));
  list.add("lend", host->lend(id, "x", 1, release, &released));
  list.add("sendfile", host->sendfile(id, 0, 0, 1));
  list.add("flush", host->flush(id));
  list.add("start", host->start(id, 199, nullptr, 0));
  list.add("start", host->start(id, 600, nullptr, 0));
  list.add("start", host->start(id, 200, nullptr, 1));
  list.add("respond", host->respond(id, 200, nullptr, 1, "x", 1));
  list.add("respond", host->respond(id, 200, nullptr, 0, nullptr, 5));
  list.add("read", host->read(id, nullptr, 5));
  list.add("read", host->read(id, &byte, 0));
  list.add("body", host->body(id, nullptr));
  list.add("env", host->env(id, nothing).p != nullptr);
  list.add("on_ready", host->on_ready(id, NSGI_READY_SPACE, nullptr, nullptr));
  list.add("on_ready", host->on_ready(id, 64, release, &released));
  host->log(id, NSGI_ERROR, nothing);
  list.add("extension", host->extension(nullptr) != nullptr);
  host->start(id, 200, &type, 1);
  list.add("write", host->write(id, nullptr, 5));
  list.add("write", host->write(id, nullptr, 0));
  list.add("lend", host->lend(id, nullptr, 5, release, &released));
  list.add("sendfile", host->sendfile(id, -1, 0, 1));
  list.add("sendfile", host->sendfile(id, 0, -1, 1));
  host->write(id, list.text.data(), list.text.size());
  list.text.clear();
  list.add("start", host->start(id, 200, &type, 1));
  list.add("respond", host->respond(id, 200, &type, 1, "x", 1));
  list.add("released", released);
  return host->write(id, list.text.data(), list.text.size());
}

// Minor 1: an interim response, and fields behind both bodies.
int behind(const nsgi_request &r) {
  const nsgi_pair link = {NSGI_STR("Link"), NSGI_STR("</a>; rel=preload")};
  const nsgi_pair head[] = {type, {NSGI_STR("Trailer"), NSGI_STR("X-Table")}};
  const nsgi_pair own = {NSGI_STR("X-Table"), NSGI_STR("behind")}, bad = {NSGI_STR("Host"), NSGI_STR("x")};
  List list;
  size_t n = 0;
  const nsgi_pair *fields = host->request_trailers(r.id, &n);
  for (size_t i = 0; i < n; i++)
    list.text += std::string(fields[i].name.p) + "=" + fields[i].value.p + " ";
  list.add("trailers", host->trailers(r.id, &own, 1));
  list.add("interim", host->interim(r.id, 103, &link, 1));
  list.add("interim", host->interim(r.id, 101, &link, 1));
  list.add("interim", host->interim(r.id, 103, nullptr, 1));
  host->start(r.id, 200, head, 2);
  list.add("trailers", host->trailers(r.id, &bad, 1));
  list.add("trailers", host->trailers(r.id, nullptr, 1));
  host->write(r.id, list.text.data(), list.text.size());
  if (host->interim(r.id, 103, &link, 1) != NSGI_MISUSE) return NSGI_FAIL;
  const int result = host->trailers(r.id, &own, 1);
  return result == NSGI_OK && host->trailers(r.id, &own, 1) == NSGI_MISUSE ? NSGI_OK : NSGI_FAIL;
}

std::string ask(nsgi_id id) {
  List list;
  char byte;
  size_t n = 1;
  nsgi_str text;
  std::atomic<int> released{0};
  const bool isThere = host->environ(id, &n) != nullptr;
  list.add("environ", isThere + static_cast<int64_t>(n));
  list.add("fields", host->fields(id, nullptr) != nullptr);
  list.add("env", host->env(id, NSGI_STR("REQUEST_METHOD")).p != nullptr);
  list.add("read", host->read(id, &byte, 1));
  list.add("body", host->body(id, &text));
  list.add("respond", host->respond(id, 200, &type, 1, "late", 4));
  list.add("start", host->start(id, 200, &type, 1));
  list.add("write", host->write(id, "late", 4));
  list.add("lend", host->lend(id, "late", 4, release, &released));
  list.add("sendfile", host->sendfile(id, 0, 0, -1));
  list.add("flush", host->flush(id));
  list.add("on_ready", host->on_ready(id, NSGI_READY_SPACE, release, &released));
  list.add("finish", host->finish(id, NSGI_OK));
  list.add("interim", host->interim(id, 103, nullptr, 0));
  list.add("trailers", host->trailers(id, nullptr, 0));
  list.add("request_trailers", host->request_trailers(id, nullptr) != nullptr);
  list.add("released", released);
  return list.text;
}

int late(const nsgi_request &r) {
  const std::string over = ask(noted), never = ask(0);
  return say(r.id, over + ", " + (over == never ? "and never the same" : never));
}

// ---- The table

int call(void *state, const nsgi_request *request) {
  const nsgi_request &r = *request;
  const std::string path = r.path_info.p;
  if (state != &generation) return NSGI_FAIL;
  if (path == "/boot") return say(r.id, bootReport);
  if (path.compare(0, 8, "/request") == 0) return view(r);
  if (path == "/environ") return environOf(r);
  if (path == "/fields") return fieldsOf(r);
  if (path == "/env") return envOf(r);
  if (path == "/extension") return say(r.id, host->extension("no.such/1") ? "there" : "absent");
  if (path == "/log") host->log(r.id, NSGI_WARNING, NSGI_STR("the table's line"));
  if (path == "/read") return readAll(r);
  if (path == "/body") return wholeBody(r);
  if (path == "/respond") return replaceStart(r);
  if (path == "/stream") return stream(r);
  if (path == "/later") return later(r);
  if (path == "/early") return early(r);
  if (path == "/last") return tellLast(r);
  if (path == "/beside") return beside(r);
  if (path == "/misuse") return misuse(r);
  if (path == "/behind") return behind(r);
  if (path == "/late") return late(r);
  if (path == "/fail") return NSGI_FAIL;
  if (path == "/waiting") {
    note("waiting");
    return NSGI_ASYNC;
  }
  return say(r.id, "table");
}

extern const nsgi_app app;

int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  generation = boot->generation;
  *state = &generation;
  std::string color = "none";
  for (const char *const *option = boot->options; *option; option += 2) {
    const std::string key = option[0];
    if (key == "log") logfile = option[1];
    if (key == "file") file = option[1];
    if (key == "color") color = option[1];
  }
  std::ostringstream text;
  text << "worker " << boot->worker << " of " << boot->workers << ", generation " << boot->generation << ", "
       << color << " on " << host->server << ", table " << (boot->app == &app ? "own" : "another")
       << ", from '" << boot->from_version.p << "' '" << boot->from_state.p << "'";
  bootReport = text.str();
  note("load");
  if (color != "refuse") return NSGI_OK;
  std::strncpy(boot->error, "no such color", boot->error_cap);
  return NSGI_FAIL;
}

std::string stranger(void *state) { return state == &generation ? "" : " stranger"; }

int probe(void *state) {
  note("probe");
  return state == &generation ? NSGI_OK : NSGI_FAIL;
}

int save(void *state, int (*sink)(void *arg, const void *bytes, size_t n), void *arg) {
  note("save");
  const std::string number = std::to_string(*static_cast<uint32_t *>(state));
  const int result = sink(arg, "saved by ", 9);
  return result < 0 ? result : sink(arg, number.data(), number.size());
}

void drain(void *state) { note("drain" + stranger(state)); }
void unload(void *state) { note("unload" + stranger(state)); }
void thread(void *state, int entering) { note((entering ? "enter" : "leave") + stranger(state)); }

void cancel(void *state, const nsgi_request *request) {
  List list;
  const nsgi_id id = request->id;
  char byte;
  if (std::strcmp(request->path_info.p, "/waiting") != 0) return;  // its call is running, and will end it
  note(std::string("cancel ") + request->path_info.p + stranger(state));
  list.add("read", host->read(id, &byte, 1));
  list.add("start", host->start(id, 200, &type, 1));
  list.add("respond", host->respond(id, 200, &type, 1, "x", 1));
  list.add("write", host->write(id, "x", 1));
  list.add("flush", host->flush(id));
  list.add("finish", host->finish(id, NSGI_GONE));
  list.add("again", host->finish(id, NSGI_GONE));
  note("cancelled " + list.text);
}

const void *extension(const char *id) { return std::strcmp(id, "table/1") ? nullptr : "the table's own"; }

const nsgi_app app = {NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC), "table", "1.2", call, load, probe,
                      save, drain, unload, thread, cancel, extension};

}  // namespace

extern "C" NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *offer) {
  return offer->head.major == NSGI_MAJOR ? &app : nullptr;
}
