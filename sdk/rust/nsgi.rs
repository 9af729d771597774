//! NSGI for Rust: everything of nsgi.h that an app needs, safely. One file because an app takes it in as a
//! module, without a package and without dependencies; good for rustc 1.63 and later.
//!
//! ```text
//! #[path = "nsgi.rs"]
//! mod nsgi;
//! use nsgi::{Request, Response};
//!
//! nsgi::app!(|_: &mut Request| Response::text("Hello World!\n"));
//! ```
//!
//! Build: `rustc --edition 2021 --crate-type cdylib -O -C panic=unwind hello.rs -o hello.so`. The module has
//! to be `crate::nsgi`. An app with a state of its own implements `App` and is registered with
//! `nsgi::app!(type Shop)`. Panics end at the border: they are logged, and the client gets a 500 or, if part
//! of a response has gone out, a cut connection.
#![allow(dead_code)]

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{c_void, CStr};
use std::marker::PhantomData;
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{fmt, io, ptr, slice};

/// The interface as C declares it (nsgi.h); names and order are those of the header.
pub mod sys {
    use super::*;

    pub const OK: c_int = 0;
    pub const ASYNC: c_int = 1;
    pub const AGAIN: c_int = -1;
    pub const GONE: c_int = -2;
    pub const MISUSE: c_int = -3;
    pub const TOOBIG: c_int = -4;
    pub const NOMEM: c_int = -5;
    pub const IO: c_int = -6;
    pub const TIMEOUT: c_int = -7;
    pub const FAIL: c_int = -8;

    pub const THREADSAFE: u32 = 1;
    pub const NONBLOCKING: u32 = 2;
    pub const STREAMS_IN: u32 = 4;
    pub const MAY_ASYNC: u32 = 8;

    pub const TAKES_INTERIM: u32 = 16;
    pub const TAKES_TRAILERS: u32 = 32;

    pub type Id = u64;
    pub type Release = Option<unsafe extern "C" fn(*mut c_void)>;
    pub type Sink = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int;

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Head {
        pub magic: u32,
        pub major: u16,
        pub minor: u16,
        pub size: u32,
        pub flags: u32,
    }

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Str {
        pub p: *const c_char,
        pub n: usize,
    }

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Pair {
        pub name: Str,
        pub value: Str,
    }

    #[repr(C)]
    pub struct Request {
        pub size: u32,
        pub flags: u32,
        pub id: Id,
        pub method: Str,
        pub script_name: Str,
        pub path_info: Str,
        pub query: Str,
        pub protocol: Str,
        pub scheme: Str,
        pub remote_addr: Str,
        pub content_type: Str,
        pub content_length: i64,
    }

    #[repr(C)]
    pub struct Host {
        pub head: Head,
        pub server: *const c_char,
        pub version: *const c_char,
        pub log: unsafe extern "C" fn(Id, c_int, Str),
        pub extension: unsafe extern "C" fn(*const c_char) -> *const c_void,
        pub environ: unsafe extern "C" fn(Id, *mut usize) -> *const Pair,
        pub fields: unsafe extern "C" fn(Id, *mut usize) -> *const Pair,
        pub env: unsafe extern "C" fn(Id, Str) -> Str,
        pub read: unsafe extern "C" fn(Id, *mut c_void, usize) -> i64,
        pub body: unsafe extern "C" fn(Id, *mut Str) -> c_int,
        pub respond:
            unsafe extern "C" fn(Id, c_int, *const Pair, usize, *const c_void, usize) -> c_int,
        pub start: unsafe extern "C" fn(Id, c_int, *const Pair, usize) -> c_int,
        pub write: unsafe extern "C" fn(Id, *const c_void, usize) -> c_int,
        pub lend: unsafe extern "C" fn(Id, *const c_void, usize, Release, *mut c_void) -> c_int,
        pub sendfile: unsafe extern "C" fn(Id, c_int, i64, i64) -> c_int,
        pub flush: unsafe extern "C" fn(Id) -> c_int,
        pub on_ready: unsafe extern "C" fn(Id, c_int, Release, *mut c_void) -> c_int,
        pub finish: unsafe extern "C" fn(Id, c_int) -> c_int,
        pub reason: unsafe extern "C" fn(Id, Str) -> c_int,
        // Since minor 1: not there in a host whose head says less.
        pub interim: unsafe extern "C" fn(Id, c_int, *const Pair, usize) -> c_int,
        pub trailers: unsafe extern "C" fn(Id, *const Pair, usize) -> c_int,
        pub request_trailers: unsafe extern "C" fn(Id, *mut usize) -> *const Pair,
    }

    impl Host {
        /// It has the functions of minor 1.
        pub fn has_trailers(&self) -> bool {
            self.head.minor >= 1
        }
    }

    #[repr(C)]
    pub struct Boot {
        pub size: u32,
        pub worker: u32,
        pub workers: u32,
        pub generation: u32,
        pub host: *const Host,
        pub app: *const App,
        pub options: *const *const c_char,
        pub from_version: Str,
        pub from_state: Str,
        pub error: *mut c_char,
        pub error_cap: usize,
    }

    #[repr(C)]
    pub struct App {
        pub head: Head,
        pub name: *const c_char,
        pub version: *const c_char,
        pub call: unsafe extern "C" fn(*mut c_void, *const Request) -> c_int,
        pub load: Option<unsafe extern "C" fn(*const Boot, *mut *mut c_void) -> c_int>,
        pub probe: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
        pub save: Option<unsafe extern "C" fn(*mut c_void, Sink, *mut c_void) -> c_int>,
        pub drain: Option<unsafe extern "C" fn(*mut c_void)>,
        pub unload: Option<unsafe extern "C" fn(*mut c_void)>,
        pub thread: Option<unsafe extern "C" fn(*mut c_void, c_int)>,
        pub cancel: Option<unsafe extern "C" fn(*mut c_void, *const Request)>,
        pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
    }

