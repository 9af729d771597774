// Every function of nsgi_host and every hook of nsgi_app, in Rust: what table.c does, with the interface
// as sdk/rust/nsgi.rs declares it. What that file makes of it has an app of its own (Tests/Fixtures/kits).
// One file because the four apps are to be compared path by path.
#[path = "../../../sdk/rust/nsgi.rs"]
mod nsgi;
use nsgi::sys::{self, Host, Pair, Request, Str};
use std::ffi::{c_void, CStr};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::raw::{c_char, c_int};
use std::os::unix::io::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering::SeqCst};
use std::sync::Mutex;
use std::{ptr, thread};

/// What load() made; the state of the table.
struct Table {
    host: &'static Host,
    generation: u32,
    log: String,
    file: String,
    report: String,
}

static TABLE: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
static NOTED: AtomicU64 = AtomicU64::new(0);
static LAST: Mutex<String> = Mutex::new(String::new());

fn table() -> &'static Table {
    // Nothing but nsgi_entry is called before load() or after unload().
    unsafe { &*TABLE.load(SeqCst) }
}

fn host() -> &'static Host {
    table().host
}

fn note(log: &str, what: &str) {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(log);
    if let Ok(mut file) = file {
        let _ = file.write_all(format!("{} {}\n", std::process::id(), what).as_bytes());
    }
}

fn text(text: Str) -> String {
    String::from_utf8_lossy(unsafe { text.bytes() }).into_owned()
}

fn pair(name: &'static str, value: &'static str) -> Pair {
    Pair { name: Str::of(name.as_bytes()), value: Str::of(value.as_bytes()) }
}

fn content_type() -> Pair {
    pair("Content-Type", "text/plain")
}

fn respond(id: sys::Id, status: c_int, fields: &[Pair], body: &str) -> c_int {
    let start = body.as_ptr() as *const c_void;
    unsafe { (host().respond)(id, status, fields.as_ptr(), fields.len(), start, body.len()) }
}

fn start(id: sys::Id, status: c_int, fields: &[Pair]) -> c_int {
    unsafe { (host().start)(id, status, fields.as_ptr(), fields.len()) }
}

fn write(id: sys::Id, body: &str) -> c_int {
    unsafe { (host().write)(id, body.as_ptr() as *const c_void, body.len()) }
}

fn lend(id: sys::Id, body: &'static str, released: Option<&AtomicI32>) -> c_int {
    let bytes = body.as_ptr() as *const c_void;
    let count = released.map_or(ptr::null_mut(), |count| count as *const AtomicI32 as *mut c_void);
    unsafe { (host().lend)(id, bytes, body.len(), released.map(|_| release as _), count) }
}

fn say(id: sys::Id, body: &str) -> c_int {
    respond(id, 200, &[content_type()], body)
}

fn checksum(bytes: &[u8], hash: u64) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

// ---- The request ------------------------------------------------------------------------------------------

fn view(r: &Request) -> c_int {
    let size = if r.size as usize >= std::mem::size_of::<Request>() { "whole" } else { "short" };
    let head = format!("{} mount={} path={}", text(r.method), text(r.script_name), text(r.path_info));
    let protocol = format!("query={} {} {}", text(r.query), text(r.protocol), text(r.scheme));
    let body = format!("type={} length={} flags={}", text(r.content_type), r.content_length, r.flags);
    say(r.id, &format!("{} {} address={} {} size {}", head, protocol, text(r.remote_addr), body, size))
}

fn pairs(first: *const Pair, n: usize) -> Vec<(String, String)> {
    let all = if first.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(first, n) } };
    all.iter().map(|pair| (text(pair.name), text(pair.value))).collect()
}

fn environ(r: &Request) -> c_int {
    let mut n = 0;
    let first = unsafe { (host().environ)(r.id, &mut n) };
    let all = pairs(first, n);
    let found = all.iter().find(|(name, _)| name == "HTTP_X_TABLE").map_or("absent", |(_, value)| value);
    let doubles = (0..n).map(|i| (0..i).filter(|j| all[i].0 == all[*j].0).count()).sum::<usize>();
    let is_same = unsafe { (host().environ)(r.id, ptr::null_mut()) } == first;
    let again = if is_same { "the same" } else { "another" };
    say(r.id, &format!("{}, doubles {}, again {}", found, doubles, again))
}

