//! A hub on the loopback interface that answers as the real one does: the list of files, descriptions with hashes, a redirect
//! of large files to another host, ranges; and that misbehaves when it is told to.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong, and how often: names are paths' ends, `*` is anything.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    Status(u16),
    /// The body ends after so many bytes.
    CutAfter(usize),
    /// One byte of the body is another.
    Corrupt,
    /// Ranges are not honoured: the whole file comes with status 200.
    NoRanges,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    token: Option<String>,
    troubles: Vec<(&'static str, &'static str, Trouble, usize)>,
    log: Vec<Request>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) token: Option<String>,
    pub(super) host: String,
}

#[derive(Clone, Debug)]
pub(super) struct FakeHub {
    state: Arc<Mutex<State>>,
    port: u16,
}

impl FakeHub {
    pub(super) fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect();
        let hub = Self {
            state: Arc::new(Mutex::new(State {
                files,
                ..State::default()
            })),
            port,
        };
        let server = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || while server.answer(&stream).is_some() {});
            }
        });
        hub
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn require_token(&self, token: &str) {
        self.lock().token = Some(token.to_owned());
    }

    pub(super) fn trouble(
        &self,
        method: &'static str,
        path_end: &'static str,
        trouble: Trouble,
        times: usize,
    ) {
        self.lock()
            .troubles
            .push((method, path_end, trouble, times));
    }

    pub(super) fn log(&self) -> Vec<Request> {
        self.lock().log.clone()
    }

    pub(super) fn gets_of(&self, end: &str) -> Vec<Request> {
        self.log()
            .into_iter()
            .filter(|r| r.method == "GET" && r.path.ends_with(end))
            .collect()
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().files.remove(name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while holding it")
    }

    /// One request; `None` when the connection is at its end.
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next()?.ok()?;
        let mut parts = first.split(' ');
        let mut request = Request {
            method: parts.next()?.to_owned(),
            path: parts.next()?.to_owned(),
            ..Request::default()
        };
        for line in lines {
            let line = line.ok()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "range" => request.range = Some(value.to_owned()),
                "authorization" => request.token = Some(value.to_owned()),
                "host" => request.host = value.to_owned(),
                _ => {}
            }
        }
        let (reply, cut) = self.reply(&request);
        self.lock().log.push(request);
        let mut stream = stream;
        let end = cut.unwrap_or(reply.len());
        stream.write_all(&reply[..end.min(reply.len())]).ok()?;
        if cut.is_some() {
            stream.shutdown(std::net::Shutdown::Both).ok();
            return None;
        }
        Some(())
    }

    fn trouble_for(&self, request: &Request) -> Option<Trouble> {
        let mut state = self.lock();
        let found = state.troubles.iter_mut().find(|(method, end, _, times)| {
            *times > 0 && *method == request.method && (*end == "*" || request.path.ends_with(end))
        })?;
        found.3 -= 1;
        Some(found.2.clone())
    }

    fn reply(&self, request: &Request) -> (Vec<u8>, Option<usize>) {
        let trouble = self.trouble_for(request);
        if let Some(Trouble::Status(status)) = trouble {
            return (response(status, &[], b"no"), None);
        }
        let state = self.lock();
        let is_storage = request.path.starts_with("/storage/");
        if !is_storage
            && state.token.is_some()
            && request.token != state.token.as_ref().map(|t| format!("Bearer {t}"))
        {
            return (
                response(401, &[], b"{\"error\":\"Repository not found\"}"),
                None,
            );
        }
        if request.path.starts_with("/api/models/org/model/revision/") {
            let siblings: Vec<_> = state
                .files
                .keys()
                .map(|name| serde_json::json!({"rfilename": name}))
                .collect();
            let body = serde_json::json!({"id": "org/model", "sha": COMMIT, "siblings": siblings, "private": false});
            return (
                response(
                    200,
                    &[("content-type", "application/json")],
                    body.to_string().as_bytes(),
                ),
                None,
            );
        }
        let name = request.path.rsplit('/').next().unwrap_or_default();
        let known = request.path == format!("/org/model/resolve/{COMMIT}/{name}") || is_storage;
        let Some(bytes) = state.files.get(name).filter(|_| known) else {
            return (response(404, &[], b"Entry not found"), None);
        };
        let is_large = name.ends_with(".safetensors");
        if request.method == "HEAD" || (is_large && !is_storage) {
            let hash = if is_large {
                hex(&Sha256::digest(bytes))
            } else {
                git_hash(bytes)
            };
            let (etag, size) = (format!("\"{hash}\""), bytes.len().to_string());
            let location = format!("http://localhost:{}/storage/{name}", self.port);
            let headers: &[(&str, &str)] = match is_large {
                true => &[
                    ("location", &location),
                    ("x-linked-etag", &etag),
                    ("x-linked-size", &size),
                    ("etag", "\"of-the-redirect\""),
                    ("x-repo-commit", COMMIT),
                ],
                false => &[
                    ("etag", &etag),
                    ("content-length", &size),
                    ("x-repo-commit", COMMIT),
                ],
            };
            let status = if is_large { 302 } else { 200 };
            return (response_head(status, headers, !is_large), None);
        }
        let mut body = bytes.clone();
        if trouble == Some(Trouble::Corrupt) {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        let total = body.len();
        let start = request.range.as_deref().and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        });
        let reply = match start {
            Some(start) if trouble != Some(Trouble::NoRanges) => {
                let range = format!("bytes {start}-{}/{total}", total - 1);
                response(206, &[("content-range", &range)], &body[start..])
            }
            _ => response(200, &[], &body),
        };
        let cut = match trouble {
            Some(Trouble::CutAfter(n)) => Some(reply.len() - body.len() + start.unwrap_or(0) + n),
            _ => None,
        };
        (reply, cut)
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let headers = [headers, &[("content-length", &length)]].concat();
    [response_head(status, &headers, true), body.to_vec()].concat()
}

fn response_head(status: u16, headers: &[(&str, &str)], has_length: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !has_length {
        head += "content-length: 0\r\n";
    }
    (head + "\r\n").into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn git_hash(bytes: &[u8]) -> String {
    hex(&Sha1::digest(
        [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat(),
    ))
}
