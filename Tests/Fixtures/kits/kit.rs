// What the tests ask of every language's kit, in Rust.
#[path = "../../../sdk/rust/nsgi.rs"]
mod nsgi;
use nsgi::{sys, App, Boot, Error, Log, Message, Request, Response, Socket, SocketHandler, Topics};

/// A WebSocket that says everything back, and does what some words ask for.
struct Echo {
    log: Log,
}

impl SocketHandler for Echo {
    fn message(&mut self, socket: Socket, message: Message) -> Result<(), Error> {
        match message {
            Message::Text("throw") => panic!("thrown on purpose"),
            Message::Text("close") => socket.close(4001, "bye"),
            Message::Text("join") => socket.subscribe("kit"),
            Message::Text("lend") => socket.lend_text("lent").map(|_| ()),
            Message::Text(_) | Message::Binary(_) => socket.send(message).map(|_| ()),
        }
    }

    fn closed(&mut self, _: Socket, code: u16, _: &str) {
        self.log.warning(&format!("a socket has ended with {}", code))
    }
}

struct Kit {
    color: String,
    log: Log,
    topics: Option<Topics>,
}

impl App for Kit {
    const NAME: &'static str = "kit";
    const VERSION: &'static str = "1.0";
    const FLAGS: u32 = sys::MAY_ASYNC;

    fn load(boot: &Boot) -> Result<Kit, String> {
        if let Some(reason) = boot.option("fail") {
            return Err(reason.into_owned());
        }
        let color = boot.option("color").unwrap_or_else(|| "none".into()).into_owned();
        Ok(Kit { color, log: boot.log(), topics: boot.topics() })
    }

    fn thread(&self, entering: bool) {
        self.log.warning(if entering { "a thread enters" } else { "a thread leaves" })
    }

    fn respond(&self, request: &mut Request) -> Result<Response, Error> {
        match &*request.path() {
            "/hello" => {
                let color = request.header("x-color").unwrap_or_else(|| "none".into());
                let variable = request.variable("HTTP_X_COLOR").unwrap_or_else(|| "none".into());
                let (method, path, query) = (request.method(), request.path(), request.query());
                Ok(Response::text(format!("{} {} {} {} {}", method, path, query, color, variable)))
            }
            "/option" => Ok(Response::text(self.color.clone())),
            "/body" => Ok(measured(request.body()?)),
            "/read" => {
                let mut all = Vec::new();
                let mut piece = [0; 1000];
                loop {
                    match request.read(&mut piece)? {
                        0 => return Ok(measured(&all)),
                        n => all.extend_from_slice(&piece[..n]),
                    }
                }
            }
            "/redirect" => Ok(Response::redirect("/x")),
            "/stream" => {
                let headers = vec![("Content-Type".into(), "text/plain".into()), ("X-Kit".into(), "1".into())];
                let mut out = request.start(201, &headers)?;
                out.write("one ")?;
                out.flush()?;
                out.lend("two")?;
                Ok(Response::sent())
            }
            "/variables" => {
                let color = request.variables().find(|(name, _)| name == "HTTP_X_COLOR");
                Ok(Response::text(color.map_or("none".into(), |(_, value)| value.into_owned())))
            }
            "/file" => {
                let file = std::fs::File::open(&*request.query())?;
                let mut out = request.start(200, &Vec::new())?;
                out.write("<")?;
                out.send_file(&file, 2, Some(4))?;
                out.write(">")?;
                Ok(Response::sent())
            }
            "/publish" => {
                let topics = self.topics.ok_or_else(|| Error::Abort(501, String::new()))?;
                let first = topics.publish("kit", Message::Text("to this worker"))?;
                let second = topics.publish_all("kit", Message::Text("to all"))?;
                Ok(Response::text(format!("{} {}", first, second)))
            }
            "/socket" => {
                if !request.asks_for_socket() {
                    return Err(Error::Abort(426, String::new()));
                }
                let offered = request.header("sec-websocket-protocol").unwrap_or_default();
                let headers = vec![("X-Kit".into(), "1".into())];
                request.accept_socket(&offered, &headers, Echo { log: self.log })
            }
            "/abort" => Err(Error::Abort(404, "nothing here".into())),
            "/throw" => panic!("thrown on purpose"),
            "/throw-after" => {
                let mut out = request.start(200, &Vec::new())?;
                out.write("part")?;
                out.flush()?;
                "x".parse::<u32>()?;
                Ok(Response::sent())
            }
            "/connection" => Ok(Response::text("bad").header("Connection", "keep-alive")),
            "/bad-header" => Ok(Response::text("bad").header("X-Split", "a\r\nb: c")),
            "/trailers" => {
                request.interim(103, &vec![("Link".into(), "</a>; rel=preload".into())])?;
                let mut seen = String::from_utf8_lossy(request.body()?).into_owned();
                for (name, value) in request.trailers() {
                    seen += &format!(" {}={}", name, value);
                }
                let mut headers: nsgi::Headers = Vec::new();
                if request.takes_trailers() {
                    headers.push(("Trailer".into(), "X-Kit".into()));
                }
                let mut out = request.start(200, &headers)?;
                out.write(seen)?;
                out.end(&vec![("X-Kit".into(), "behind".into())])?;
                Ok(Response::sent())
            }
            "/later" => {
                let later = request.later();
                std::thread::spawn(move || later.respond(Response::text("later")));
                Ok(Response::sent())
            }
            "/later-lost" => {
                let _lost = request.later();
                panic!("thrown on purpose")
            }
            _ => Err(Error::Abort(404, String::new())),
        }
    }
}

fn measured(body: &[u8]) -> Response {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325, step);
    Response::text(format!("{} {:x}", body.len(), hash))
}

nsgi::app!(type Kit);
