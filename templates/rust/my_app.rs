// my_app: an application for nsgi-server. nsgi.rs is the manual.
#[path = "nsgi.rs"]
mod nsgi;
use nsgi::{App, Boot, Error, Request, Response};

// Made once in each worker process; respond runs on several threads at once.
struct Application;

impl App for Application {
    const NAME: &'static str = "my_app";
    const VERSION: &'static str = "0.1.0";

    fn load(_: &Boot) -> Result<Self, String> {
        Ok(Application)
    }

    fn respond(&self, request: &mut Request) -> Result<Response, Error> {
        if request.path() != "/" {
            return Err(Error::Abort(404, "There is nothing here.\n".into()));
        }
        Ok(Response::text("Hello World!\n"))
    }
}

nsgi::app!(type Application);