    #[repr(C)]
    pub struct WsHandlers {
        pub size: u32,
        pub flags: u32,
        pub message: Option<unsafe extern "C" fn(*mut c_void, Id, c_int, *const c_void, usize)>,
        pub drain: Option<unsafe extern "C" fn(*mut c_void, Id)>,
        pub closed: Option<unsafe extern "C" fn(*mut c_void, Id, c_int, Str)>,
    }

    pub const WS_TEXT: c_int = 1;
    pub const WS_BINARY: c_int = 2;

    #[repr(C)]
    pub struct WebSocket {
        pub size: u32,
        pub flags: u32,
        pub asked: unsafe extern "C" fn(Id) -> c_int,
        pub accept: unsafe extern "C" fn(
            Id,
            Str,
            *const Pair,
            usize,
            *const WsHandlers,
            *mut c_void,
            *mut Id,
        ) -> c_int,
        pub send: unsafe extern "C" fn(Id, c_int, *const c_void, usize) -> c_int,
        pub ping: unsafe extern "C" fn(Id, *const c_void, usize) -> c_int,
        pub close: unsafe extern "C" fn(Id, c_int, Str) -> c_int,
        pub buffered: unsafe extern "C" fn(Id) -> i64,
        pub pause: unsafe extern "C" fn(Id) -> c_int,
        pub resume: unsafe extern "C" fn(Id) -> c_int,
        pub encode: unsafe extern "C" fn(c_int, *const c_void, usize) -> *mut c_void,
        pub send_frame: unsafe extern "C" fn(Id, *mut c_void) -> c_int,
        pub release: unsafe extern "C" fn(*mut c_void),
        pub subscribe: unsafe extern "C" fn(Id, Str) -> c_int,
        pub unsubscribe: unsafe extern "C" fn(Id, Str) -> c_int,
        pub publish: unsafe extern "C" fn(Str, c_int, *const c_void, usize, Id) -> i64,
        pub publish_all: unsafe extern "C" fn(Str, c_int, *const c_void, usize, Id) -> i64,
        // Not there in a host whose table ends before it.
        pub lend:
            unsafe extern "C" fn(Id, c_int, *const c_void, usize, Release, *mut c_void) -> c_int,
    }

    impl WebSocket {
        /// It has the function that came last.
        pub fn has_lend(&self) -> bool {
            self.size as usize >= std::mem::size_of::<WebSocket>()
        }
    }

    // The tables are constant, and their functions are for any thread.
    unsafe impl Sync for Host {}
    unsafe impl Sync for App {}

    impl Str {
        pub fn of(bytes: &[u8]) -> Str {
            Str { p: bytes.as_ptr() as *const c_char, n: bytes.len() }
        }
        /// The caller knows how long the bytes live.
        pub unsafe fn bytes<'a>(self) -> &'a [u8] {
            if self.n == 0 {
                return &[];
            }
            slice::from_raw_parts(self.p as *const u8, self.n)
        }
    }
}

// ---- What an app gives ------------------------------------------------------------------------------------

/// An app: made once in each worker, asked once for each request, on several threads at once.
pub trait App: Send + Sync + Sized + 'static {
    /// For logs and statistics.
    const NAME: &'static str;
    const VERSION: &'static str = "";
    /// Further promises, such as `sys::STREAMS_IN`; thread-safe it is by being `Sync`.
    const FLAGS: u32 = 0;

    /// Before any request. The error stops the server's start, or refuses the swap, with these words.
    fn load(boot: &Boot) -> Result<Self, String>;

    /// Answers one request. May wait: the server goes on with others meanwhile.
    fn respond(&self, request: &mut Request) -> Result<Response, Error>;

    /// Refuses a swap to this generation.
    fn probe(&self) -> Result<(), String> {
        Ok(())
    }
    /// Writes what the next generation should know.
    fn save(&self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    /// No new request will come.
    fn drain(&self) {}
    /// A host thread is about to make its first call, or has made its last.
    fn thread(&self, _entering: bool) {}
    /// The client is gone or the deadline passed; while `respond` runs or before a `Later` is finished.
    fn cancel(&self, _request: &Request) {}
}

/// Header fields in order. Content-Length and those of the connection are the host's.
pub type Headers = Vec<(Cow<'static, str>, Cow<'static, str>)>;

/// What an app answers.
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    form: Form,
}

#[derive(PartialEq)]
enum Form {
    Whole,
    Sent,
}

impl Response {
    pub fn new(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new(), form: Form::Whole }
    }
    pub fn text(body: impl Into<String>) -> Response {
        Response::new(200).header("Content-Type", "text/plain; charset=utf-8").body(body.into())
    }
    pub fn html(page: impl Into<String>) -> Response {
        Response::new(200).header("Content-Type", "text/html; charset=utf-8").body(page.into())
    }
    pub fn json(document: impl Into<String>) -> Response {
        Response::new(200).header("Content-Type", "application/json").body(document.into())
    }
    /// Sends the client elsewhere: 303.
    pub fn redirect(location: impl Into<Cow<'static, str>>) -> Response {
        Response::new(303).header("Location", location)
    }
    /// The end of a response that goes through a `Writer` or a `Later`.
    pub fn sent() -> Response {
        Response { form: Form::Sent, ..Response::new(200) }
    }

    pub fn status(mut self, status: u16) -> Response {
        self.status = status;
        self
    }
    pub fn header(
        mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>,
    ) -> Response {
        self.headers.push((name.into(), value.into()));
        self
    }
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Response {
        self.body = body.into();
        self
    }

    fn send(&self, host: &sys::Host, id: sys::Id) -> c_int {
        with_pairs(&self.headers, |pairs, n| {
            let (body, length) = (self.body.as_ptr() as *const c_void, self.body.len());
            unsafe { (host.respond)(id, c_int::from(self.status), pairs, n, body, length) }
        })
    }
}

