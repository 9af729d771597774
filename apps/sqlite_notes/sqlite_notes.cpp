// Notes in a SQLite database, as JSON: GET / lists them, POST / adds one, GET and DELETE /ID are about one.
// SQLite does the work, its JSON functions included; the app is prepared statements and their meaning.
#include <nsgi.hpp>
#include <sqlite3.h>

#include <stdexcept>

namespace {

// No journal_mode = WAL: of two workers that change it at the same time, SQLite refuses one without waiting.
constexpr const char *kSchema =
    "CREATE TABLE IF NOT EXISTS notes ("
    "  id INTEGER PRIMARY KEY, text TEXT NOT NULL, made TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);";
constexpr size_t kLongestNote = 64 * 1024;

/// One connection to the database.
class Database {
 public:
  explicit Database(const std::string &path) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(handle_, 5000);
    if (code == SQLITE_OK) code = sqlite3_exec(handle_, kSchema, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
      std::string reason = "db=" + path + ": " + sqlite3_errmsg(handle_);
      sqlite3_close(handle_);
      throw std::runtime_error(reason);
    }
  }
  Database(const Database &) = delete;
  ~Database() { sqlite3_close(handle_); }

  sqlite3 *handle() const { return handle_; }
  int changes() const { return sqlite3_changes(handle_); }

 private:
  sqlite3 *handle_ = nullptr;
};

/// A prepared statement, ready again after each use.
class Statement {
 public:
  Statement(const Database &database, const char *sql) : database_(database.handle()) {
    check(sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
  }
  Statement(const Statement &) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  /// Runs it to its first row; what the column `0` holds, or nothing without a row.
  std::optional<std::string> run() {
    int code = sqlite3_step(statement_);
    std::optional<std::string> text;
    if (code == SQLITE_ROW) {
      auto bytes = reinterpret_cast<const char *>(sqlite3_column_text(statement_, 0));
      text = std::string(bytes ? bytes : "", size_t(sqlite3_column_bytes(statement_, 0)));
      code = sqlite3_step(statement_);
    }
    sqlite3_reset(statement_);
    if (code != SQLITE_DONE) check(code);
    return text;
  }
  std::optional<std::string> run(int64_t id) {
    check(sqlite3_bind_int64(statement_, 1, id));
    return run();
  }
  std::optional<std::string> run(std::string_view text) {
    check(sqlite3_bind_text64(statement_, 1, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    return run();
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(database_));
  }

  sqlite3 *database_;
  sqlite3_stmt *statement_ = nullptr;
};

/// The app: one connection, used by one call at a time.
class Notes final : public nsgi::App {
 public:
  explicit Notes(const nsgi::Boot &boot)
      : database_(std::string(boot.option("db").value_or(":memory:"))),
        list_(database_,
              "SELECT json_group_array(json_object('id', id, 'text', text)) FROM"
              " (SELECT id, text FROM notes ORDER BY id)"),
        one_(database_, "SELECT json_object('id', id, 'text', text, 'made', made) FROM notes WHERE id = ?1"),
        add_(database_,
             "INSERT INTO notes (text) VALUES (json_extract(?1, '$.text'))"
             " RETURNING json_object('id', id, 'text', text)"),
        fits_(database_, "SELECT CASE WHEN json_valid(?1) THEN json_type(?1, '$.text') = 'text' ELSE 0 END"),
        remove_(database_, "DELETE FROM notes WHERE id = ?1") {}

  nsgi::Response respond(nsgi::Request &request) override {
    std::string_view method = request.method(), path = request.path();
    if (path == "/" || path.empty()) {
      if (method == "GET" || method == "HEAD") return nsgi::Response::json(*list_.run() + "\n");
      if (method == "POST") return add(request.body());
      throw nsgi::Abort(405, "GET or POST\n");
    }
    int64_t id = number(path.substr(1));
    if (method == "GET" || method == "HEAD") return show(id);
    if (method == "DELETE") return remove(id);
    throw nsgi::Abort(405, "GET or DELETE\n");
  }

 private:
  nsgi::Response add(std::string_view document) {
    if (document.size() > kLongestNote) throw nsgi::Abort(413, "A note has at most 64 KiB.\n");
    if (fits_.run(document) != "1") throw nsgi::Abort(400, "Send {\"text\": \"...\"}.\n");
    nsgi::Response made = nsgi::Response::json(*add_.run(document) + "\n", 201);
    made.headers.emplace_back("Cache-Control", "no-store");
    return made;
  }

  nsgi::Response show(int64_t id) {
    std::optional<std::string> note = one_.run(id);
    if (!note) throw nsgi::Abort(404, "No such note.\n");
    return nsgi::Response::json(*note + "\n");
  }

  nsgi::Response remove(int64_t id) {
    remove_.run(id);
    if (database_.changes() == 0) throw nsgi::Abort(404, "No such note.\n");
    return nsgi::Response{204, {}, ""};
  }

  static int64_t number(std::string_view text) {
    int64_t value = 0;
    if (text.empty() || text.size() > 18) throw nsgi::Abort(404, "No such note.\n");
    for (char digit : text) {
      if (digit < '0' || digit > '9') throw nsgi::Abort(404, "No such note.\n");
      value = value * 10 + (digit - '0');
    }
    return value;
  }

  Database database_;
  Statement list_, one_, add_, fits_, remove_;
};

}  // namespace

NSGI_APP_CLASS(Notes, "sqlite_notes", "1.0", 0)
