//! One connection of a job, from what it asks for to its last byte.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::address::is_public;
use crate::head::{self, Request};
use crate::policy::{Host, Policy};
use crate::record::Verdict;
use crate::relay::{Budget, End, Passed, Upwards, relay};
use crate::tls;

/// How long a client may take to say what it wants.
const ASKS_WITHIN: Duration = Duration::from_secs(30);
/// How long a server may take to answer a call.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried.
const TRIES: usize = 4;

/// What became of a connection, for its record.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) passed: Passed,
    pub(crate) verdict: Verdict,
}

/// Why a request is not passed on: a status, a few words for its line, and whose doing it is.
#[derive(Debug)]
pub(crate) struct No {
    status: u16,
    pub(crate) why: String,
    pub(crate) refused: bool,
}

impl No {
    pub(crate) fn refused(status: u16, why: impl Into<String>) -> No {
        No {
            status,
            why: why.into(),
            refused: true,
        }
    }

    fn failed(status: u16, why: impl Into<String>) -> No {
        No {
            status,
            why: why.into(),
            refused: false,
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let why = self.why.clone();
        match self.refused {
            true => Verdict::Refused { why },
            false => Verdict::Failed { why },
        }
    }
}

pub(crate) fn not_named(host: &Host, port: u16) -> No {
    No::refused(
        403,
        format!("{host} port {port} is not a host that this job may reach"),
    )
}

/// Serves what comes over `client`. `beyond` is asked once for each request, whether it is one too many; `server` is told of a socket to a server as
/// soon as there is one.
pub(crate) fn serve(
    client: &TcpStream,
    policy: &Policy,
    budget: &Budget,
    beyond: &mut dyn FnMut() -> bool,
    server: impl FnOnce(&TcpStream),
) -> Option<Exchange> {
    let mut exchange = Exchange {
        method: String::new(),
        target: String::new(),
        address: None,
        passed: Passed::default(),
        verdict: Verdict::Passed,
    };
    match attempt(client, policy, budget, beyond, server, &mut exchange) {
        // Nothing was asked.
        Ok(None) => return None,
        Ok(Some(verdict)) => exchange.verdict = verdict,
        Err(no) => {
            answer(client, &no);
            exchange.verdict = no.verdict();
        }
    }
    Some(exchange)
}

fn attempt(
    client: &TcpStream,
    policy: &Policy,
    budget: &Budget,
    beyond: &mut dyn FnMut() -> bool,
    announce: impl FnOnce(&TcpStream),
    exchange: &mut Exchange,
) -> Result<Option<Verdict>, No> {
    let Some((request, rest)) = read_request(client)? else {
        return Ok(None);
    };
    let (host, port) = match &request {
        Request::Tunnel { host, port } => {
            exchange.method = "CONNECT".to_owned();
            exchange.target = format!("{host}:{port}");
            (host, *port)
        }
        Request::Forward(forward) => {
            exchange.method.clone_from(&forward.method);
            exchange.target.clone_from(&forward.url);
            (&forward.host, forward.port)
        }
    };
    if beyond() {
        return Err(No::refused(
            429,
            format!("More than {} requests", policy.requests_max),
        ));
    }
    if budget.is_empty() {
        return Err(No::refused(403, "Limit of bytes reached"));
    }
    if !policy.names(host, port) {
        return Err(not_named(host, port));
    }
    let server = reach(host, port, policy)?;
    exchange.address = server.peer_addr().ok();
    announce(&server);
    let cut = |why: &str| {
        Ok(Some(Verdict::Cut {
            why: why.to_owned(),
        }))
    };
    let (first, upwards) = match request {
        Request::Tunnel { host, .. } => {
            let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
            if (&*client).write_all(established).is_err() {
                return cut("the client has gone");
            }
            match hello(client, rest, policy.idle) {
                Ok(Some((hello, bytes))) => {
                    if let Err(why) = fits(&host, &hello) {
                        let _ = client.shutdown(Shutdown::Both);
                        return Ok(Some(Verdict::Refused { why }));
                    }
                    (bytes, Upwards::All)
                }
                // Opened, and nothing said.
                Ok(None) => return Ok(Some(Verdict::Passed)),
                Err(why) => {
                    let _ = client.shutdown(Shutdown::Both);
                    return Ok(Some(Verdict::Refused { why }));
                }
            }
        }
        Request::Forward(forward) => {
            let mut bytes = forward.head;
            let with = (rest.len() as u64).min(forward.body);
            bytes.extend_from_slice(&rest[..with as usize]);
            (bytes, Upwards::Bytes(forward.body - with))
        }
    };
    if !budget.spend(first.len() as u64) {
        return cut("limit of bytes reached");
    }
    if let Err(error) = (&server).write_all(&first) {
        return Err(No::failed(
            502,
            format!("{host}: {error}", host = exchange.target),
        ));
    }
    exchange.passed.sent += first.len() as u64;
    match relay(
        client,
        &server,
        upwards,
        policy.idle,
        budget,
        &mut exchange.passed,
    ) {
        Ok(End::Closed) => Ok(Some(Verdict::Passed)),
        Ok(End::Idle) => cut("nothing passed for too long"),
        Ok(End::Exhausted) => cut("limit of bytes reached"),
        Err(error) => cut(&error.to_string()),
    }
}

/// Reads a request, and what came behind it. None where nothing comes.
fn read_request(client: &TcpStream) -> Result<Option<(Request, Vec<u8>)>, No> {
    let mut bytes = Vec::new();
    let until = Instant::now() + ASKS_WITHIN;
    loop {
        match head::parse(&bytes) {
            Ok(Some((request, length))) => {
                let rest = bytes.split_off(length);
                return Ok(Some((request, rest)));
            }
            Ok(None) => {}
            Err(error) => return Err(No::refused(400, error.to_string())),
        }
        match read_more(client, &mut bytes, until) {
            Ok(true) => {}
            Ok(false) if bytes.is_empty() => return Ok(None),
            Ok(false) => return Err(No::refused(400, "A request that ends too early")),
            Err(_) => return Err(No::refused(408, "No request within 30 s")),
        }
    }
}

/// Reads the first message of a tunnel.
fn hello(
    client: &TcpStream,
    mut bytes: Vec<u8>,
    idle: Duration,
) -> Result<Option<(tls::Hello, Vec<u8>)>, String> {
    let until = Instant::now() + idle;
    loop {
        match tls::client_hello(&bytes) {
            Ok(Some(hello)) => return Ok(Some((hello, bytes))),
            Ok(None) => {}
            Err(error) => return Err(format!("a tunnel is for TLS: {error}")),
        }
        match read_more(client, &mut bytes, until) {
            Ok(true) => {}
            Ok(false) if bytes.is_empty() => return Ok(None),
            Ok(false) | Err(_) => {
                return Err("a tunnel is for TLS: its first message does not end".to_owned());
            }
        }
    }
}

/// Appends what comes until then; whether something did, or the other side has closed.
fn read_more(mut client: &TcpStream, bytes: &mut Vec<u8>, until: Instant) -> io::Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    client.set_read_timeout(Some(left))?;
    let mut buffer = [0; 8 << 10];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                bytes.extend_from_slice(&buffer[..read]);
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a tunnel to `host` may carry what begins with `hello`.
fn fits(host: &Host, hello: &tls::Hello) -> Result<(), String> {
    let asked = hello.host.as_deref();
    match (host, asked) {
        (Host::Name(name), Some(asked)) if asked.eq_ignore_ascii_case(name) => Ok(()),
        (Host::Name(_), asked) => Err(format!(
            "the tunnel was asked for {host}, the server in it for {asked:?}"
        )),
        // Who calls by an address has no name to ask for.
        (Host::Address(_), None) => Ok(()),
        (Host::Address(_), Some(asked)) => Err(format!(
            "the tunnel was asked for {host}, the server in it for {asked:?}"
        )),
    }
}

/// A connection to `host`.
pub(crate) fn reach(host: &Host, port: u16, policy: &Policy) -> Result<TcpStream, No> {
    let named = policy.hosts.iter().any(|rule| rule.is_address(host));
    let own = policy.private_addresses || named;
    let addresses: Vec<SocketAddr> = match host {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => (name.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| No::failed(502, format!("{host} was not found: {error}")))?
            .collect(),
    };
    let mut why = No::failed(502, format!("{host} has no address"));
    let wanted = addresses.into_iter().map(plain).take(TRIES);
    for address in wanted {
        if !own && !is_public(address.ip()) {
            why = No::refused(
                403,
                format!("{host} is at {}, which is not the world's", address.ip()),
            );
            continue;
        }
        match TcpStream::connect_timeout(&address, CONNECTS_WITHIN) {
            Ok(server) => {
                let here = server.local_addr().map(|local| local.ip());
                if !own && here.is_ok_and(|here| here == address.ip()) {
                    return Err(No::refused(403, format!("{host} is this machine")));
                }
                let _ = server.set_nodelay(true);
                let timeout = server.set_write_timeout(Some(policy.idle));
                timeout.map_err(|error| No::failed(500, error.to_string()))?;
                return Ok(server);
            }
            Err(error) => {
                let status = if error.kind() == io::ErrorKind::TimedOut {
                    504
                } else {
                    502
                };
                why = No::failed(status, format!("{host} at {address}: {error}"));
            }
        }
    }
    Err(why)
}

/// An address of version 4 that is written as one of version 6 is what it is.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(inner) => match inner.to_ipv4_mapped() {
            Some(inner) => SocketAddr::new(inner.into(), address.port()),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}

/// Says no. The words are in the status line too, since that is what many clients show.
fn answer(mut client: &TcpStream, no: &No) {
    let line: String = no
        .why
        .chars()
        .map(|c| if c.is_ascii_graphic() { c } else { ' ' })
        .take(200)
        .collect();
    let body = format!("gradus: {}\n", no.why);
    let text = format!(
        "HTTP/1.1 {} {line}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        no.status,
        body.len()
    );
    let _ = client.set_write_timeout(Some(Duration::from_secs(1)));
    // Who has gone need not be told.
    let _ = client.write_all(text.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    // What is still on its way must not be answered with a reset, which would take the answer back.
    let mut rest = [0; 4 << 10];
    let _ = client.set_read_timeout(Some(Duration::from_secs(1)));
    for _ in 0..256 {
        if !matches!(client.read(&mut rest), Ok(read) if read > 0) {
            break;
        }
    }
}