/// Why a request was not answered as wanted; `?` makes one of any other error.
#[derive(Debug)]
pub enum Error {
    /// A negative nsgi_result.
    Host(c_int),
    /// Ends the request with a status and a text.
    Abort(u16, String),
    /// The app's own failure, for the log; the client gets a 500.
    Failure(String),
}

impl Error {
    fn check(result: i64) -> Result<usize, Error> {
        if result < 0 { Err(Error::Host(result as c_int)) } else { Ok(result as usize) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Host(sys::GONE) => out.write_str("the exchange is over"),
            Error::Host(sys::MISUSE) => out.write_str("the host was used wrongly"),
            Error::Host(sys::TIMEOUT) => out.write_str("the client was silent for too long"),
            Error::Host(result) => write!(out, "the host answered {}", result),
            Error::Abort(status, text) => write!(out, "{} {}", status, text),
            Error::Failure(text) => out.write_str(text),
        }
    }
}

// No std::error::Error, so that `?` can take any that is one.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Error {
        Error::Failure(error.to_string())
    }
}

/// What a handler may return: a `Response`, or a `Result` of one.
pub trait Answer {
    fn answer(self) -> Result<Response, Error>;
}

impl Answer for Response {
    fn answer(self) -> Result<Response, Error> {
        Ok(self)
    }
}

impl<E: Into<Error>> Answer for Result<Response, E> {
    fn answer(self) -> Result<Response, Error> {
        self.map_err(Into::into)
    }
}

// ---- What an app gets -------------------------------------------------------------------------------------

/// What an app learns when it starts.
pub struct Boot<'a> {
    boot: &'a sys::Boot,
}

impl<'a> Boot<'a> {
    pub fn worker(&self) -> u32 {
        self.boot.worker
    }
    pub fn workers(&self) -> u32 {
        self.boot.workers
    }
    pub fn generation(&self) -> u32 {
        self.boot.generation
    }
    /// `--app-option key=value`; the last one of a key counts.
    pub fn option(&self, key: &str) -> Option<Cow<'a, str>> {
        let mut found = None;
        let mut next = self.boot.options;
        unsafe {
            while !next.is_null() && !(*next).is_null() && !(*next.add(1)).is_null() {
                if CStr::from_ptr(*next).to_bytes() == key.as_bytes() {
                    found = Some(CStr::from_ptr(*next.add(1)).to_string_lossy());
                }
                next = next.add(2);
            }
        }
        found
    }
    /// The version of the generation before, and what its `save` wrote; nothing at a cold start.
    pub fn previous(&self) -> Option<(Cow<'a, str>, &'a [u8])> {
        let version = unsafe { self.boot.from_version.bytes() };
        if version.is_empty() {
            return None;
        }
        Some((String::from_utf8_lossy(version), unsafe { self.boot.from_state.bytes() }))
    }
    pub fn log(&self) -> Log {
        Log { host: unsafe { &*self.boot.host }, id: 0 }
    }
    /// Nothing on a host without WebSockets, or without publish_all.
    pub fn topics(&self) -> Option<Topics> {
        let table = sockets(unsafe { &*self.boot.host })?;
        Some(Topics { table })
    }
}

/// The table of WebSockets, on a host that has it up to publish_all.
fn sockets(host: &sys::Host) -> Option<&'static sys::WebSocket> {
    let name = b"nsgi.websocket/1\0".as_ptr() as *const c_char;
    let found = unsafe { (host.extension)(name) } as *const sys::WebSocket;
    // One function came after publish_all.
    let least = std::mem::size_of::<sys::WebSocket>() - std::mem::size_of::<usize>();
    if found.is_null() || (unsafe { ptr::addr_of!((*found).size).read() } as usize) < least {
        return None;
    }
    Some(unsafe { &*found })
}

/// A message of a WebSocket, or for some.
#[derive(Clone, Copy)]
pub enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    fn parts(self) -> (c_int, &'a [u8]) {
        match self {
            Message::Text(text) => (sys::WS_TEXT, text.as_bytes()),
            Message::Binary(bytes) => (sys::WS_BINARY, bytes),
        }
    }
}

/// Publishes messages to the WebSockets that apps of this server have subscribed to a topic; may be kept, and
/// used from any thread.
#[derive(Clone, Copy)]
pub struct Topics {
    table: &'static sys::WebSocket,
}

impl Topics {
    /// To those of this worker; how many took it.
    pub fn publish(&self, topic: &str, message: Message) -> Result<usize, Error> {
        let (kind, bytes) = message.parts();
        let (topic, start) = (sys::Str::of(topic.as_bytes()), bytes.as_ptr() as *const c_void);
        Error::check(unsafe { (self.table.publish)(topic, kind, start, bytes.len(), 0) })
    }
    /// To those of all workers; how many of this one took it.
    pub fn publish_all(&self, topic: &str, message: Message) -> Result<usize, Error> {
        let (kind, bytes) = message.parts();
        let (topic, start) = (sys::Str::of(topic.as_bytes()), bytes.as_ptr() as *const c_void);
        Error::check(unsafe { (self.table.publish_all)(topic, kind, start, bytes.len(), 0) })
    }
}