fn fields(r: &Request) -> c_int {
    let mut n = 0;
    let all = pairs(unsafe { (host().fields)(r.id, &mut n) }, n);
    let ours = all.into_iter().filter(|(name, _)| name == "x-table");
    say(r.id, &ours.map(|(_, value)| value + "|").collect::<String>())
}

fn env(r: &Request) -> c_int {
    let get = |name: &str| unsafe { (host().env)(r.id, Str::of(name.as_bytes())) };
    let absent = if get("HTTP_NOTHING").p.is_null() { "absent" } else { "there" };
    say(r.id, &format!("{}, {}", text(get("HTTP_X_TABLE")), absent))
}

fn read(id: sys::Id, piece: &mut [u8]) -> i64 {
    unsafe { (host().read)(id, piece.as_mut_ptr() as *mut c_void, piece.len()) }
}

fn read_all(r: &Request) -> c_int {
    let mut piece = [0; 1021];
    let (mut hash, mut total) = (SEED, 0);
    loop {
        let got = read(r.id, &mut piece);
        if got <= 0 {
            break;
        }
        hash = checksum(&piece[..got as usize], hash);
        total += got;
    }
    say(r.id, &format!("{} {:x}, then {}", total, hash, read(r.id, &mut piece)))
}

fn body(r: &Request) -> c_int {
    let (mut once, mut twice) = (Str::of(&[]), Str::of(&[]));
    let result = unsafe { (host().body)(r.id, &mut once) | (host().body)(r.id, &mut twice) };
    let hash = checksum(unsafe { once.bytes() }, SEED);
    let again = if once.p == twice.p { "the same" } else { "another" };
    say(r.id, &format!("{} {:x}, result {}, again {}", once.n, hash, result, again))
}

// ---- The response -----------------------------------------------------------------------------------------

fn replace_start(r: &Request) -> c_int {
    start(r.id, 500, &[]);
    respond(r.id, 202, &[content_type(), pair("X-Table", "replaced")], "respond")
}

unsafe extern "C" fn release(count: *mut c_void) {
    (*(count as *const AtomicI32)).fetch_add(1, SeqCst);
}

fn stream(r: &Request) -> c_int {
    let released = AtomicI32::new(0);
    let mut bad = start(r.id, 201, &[content_type(), pair("X-Table", "streamed")]);
    bad |= write(r.id, "one ");
    bad |= unsafe { (host().flush)(r.id) };
    bad |= lend(r.id, "two ", Some(&released));
    bad |= lend(r.id, "three ", None);
    if let Ok(file) = std::fs::File::open(&table().file) {
        bad |= unsafe { (host().sendfile)(r.id, file.as_raw_fd(), 2, 4) };
        bad |= unsafe { (host().sendfile)(r.id, file.as_raw_fd(), 7, -1) };
    }
    write(r.id, &format!(" released {}, results {}", released.load(SeqCst), bad))
}

// ---- Asynchronous -----------------------------------------------------------------------------------------

fn finish(id: sys::Id, result: c_int) -> c_int {
    unsafe { (host().finish)(id, result) }
}

fn finish_twice(id: sys::Id, bad: c_int) {
    let bad = bad | finish(id, sys::OK);
    let again = finish(id, sys::OK);
    *LAST.lock().unwrap() = format!("finish {}, again {}", bad, again);
}

fn on_ready(id: sys::Id, what: c_int, count: &AtomicI32) -> c_int {
    unsafe { (host().on_ready)(id, what, Some(release), count as *const AtomicI32 as *mut c_void) }
}

/// nsgi_ready
const READY_SPACE: c_int = 2;
const READY_GONE: c_int = 4;

