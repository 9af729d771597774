// The same answer in Rust, through the one file sdk/rust/nsgi.rs.
#[path = "../../sdk/rust/nsgi.rs"]
mod nsgi;
use nsgi::{Request, Response};

nsgi::app!(|_: &mut Request| Response::text("Hello World!\n"));