/// One WebSocket. A handle: copies mean the same socket, and late use is an error. May be kept, and used from
/// any thread.
#[derive(Clone, Copy)]
pub struct Socket {
    table: &'static sys::WebSocket,
    id: sys::Id,
}

impl Socket {
    pub fn id(&self) -> u64 {
        self.id
    }
    /// Sends a message; false if too much waits for the client (`--websocket-queue`): `drained` follows.
    pub fn send(&self, message: Message) -> Result<bool, Error> {
        let (kind, bytes) = message.parts();
        let start = bytes.as_ptr() as *const c_void;
        Socket::taken(unsafe { (self.table.send)(self.id, kind, start, bytes.len()) })
    }
    /// Sends a text without a copy where the host lends: it is kept until the host is done with it.
    pub fn lend_text(&self, text: impl Into<String>) -> Result<bool, Error> {
        self.lend(sys::WS_TEXT, text.into().into_bytes())
    }
    /// The same for bytes.
    pub fn lend_binary(&self, bytes: impl Into<Vec<u8>>) -> Result<bool, Error> {
        self.lend(sys::WS_BINARY, bytes.into())
    }
    fn lend(&self, kind: c_int, bytes: Vec<u8>) -> Result<bool, Error> {
        let bytes = Box::new(bytes);
        let (start, n) = (bytes.as_ptr() as *const c_void, bytes.len());
        if !self.table.has_lend() {
            return Socket::taken(unsafe { (self.table.send)(self.id, kind, start, n) });
        }
        let kept = Box::into_raw(bytes) as *mut c_void;
        Socket::taken(unsafe { (self.table.lend)(self.id, kind, start, n, Some(release), kept) })
    }
    /// Sends a ping of at most 125 bytes; nobody has to.
    pub fn ping(&self, bytes: &[u8]) -> Result<(), Error> {
        let start = bytes.as_ptr() as *const c_void;
        Socket::done(unsafe { (self.table.ping)(self.id, start, bytes.len()) })
    }
    /// Closes after everything that was sent; does nothing to one that is closing already.
    pub fn close(&self, code: u16, reason: &str) -> Result<(), Error> {
        let reason = sys::Str::of(reason.as_bytes());
        match unsafe { (self.table.close)(self.id, c_int::from(code), reason) } {
            sys::GONE => Ok(()),
            result => Socket::done(result),
        }
    }
    /// Bytes that wait for the client.
    pub fn buffered(&self) -> Result<usize, Error> {
        Error::check(unsafe { (self.table.buffered)(self.id) })
    }
    /// The client has to wait from now on, until `resume`.
    pub fn pause(&self) -> Result<(), Error> {
        Socket::done(unsafe { (self.table.pause)(self.id) })
    }
    pub fn resume(&self) -> Result<(), Error> {
        Socket::done(unsafe { (self.table.resume)(self.id) })
    }
    /// From now on it gets what is published under this topic, until `unsubscribe`.
    pub fn subscribe(&self, topic: &str) -> Result<(), Error> {
        Socket::done(unsafe { (self.table.subscribe)(self.id, sys::Str::of(topic.as_bytes())) })
    }
    pub fn unsubscribe(&self, topic: &str) -> Result<(), Error> {
        Socket::done(unsafe { (self.table.unsubscribe)(self.id, sys::Str::of(topic.as_bytes())) })
    }

    fn done(result: c_int) -> Result<(), Error> {
        Error::check(result.into()).map(|_| ())
    }
    fn taken(result: c_int) -> Result<bool, Error> {
        if result == sys::AGAIN { Ok(false) } else { Socket::done(result).map(|_| true) }
    }
}

/// What is done with a WebSocket: a value for each, which is dropped after `closed`. One call at a time. A
/// call that panics, or returns an error, is logged, and closes the socket with 1011.
pub trait SocketHandler: Send + 'static {
    /// It was just accepted; what is sent now follows the answer of the handshake.
    fn opened(&mut self, _socket: Socket) -> Result<(), Error> {
        Ok(())
    }
    /// A whole message, lent until this returns.
    fn message(&mut self, socket: Socket, message: Message) -> Result<(), Error>;
    /// There is room again behind a `send` that was false.
    fn drained(&mut self, _socket: Socket) -> Result<(), Error> {
        Ok(())
    }
    /// The end, and the last call: 1005 if the client gave no code, 1006 if the connection broke.
    fn closed(&mut self, _socket: Socket, _code: u16, _reason: &str) {}
}

/// Lines for the host's log; may be kept, and used from any thread.
#[derive(Clone, Copy)]
pub struct Log {
    host: &'static sys::Host,
    id: sys::Id,
}

impl Log {
    pub fn debug(&self, line: &str) {
        self.line(1, line)
    }
    pub fn info(&self, line: &str) {
        self.line(2, line)
    }
    pub fn warning(&self, line: &str) {
        self.line(3, line)
    }
    pub fn error(&self, line: &str) {
        self.line(4, line)
    }
    fn line(&self, level: c_int, line: &str) {
        unsafe { (self.host.log)(self.id, level, sys::Str::of(line.as_bytes())) }
    }
}

/// One request, lent until the handler returns. Text that is not UTF-8 shows as U+FFFD.
pub struct Request<'a> {
    view: &'a sys::Request,
    host: &'static sys::Host,
    is_later: bool,
}