fn later(r: &Request) -> c_int {
    let id = r.id;
    thread::spawn(move || {
        let (ready, replaced) = (AtomicI32::new(0), AtomicI32::new(0));
        let mut bad = on_ready(id, READY_GONE, &replaced) | on_ready(id, READY_SPACE, &ready);
        while ready.load(SeqCst) == 0 {
            thread::yield_now();
        }
        bad |= on_ready(id, READY_GONE, &replaced);
        bad |= unsafe { (host().on_ready)(id, 0, None, ptr::null_mut()) };
        let counts = (ready.load(SeqCst), replaced.load(SeqCst));
        bad |= say(id, &format!("ready {}, replaced {}, results {}", counts.0, counts.1, bad));
        NOTED.store(id, SeqCst);
        finish_twice(id, bad);
    });
    sys::ASYNC
}

fn early(r: &Request) -> c_int {
    say(r.id, "early");
    finish_twice(r.id, sys::OK);
    sys::ASYNC
}

fn beside(r: &Request) -> c_int {
    let id = r.id;
    let answer = thread::spawn(move || {
        start(id, 200, &[content_type()]);
        write(id, "from a thread")
    });
    answer.join().unwrap_or(sys::FAIL)
}

// ---- Wrongs -----------------------------------------------------------------------------------------------

#[derive(Default)]
struct List(String);

impl List {
    fn add(&mut self, name: &str, result: impl Into<i64>) {
        let _ = write!(self.0, "{} {} ", name, result.into());
    }
}

fn misuse(r: &Request) -> c_int {
    let (id, mut list, host) = (r.id, List::default(), host());
    let nothing = Str { p: ptr::null(), n: 5 };
    let released = AtomicI32::new(0);
    let count = &released as *const AtomicI32 as *mut c_void;
    let letter = b"x".as_ptr() as *const c_void;
    unsafe {
        list.add("write", write(id, "x"));
        list.add("lend", lend(id, "x", Some(&released)));
        list.add("sendfile", (host.sendfile)(id, 0, 0, 1));
        list.add("flush", (host.flush)(id));
        list.add("start", start(id, 199, &[]));
        list.add("start", start(id, 600, &[]));
        list.add("start", (host.start)(id, 200, ptr::null(), 1));
        list.add("respond", (host.respond)(id, 200, ptr::null(), 1, letter, 1));
        list.add("respond", (host.respond)(id, 200, ptr::null(), 0, ptr::null(), 5));
        list.add("read", (host.read)(id, ptr::null_mut(), 5));
        list.add("read", read(id, &mut []));
        list.add("body", (host.body)(id, ptr::null_mut()));
        list.add("env", !(host.env)(id, nothing).p.is_null());
        list.add("on_ready", (host.on_ready)(id, READY_SPACE, None, ptr::null_mut()));
        list.add("on_ready", on_ready(id, 64, &released));
        (host.log)(id, 4, nothing);
        list.add("extension", !(host.extension)(ptr::null()).is_null());
        start(id, 200, &[content_type()]);
        list.add("write", (host.write)(id, ptr::null(), 5));
        list.add("write", (host.write)(id, ptr::null(), 0));
        list.add("lend", (host.lend)(id, ptr::null(), 5, Some(release), count));
        list.add("sendfile", (host.sendfile)(id, -1, 0, 1));
        list.add("sendfile", (host.sendfile)(id, 0, -1, 1));
    }
    write(id, &list.0);
    let mut rest = List::default();
    rest.add("start", start(id, 200, &[content_type()]));
    rest.add("respond", say(id, "x"));
    rest.add("released", released.load(SeqCst));
    write(id, &rest.0)
}

/// Minor 1: an interim response, and fields behind both bodies.
fn behind(r: &Request) -> c_int {
    let (id, mut list, host) = (r.id, List::default(), host());
    let (link, own) = ([pair("Link", "</a>; rel=preload")], [pair("X-Table", "behind")]);
    let interim = |code: c_int, all: &[Pair]| unsafe { (host.interim)(id, code, all.as_ptr(), all.len()) };
    let trailers = |all: &[Pair]| unsafe { (host.trailers)(id, all.as_ptr(), all.len()) };
    let mut n = 0;
    let first = unsafe { (host.request_trailers)(id, &mut n) };
    for (name, value) in pairs(first, n) {
        let _ = write!(list.0, "{}={} ", name, value);
    }
    list.add("trailers", trailers(&own));
    list.add("interim", interim(103, &link));
    list.add("interim", interim(101, &link));
    list.add("interim", unsafe { (host.interim)(id, 103, ptr::null(), 1) });
    start(id, 200, &[content_type(), pair("Trailer", "X-Table")]);
    list.add("trailers", trailers(&[pair("Host", "x")]));
    list.add("trailers", unsafe { (host.trailers)(id, ptr::null(), 1) });
    write(id, &list.0);
    if interim(103, &link) != sys::MISUSE {
        return sys::FAIL;
    }
    let result = trailers(&own);
    if result == sys::OK && trailers(&own) == sys::MISUSE { sys::OK } else { sys::FAIL }
}

