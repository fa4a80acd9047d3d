//! A server of our own on loopback, which does what a test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use crate::tls::{Both, Shown};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its content.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// One connection, after its request was read.
pub struct Peer {
    stream: Box<dyn Both>,
    closing: Arc<AtomicBool>,
}

impl Peer {
    /// Bytes as they are; that nobody listens any more is no failure.
    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .is_ok()
    }

    /// A whole answer, with its length.
    pub fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend(headers);
        self.head(status, &all);
        self.raw(body);
    }

    /// The beginning of an answer, without a length.
    pub fn head(&mut self, status: u16, headers: &[(&str, &str)]) {
        let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.raw(format!("{head}\r\n").as_bytes());
    }

    /// Says nothing more, until the server ends.
    pub fn stall(&self) {
        while !self.closing.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A byte now and then, until nobody listens.
    pub fn trickle(&mut self, each: Duration) {
        while !self.closing.load(Ordering::Relaxed) && self.raw(b"x") {
            std::thread::sleep(each);
        }
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peer")
    }
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: String,
    closing: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Request>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Without encryption.
    pub fn start(serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static) -> Server {
        Server::start_with(None, serve)
    }

    /// With this certificate.
    pub fn start_tls(
        shown: Shown,
        serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static,
    ) -> Server {
        Server::start_with(Some(shown), serve)
    }

    fn start_with(
        shown: Option<Shown>,
        serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static,
    ) -> Server {
        let tls = shown.map(Shown::config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let closing = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (is_closing, seen) = (closing.clone(), requests.clone());
        let thread = std::thread::spawn(move || {
            let serve = &serve;
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if is_closing.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let (closing, seen, tls) = (is_closing.clone(), seen.clone(), tls.clone());
                    scope.spawn(move || {
                        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                        let mut stream: Box<dyn Both> = match tls {
                            None => Box::new(stream),
                            Some(tls) => {
                                let server = ServerConnection::new(tls).expect("a right config");
                                Box::new(StreamOwned::new(server, stream))
                            }
                        };
                        let Some(request) = read(&mut stream) else {
                            return;
                        };
                        seen.lock().unwrap().push(request.clone());
                        serve(&request, &mut Peer { stream, closing });
                    });
                }
            });
        });
        Server {
            address,
            closing,
            requests,
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked so far.
    ///
    /// # Panics
    /// A test's own thread did.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: &mut Box<dyn Both>) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|l| l.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { body, ..request })
}