impl<'a> Request<'a> {
    pub fn method(&self) -> Cow<'a, str> {
        self.text(self.view.method)
    }
    /// The path below the app's mount point, percent-decoded: "/cart/7".
    pub fn path(&self) -> Cow<'a, str> {
        self.text(self.view.path_info)
    }
    /// Where the app is mounted: "" or "/shop".
    pub fn mount(&self) -> Cow<'a, str> {
        self.text(self.view.script_name)
    }
    /// Without the question mark, as sent.
    pub fn query(&self) -> Cow<'a, str> {
        self.text(self.view.query)
    }
    pub fn protocol(&self) -> Cow<'a, str> {
        self.text(self.view.protocol)
    }
    pub fn scheme(&self) -> Cow<'a, str> {
        self.text(self.view.scheme)
    }
    pub fn remote_address(&self) -> Cow<'a, str> {
        self.text(self.view.remote_addr)
    }
    pub fn content_type(&self) -> Cow<'a, str> {
        self.text(self.view.content_type)
    }
    /// Bytes of the body; nothing if the client did not say.
    pub fn content_length(&self) -> Option<u64> {
        if self.view.content_length < 0 { None } else { Some(self.view.content_length as u64) }
    }

    /// A header field by its name in lower case: the first one of that name.
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        let field = self.fields().iter().find(|field| unsafe { field.name.bytes() } == name.as_bytes());
        field.map(|field| self.text(field.value))
    }
    /// Header fields in the order received, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + '_ {
        self.fields().iter().map(move |field| (self.text(field.name), self.text(field.value)))
    }
    /// One CGI meta-variable (RFC 3875), such as "SERVER_PORT" or "HTTP_COOKIE".
    pub fn variable(&self, name: &str) -> Option<Cow<'a, str>> {
        let value = unsafe { (self.host.env)(self.view.id, sys::Str::of(name.as_bytes())) };
        if value.p.is_null() { None } else { Some(self.text(value)) }
    }
    /// All CGI meta-variables, HTTP_* included.
    pub fn variables(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + '_ {
        let mut n = 0;
        let pairs = unsafe { pairs((self.host.environ)(self.view.id, &mut n), n) };
        pairs.iter().map(move |pair| (self.text(pair.name), self.text(pair.value)))
    }
    pub fn log(&self) -> Log {
        Log { host: self.host, id: self.view.id }
    }

    /// The whole body; waits for it.
    pub fn body(&mut self) -> Result<&'a [u8], Error> {
        let mut whole = sys::Str { p: ptr::null(), n: 0 };
        Error::check(unsafe { (self.host.body)(self.view.id, &mut whole) }.into())?;
        Ok(unsafe { whole.bytes() })
    }
    /// The next bytes of the body; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let into = buffer.as_mut_ptr() as *mut c_void;
        Error::check(unsafe { (self.host.read)(self.view.id, into, buffer.len()) })
    }

    /// Fields behind the body, names in lower case; none before the end of the body has come, which `body`
    /// waits for, and `read` with its 0.
    pub fn trailers(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + '_ {
        let mut n = 0;
        let fields: &'a [sys::Pair] = match self.host.has_trailers() {
            true => unsafe { pairs((self.host.request_trailers)(self.view.id, &mut n), n) },
            false => &[],
        };
        fields.iter().map(move |field| (self.text(field.name), self.text(field.value)))
    }
    /// What `interim` sends reaches the client.
    pub fn takes_interim(&self) -> bool {
        self.view.flags & sys::TAKES_INTERIM != 0
    }
    /// What `Writer::end` is given reaches the client, behind a body.
    pub fn takes_trailers(&self) -> bool {
        self.view.flags & sys::TAKES_TRAILERS != 0
    }
    /// Sends an interim response, status 102 to 199, before the final one: 103 (Early Hints) with links.
    /// Does nothing for a client that takes none.
    pub fn interim(&mut self, status: u16, headers: &Headers) -> Result<(), Error> {
        if !self.host.has_trailers() {
            return Ok(());
        }
        let (host, id, status) = (self.host, self.view.id, c_int::from(status));
        let result = with_pairs(headers, |pairs, n| unsafe { (host.interim)(id, status, pairs, n) });
        Error::check(result.into()).map(|_| ())
    }

    /// Begins a response whose body follows through the writer; end it with `Ok(Response::sent())`.
    pub fn start(&mut self, status: u16, headers: &Headers) -> Result<Writer<'a>, Error> {
        start(self.host, self.view.id, status, headers)
    }
    /// The client asks for a WebSocket, well or badly.
    pub fn asks_for_socket(&self) -> bool {
        sockets(self.host).map_or(false, |table| unsafe { (table.asked)(self.view.id) } == 1)
    }
    /// Accepts the WebSocket that is asked for, and gives what the app returns then. The host answers a
    /// malformed handshake itself, and drops `handler`. subprotocol: one that the client offers, or "".
    pub fn accept_socket(
        &mut self, subprotocol: &str, headers: &Headers, handler: impl SocketHandler,
    ) -> Result<Response, Error> {
        let table = sockets(self.host).ok_or(Error::Host(sys::MISUSE))?;
        edge::accept((self.host, table), self.view.id, subprotocol, headers, handler)
    }
    /// Takes the answer away from the handler, which returns `Response::sent()`; from then on what it
    /// returns does not count. Needs `sys::MAY_ASYNC`.
    pub fn later(&mut self) -> Later {
        self.is_later = true;
        Later { host: self.host, id: self.view.id }
    }

    fn text(&self, text: sys::Str) -> Cow<'a, str> {
        String::from_utf8_lossy(unsafe { text.bytes() })
    }
    fn fields(&self) -> &'a [sys::Pair] {
        let mut n = 0;
        unsafe { pairs((self.host.fields)(self.view.id, &mut n), n) }
    }
}