fn ask(id: sys::Id) -> String {
    let (mut list, host) = (List::default(), host());
    let released = AtomicI32::new(0);
    let (mut n, mut whole) = (1, Str::of(&[]));
    unsafe {
        let is_there = !(host.environ)(id, &mut n).is_null();
        list.add("environ", i64::from(is_there) + n as i64);
        list.add("fields", !(host.fields)(id, ptr::null_mut()).is_null());
        list.add("env", !(host.env)(id, Str::of(b"REQUEST_METHOD")).p.is_null());
        list.add("read", read(id, &mut [0]));
        list.add("body", (host.body)(id, &mut whole));
        list.add("respond", say(id, "late"));
        list.add("start", start(id, 200, &[content_type()]));
        list.add("write", write(id, "late"));
        list.add("lend", lend(id, "late", Some(&released)));
        list.add("sendfile", (host.sendfile)(id, 0, 0, -1));
        list.add("flush", (host.flush)(id));
    }
    list.add("on_ready", on_ready(id, READY_SPACE, &released));
    list.add("finish", finish(id, sys::OK));
    unsafe {
        list.add("interim", (host.interim)(id, 103, ptr::null(), 0));
        list.add("trailers", (host.trailers)(id, ptr::null(), 0));
        list.add("request_trailers", !(host.request_trailers)(id, ptr::null_mut()).is_null());
    }
    list.add("released", released.load(SeqCst));
    list.0
}

fn late(r: &Request) -> c_int {
    let (over, never) = (ask(NOTED.load(SeqCst)), ask(0));
    let never = if over == never { "and never the same".to_string() } else { never };
    say(r.id, &format!("{}, {}", over, never))
}

// ---- The table --------------------------------------------------------------------------------------------

unsafe extern "C" fn call(state: *mut c_void, request: *const Request) -> c_int {
    let r = &*request;
    if is_stranger(state) {
        return sys::FAIL;
    }
    match text(r.path_info).as_str() {
        "/boot" => say(r.id, &table().report),
        path if path.starts_with("/request") => view(r),
        "/environ" => environ(r),
        "/fields" => fields(r),
        "/env" => env(r),
        "/extension" => {
            let found = (host().extension)(b"no.such/1\0".as_ptr() as *const c_char);
            say(r.id, if found.is_null() { "absent" } else { "there" })
        }
        "/log" => {
            (host().log)(r.id, 3, Str::of(b"the table's line"));
            say(r.id, "table")
        }
        "/read" => read_all(r),
        "/body" => body(r),
        "/respond" => replace_start(r),
        "/stream" => stream(r),
        "/later" => later(r),
        "/early" => early(r),
        "/last" => say(r.id, &LAST.lock().unwrap()),
        "/beside" => beside(r),
        "/misuse" => misuse(r),
        "/behind" => behind(r),
        "/late" => late(r),
        "/fail" => sys::FAIL,
        "/waiting" => {
            note(&table().log, "waiting");
            sys::ASYNC
        }
        _ => say(r.id, "table"),
    }
}