/// The host knows how long they live.
unsafe fn pairs<'a>(first: *const sys::Pair, n: usize) -> &'a [sys::Pair] {
    if first.is_null() { &[] } else { slice::from_raw_parts(first, n) }
}

/// The body of a response under way.
pub struct Writer<'a> {
    host: &'static sys::Host,
    id: sys::Id,
    request: PhantomData<&'a ()>,
}

impl<'a> Writer<'a> {
    /// Sends bytes; waits while the client is slower than the app.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let bytes = bytes.as_ref();
        let start = bytes.as_ptr() as *const c_void;
        Error::check(unsafe { (self.host.write)(self.id, start, bytes.len()) }.into()).map(|_| ())
    }
    /// Sends bytes without a copy: they are kept until the host is done with them.
    pub fn lend(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), Error> {
        let bytes = Box::new(bytes.into());
        let (start, n) = (bytes.as_ptr() as *const c_void, bytes.len());
        let kept = Box::into_raw(bytes) as *mut c_void;
        Error::check(unsafe { (self.host.lend)(self.id, start, n, Some(release), kept) }.into()).map(|_| ())
    }
    /// Sends `count` bytes of a file from `offset` on; to its end without a count.
    pub fn send_file(
        &mut self, file: &impl std::os::unix::io::AsRawFd, offset: i64, count: Option<i64>,
    ) -> Result<(), Error> {
        let count = count.unwrap_or(-1);
        let result = unsafe { (self.host.sendfile)(self.id, file.as_raw_fd(), offset, count) };
        Error::check(result.into()).map(|_| ())
    }
    /// Pushes what was written on towards the client now; the host gathers small pieces otherwise.
    pub fn flush(&mut self) -> Result<(), Error> {
        Error::check(unsafe { (self.host.flush)(self.id) }.into()).map(|_| ())
    }
    /// Ends the response with fields behind its body, which are dropped where there is no place for them; a
    /// `Trailer` among the headers of `start` announces them.
    pub fn end(self, trailers: &Headers) -> Result<(), Error> {
        if !self.host.has_trailers() {
            return Ok(());
        }
        let (host, id) = (self.host, self.id);
        let result = with_pairs(trailers, |pairs, n| unsafe { (host.trailers)(id, pairs, n) });
        Error::check(result.into()).map(|_| ())
    }
}

/// Ends what `Writer::lend` began.
unsafe extern "C" fn release(kept: *mut c_void) {
    drop(Box::from_raw(kept as *mut Vec<u8>))
}

/// The right and the duty to answer a request after its handler has returned, from any thread. One that is
/// dropped unanswered ends its request as failed: the client is not left waiting.
pub struct Later {
    host: &'static sys::Host,
    id: sys::Id,
}

impl Later {
    /// Answers and ends the request.
    pub fn respond(self, response: Response) {
        let result = response.send(self.host, self.id);
        self.end(result)
    }
    /// Begins a response whose body follows through the writer; `finish` ends it.
    pub fn start(&mut self, status: u16, headers: &Headers) -> Result<Writer<'_>, Error> {
        start(self.host, self.id, status, headers)
    }
    /// Ends a request that was answered through `start`.
    pub fn finish(self) {
        self.end(sys::OK)
    }
    pub fn log(&self) -> Log {
        Log { host: self.host, id: self.id }
    }
    fn end(mut self, result: c_int) {
        self.finish_with(result)
    }
    fn finish_with(&mut self, result: c_int) {
        let id = std::mem::replace(&mut self.id, 0);
        if id != 0 {
            unsafe { (self.host.finish)(id, result) };
        }
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        self.finish_with(sys::FAIL)
    }
}

fn start<'a>(
    host: &'static sys::Host, id: sys::Id, status: u16, headers: &Headers,
) -> Result<Writer<'a>, Error> {
    let status = c_int::from(status);
    let result = with_pairs(headers, |pairs, n| unsafe { (host.start)(id, status, pairs, n) });
    Error::check(result.into())?;
    Ok(Writer { host, id, request: PhantomData })
}

fn with_pairs<R>(headers: &Headers, body: impl FnOnce(*const sys::Pair, usize) -> R) -> R {
    let pair = |(name, value): &(Cow<str>, Cow<str>)| sys::Pair {
        name: sys::Str::of(name.as_bytes()),
        value: sys::Str::of(value.as_bytes()),
    };
    let pairs: Vec<sys::Pair> = headers.iter().map(pair).collect();
    body(pairs.as_ptr(), pairs.len())
}

// ---- The edge: no panic crosses it ------------------------------------------------------------------------

/// Makes `nsgi_entry` for a handler, `fn(&mut Request) -> Response` or `-> Result<Response, Error>`, or for a
/// type that is an `App`: `app!(type Shop)`.
#[macro_export]
macro_rules! nsgi_app {
    (type $app:ty) => {
        #[no_mangle]
        pub extern "C" fn nsgi_entry(_host: *const $crate::nsgi::sys::Host) -> *const $crate::nsgi::sys::App {
            $crate::nsgi::edge::table::<$app>()
        }
    };
    ($handler:expr) => {
        struct NsgiHandler;
        impl $crate::nsgi::App for NsgiHandler {
            const NAME: &'static str = module_path!();
            fn load(_: &$crate::nsgi::Boot) -> Result<Self, String> {
                Ok(NsgiHandler)
            }
            fn respond(
                &self, request: &mut $crate::nsgi::Request,
            ) -> Result<$crate::nsgi::Response, $crate::nsgi::Error> {
                $crate::nsgi::Answer::answer($handler(request))
            }
        }
        $crate::nsgi_app!(type NsgiHandler);
    };
}
#[allow(unused_imports)]
pub(crate) use nsgi_app as app;