unsafe extern "C" fn load(boot: *const sys::Boot, state: *mut *mut c_void) -> c_int {
    let boot = &*boot;
    let (mut log, mut file, mut color) = (String::new(), String::new(), String::from("none"));
    let mut option = boot.options;
    while !(*option).is_null() {
        let word = |at: usize| CStr::from_ptr(*option.add(at)).to_string_lossy().into_owned();
        match word(0).as_str() {
            "log" => log = word(1),
            "file" => file = word(1),
            "color" => color = word(1),
            _ => (),
        }
        option = option.add(2);
    }
    note(&log, "load");
    if color == "refuse" {
        let reason = b"no such color\0";
        ptr::copy_nonoverlapping(reason.as_ptr(), boot.error as *mut u8, reason.len().min(boot.error_cap));
        return sys::FAIL;
    }
    let server = CStr::from_ptr((*boot.host).server).to_string_lossy();
    let own = if boot.app == &APP as *const sys::App { "own" } else { "another" };
    let place = format!("worker {} of {}, generation {}", boot.worker, boot.workers, boot.generation);
    let from = format!("from '{}' '{}'", text(boot.from_version), text(boot.from_state));
    let report = format!("{}, {} on {}, table {}, {}", place, color, server, own, from);
    let made = Table { host: &*boot.host, generation: boot.generation, log, file, report };
    TABLE.store(Box::into_raw(Box::new(made)), SeqCst);
    *state = TABLE.load(SeqCst) as *mut c_void;
    sys::OK
}

fn is_stranger(state: *mut c_void) -> bool {
    state as *const Table != table() as *const Table
}

fn turn(state: *mut c_void, what: &str) {
    note(&table().log, &format!("{}{}", what, if is_stranger(state) { " stranger" } else { "" }))
}

unsafe extern "C" fn probe(state: *mut c_void) -> c_int {
    turn(state, "probe");
    sys::OK
}

unsafe extern "C" fn save(state: *mut c_void, sink: sys::Sink, arg: *mut c_void) -> c_int {
    turn(state, "save");
    let number = (*(state as *const Table)).generation.to_string();
    let result = sink(arg, b"saved by ".as_ptr() as *const c_void, 9);
    if result < 0 { result } else { sink(arg, number.as_ptr() as *const c_void, number.len()) }
}

unsafe extern "C" fn drain(state: *mut c_void) {
    turn(state, "drain")
}

unsafe extern "C" fn unload(state: *mut c_void) {
    turn(state, "unload");
    drop(Box::from_raw(state as *mut Table));
}

unsafe extern "C" fn threads(state: *mut c_void, entering: c_int) {
    turn(state, if entering != 0 { "enter" } else { "leave" })
}

unsafe extern "C" fn cancel(state: *mut c_void, request: *const Request) {
    let (id, mut list) = ((*request).id, List::default());
    if text((*request).path_info) != "/waiting" {
        return; // its call is running, and will end it
    }
    turn(state, &format!("cancel {}", text((*request).path_info)));
    list.add("read", read(id, &mut [0]));
    list.add("start", start(id, 200, &[content_type()]));
    list.add("respond", say(id, "x"));
    list.add("write", write(id, "x"));
    list.add("flush", (host().flush)(id));
    list.add("finish", finish(id, sys::GONE));
    list.add("again", finish(id, sys::GONE));
    turn(state, &format!("cancelled {}", list.0));
}

unsafe extern "C" fn extension(id: *const c_char) -> *const c_void {
    let is_ours = CStr::from_ptr(id).to_bytes() == b"table/1";
    if is_ours { b"the table's own\0".as_ptr() as *const c_void } else { ptr::null() }
}

static APP: sys::App = sys::App {
    head: sys::Head {
        magic: 0x4947_534e,
        major: 1,
        minor: 0,
        size: std::mem::size_of::<sys::App>() as u32,
        flags: sys::THREADSAFE | sys::MAY_ASYNC,
    },
    name: b"table\0".as_ptr() as *const c_char,
    version: b"1.2\0".as_ptr() as *const c_char,
    call,
    load: Some(load),
    probe: Some(probe),
    save: Some(save),
    drain: Some(drain),
    unload: Some(unload),
    thread: Some(threads),
    cancel: Some(cancel),
    extension: Some(extension),
};

#[no_mangle]
pub extern "C" fn nsgi_entry(offer: *const Host) -> *const sys::App {
    if unsafe { (*offer).head.major } == 1 { &APP } else { ptr::null() }
}