/// The functions of the table; for the macro alone.
pub mod edge {
    use super::*;
    use std::ffi::CString;

    struct Service<A> {
        host: &'static sys::Host,
        app: A,
    }

    thread_local! {
        /// Where and why this thread panicked: what the hook saw, for the line in the log.
        static PANIC: RefCell<String> = RefCell::new(String::new());
    }

    /// A table that lives as long as the library; one for each call, and a host calls once for each load.
    pub fn table<A: App>() -> *const sys::App {
        let head = sys::Head {
            magic: 0x4947_534e,
            major: 1,
            minor: 0,
            size: std::mem::size_of::<sys::App>() as u32,
            flags: sys::THREADSAFE | A::FLAGS,
        };
        Box::leak(Box::new(sys::App {
            head,
            name: permanent(A::NAME),
            version: permanent(A::VERSION),
            call: call::<A>,
            load: Some(load::<A>),
            probe: Some(probe::<A>),
            save: Some(save::<A>),
            drain: Some(drain::<A>),
            unload: Some(unload::<A>),
            thread: Some(thread::<A>),
            cancel: Some(cancel::<A>),
            extension: None,
        }))
    }

    fn permanent(text: &str) -> *const c_char {
        CString::new(text).unwrap_or_default().into_raw()
    }

    /// Runs `body`; a panic is the error, with its words and its place.
    fn caught<R>(body: impl FnOnce() -> R) -> Result<R, String> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|payload: Box<dyn Any + Send>| {
            // Dropping the payload may panic too.
            std::mem::forget(payload);
            PANIC.with(|text| std::mem::take(&mut *text.borrow_mut()))
        })
    }

    unsafe fn service<'a, A>(state: *mut c_void) -> &'a Service<A> {
        &*(state as *const Service<A>)
    }

    unsafe extern "C" fn load<A: App>(boot: *const sys::Boot, state: *mut *mut c_void) -> c_int {
        // This library has its own copy of std: the hook is nobody else's. It keeps the words for the log.
        std::panic::set_hook(Box::new(|info| {
            PANIC.with(|text| *text.borrow_mut() = info.to_string().replace('\n', " "))
        }));
        let boot = &*boot;
        let made = caught(|| A::load(&Boot { boot })).and_then(|made| made);
        match made {
            Ok(app) => {
                *state = Box::into_raw(Box::new(Service { host: &*boot.host, app })) as *mut c_void;
                sys::OK
            }
            Err(reason) => {
                if boot.error_cap > 0 {
                    let count = reason.len().min(boot.error_cap - 1);
                    ptr::copy_nonoverlapping(reason.as_ptr(), boot.error as *mut u8, count);
                    *boot.error.add(count) = 0;
                }
                sys::FAIL
            }
        }
    }

    unsafe extern "C" fn call<A: App>(state: *mut c_void, view: *const sys::Request) -> c_int {
        let service = service::<A>(state);
        let mut request = Request { view: &*view, host: service.host, is_later: false };
        let (host, id) = (service.host, request.view.id);
        let answer = caught(|| match service.app.respond(&mut request) {
            Ok(_) if request.is_later => sys::ASYNC,
            Ok(response) if response.form == Form::Sent => sys::OK,
            Ok(response) => response.send(host, id),
            // A Later ends its exchange by itself, wherever it is now.
            Err(error) if request.is_later => {
                request.log().error(&format!("{}, answering {}", error, request.path()));
                sys::ASYNC
            }
            Err(error) => refuse(&request, error),
        });
        answer.unwrap_or_else(|panic| {
            request.log().error(&format!("{}, answering {}", panic, request.path()));
            if request.is_later { sys::ASYNC } else { sys::FAIL }
        })
    }

    fn refuse(request: &Request, error: Error) -> c_int {
        let send = |status: u16, text: &str| {
            Response::text(text).status(status).send(request.host, request.view.id)
        };
        match error {
            Error::Abort(status, text) if text.is_empty() => send(status, &format!("{}\n", status)),
            Error::Abort(status, text) => send(status, &text),
            Error::Host(sys::TOOBIG) => send(413, "Content Too Large\n"),
            // A client that has left or is too slow is no fault of the app.
            Error::Host(result) if result == sys::GONE || result == sys::TIMEOUT => result,
            Error::Host(_) | Error::Failure(_) => {
                request.log().error(&format!("{}, answering {}", error, request.path()));
                sys::FAIL
            }
        }
    }

    unsafe extern "C" fn probe<A: App>(state: *mut c_void) -> c_int {
        let service = service::<A>(state);
        match caught(|| service.app.probe()).and_then(|result| result) {
            Ok(()) => sys::OK,
            Err(reason) => {
                Log { host: service.host, id: 0 }.error(&format!("{}, in probe", reason));
                sys::FAIL
            }
        }
    }

    struct Out {
        sink: sys::Sink,
        arg: *mut c_void,
        result: c_int,
    }

    impl io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.result = unsafe { (self.sink)(self.arg, bytes.as_ptr() as *const c_void, bytes.len()) };
            if self.result < 0 { Err(io::ErrorKind::Other.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    unsafe extern "C" fn save<A: App>(state: *mut c_void, sink: sys::Sink, arg: *mut c_void) -> c_int {
        let service = service::<A>(state);
        let mut out = Out { sink, arg, result: sys::OK };
        let saved = caught(|| service.app.save(&mut out));
        match saved.and_then(|result| result.map_err(|error| error.to_string())) {
            Ok(()) => sys::OK,
            Err(_) if out.result < 0 => out.result,
            Err(reason) => {
                Log { host: service.host, id: 0 }.error(&format!("{}, in save", reason));
                sys::FAIL
            }
        }
    }

    unsafe extern "C" fn drain<A: App>(state: *mut c_void) {
        let service = service::<A>(state);
        if let Err(panic) = caught(|| service.app.drain()) {
            Log { host: service.host, id: 0 }.error(&format!("{}, in drain", panic));
        }
    }

    unsafe extern "C" fn thread<A: App>(state: *mut c_void, entering: c_int) {
        let service = service::<A>(state);
        if let Err(panic) = caught(|| service.app.thread(entering != 0)) {
            Log { host: service.host, id: 0 }.error(&format!("{}, in thread", panic));
        }
    }

    unsafe extern "C" fn unload<A: App>(state: *mut c_void) {
        let service = Box::from_raw(state as *mut Service<A>);
        let host = service.host;
        if let Err(panic) = caught(move || drop(service)) {
            Log { host, id: 0 }.error(&format!("{}, in unload", panic));
        }
    }

    unsafe extern "C" fn cancel<A: App>(state: *mut c_void, view: *const sys::Request) {
        let service = service::<A>(state);
        let request = Request { view: &*view, host: service.host, is_later: false };
        if let Err(panic) = caught(|| service.app.cancel(&request)) {
            request.log().error(&format!("{}, in cancel", panic));
        }
    }

    /// The `socket` of the C handlers.
    struct HeldSocket<H> {
        host: &'static sys::Host,
        table: &'static sys::WebSocket,
        handler: H,
    }

    /// Accepts a WebSocket for a request; the handler is dropped if there is none.
    pub fn accept<H: SocketHandler>(
        (host, table): (&'static sys::Host, &'static sys::WebSocket), request: sys::Id, subprotocol: &str,
        headers: &Headers, handler: H,
    ) -> Result<Response, Error> {
        let handlers = sys::WsHandlers {
            size: std::mem::size_of::<sys::WsHandlers>() as u32,
            flags: 0,
            message: Some(socket_message::<H>),
            drain: Some(socket_drained::<H>),
            closed: Some(socket_closed::<H>),
        };
        let mut id: sys::Id = 0;
        let held = Box::into_raw(Box::new(HeldSocket { host, table, handler }));
        let (name, socket) = (sys::Str::of(subprotocol.as_bytes()), held as *mut c_void);
        let result = with_pairs(headers, |pairs, n| unsafe {
            (table.accept)(request, name, pairs, n, &handlers, socket, &mut id)
        });
        if result != sys::OK {
            drop(unsafe { Box::from_raw(held) });
            if result != sys::GONE {
                Error::check(result.into())?;
            }
            return Ok(Response::sent());
        }
        // From here on `closed` drops it. No handler runs before the request is over.
        unsafe { run::<H>(socket, id, "opening a WebSocket", |handler, one| handler.opened(one)) };
        Ok(Response::sent())
    }

    /// Runs `body`; its panic or error is logged, and closes the socket.
    unsafe fn run<H: SocketHandler>(
        socket: *mut c_void, id: sys::Id, doing: &str,
        body: impl FnOnce(&mut H, Socket) -> Result<(), Error>,
    ) {
        let held = &mut *(socket as *mut HeldSocket<H>);
        let (host, table) = (held.host, held.table);
        let reason = match caught(|| body(&mut held.handler, Socket { table, id })) {
            // A client that has left is no fault of the app.
            Ok(Ok(())) | Ok(Err(Error::Host(sys::GONE))) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic,
        };
        Log { host, id: 0 }.error(&format!("{}, {}", reason, doing));
        (table.close)(id, 1011, sys::Str::of(b""));
    }

    unsafe extern "C" fn socket_message<H: SocketHandler>(
        socket: *mut c_void, id: sys::Id, kind: c_int, bytes: *const c_void, n: usize,
    ) {
        let bytes = sys::Str { p: bytes as *const c_char, n }.bytes();
        let text = if kind == sys::WS_TEXT { std::str::from_utf8(bytes).ok() } else { None };
        let message = text.map_or(Message::Binary(bytes), Message::Text);
        run::<H>(socket, id, "in a message of a WebSocket", |handler, one| handler.message(one, message))
    }

    unsafe extern "C" fn socket_drained<H: SocketHandler>(socket: *mut c_void, id: sys::Id) {
        run::<H>(socket, id, "in drained", |handler, one| handler.drained(one))
    }

    unsafe extern "C" fn socket_closed<H: SocketHandler>(
        socket: *mut c_void, id: sys::Id, code: c_int, reason: sys::Str,
    ) {
        let held = *Box::from_raw(socket as *mut HeldSocket<H>);
        let HeldSocket { host, table, mut handler } = held;
        let reason = String::from_utf8_lossy(reason.bytes());
        let end = caught(move || handler.closed(Socket { table, id }, code as u16, &reason));
        if let Err(panic) = end {
            Log { host, id: 0 }.error(&format!("{}, in closed", panic));
        }
    }
}
