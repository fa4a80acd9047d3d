//! TCP, with TLS for `wss`, whose reads and writes all end at one deadline, or when somebody wants to stop.

use super::authorities::client_config;
use super::{RpcError, Stop};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a socket is waited for before it is asked again whether to stop.
const NAP: Duration = Duration::from_millis(100);

/// A connection, encrypted or not.
pub(super) enum Stream {
    /// `ws`.
    Plain(Timed),
    /// `wss`.
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket whose every read and write waits until a deadline at most, however few bytes the other side sends at a time.
pub(super) struct Timed {
    socket: TcpStream,
    deadline: Instant,
    stop: Stop,
}

/// A node's address in parts.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
}

fn parse(url: &str) -> Option<Address<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = match scheme {
        "wss" => true,
        "ws" => false,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    // No credentials: they would be shown in every error.
    if authority.contains('@') {
        return None;
    }
    let default = if tls { 443 } else { 80 };
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        match after.strip_prefix(':') {
            Some(port) => (host, port.parse().ok()?),
            None if after.is_empty() => (host, default),
            None => return None,
        }
    } else {
        match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, default),
        }
    };
    (!host.is_empty()).then_some(Address { tls, host, port })
}

/// Whether a text is a node's address: `ws` or `wss`, a host, perhaps a port.
pub fn is_address(url: &str) -> bool {
    parse(url).is_some()
}

/// Whether others may read and change what is said to a node: without encryption, and to a host that is not of this machine or a private
/// network.
pub fn is_exposed(url: &str) -> bool {
    let near = |host: &str| match host.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    parse(url).is_some_and(|address| !address.tls && !near(address.host))
}

impl Stream {
    /// Connects, within the deadline and unless somebody wants to stop. TLS shakes hands with the first read or write.
    pub(super) fn connect(url: &str, deadline: Instant, stop: Stop) -> Result<Self, RpcError> {
        let bad_url = || RpcError::Url {
            url: url.to_owned(),
        };
        let address = parse(url).ok_or_else(bad_url)?;
        let failed = |source| RpcError::Connect {
            url: url.to_owned(),
            source,
        };
        let tls = match address.tls {
            true => Some(client_config().map_err(|source| RpcError::Authorities {
                url: url.to_owned(),
                source,
            })?),
            false => None,
        };
        let socket = open(&address, deadline, stop).map_err(|source| match stop.is_set() {
            true => RpcError::Stopped {
                url: url.to_owned(),
            },
            false => failed(source),
        })?;
        socket.set_nodelay(true).map_err(failed)?;
        let timed = Timed {
            socket,
            deadline,
            stop,
        };
        let Some(config) = tls else {
            return Ok(Self::Plain(timed));
        };
        let name = ServerName::try_from(address.host.to_owned()).map_err(|_| bad_url())?;
        let connection =
            ClientConnection::new(config, name).map_err(|error| failed(io::Error::other(error)))?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, timed))))
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        match self {
            Self::Plain(timed) => timed.deadline = deadline,
            Self::Tls(stream) => stream.sock.deadline = deadline,
        }
    }
}

/// A socket to the first of the host's addresses that answers.
fn open(address: &Address<'_>, deadline: Instant, stop: Stop) -> io::Result<TcpStream> {
    let (host, port) = (address.host.to_owned(), address.port);
    let (answer, answered) = mpsc::channel();
    // Neither looking a name up nor connecting can be ended early; a thread that nobody waits for any more ends by itself.
    std::thread::spawn(move || answer.send(open_and_wait(&host, port, deadline)));
    loop {
        match answered.recv_timeout(nap(deadline, stop)?) {
            Ok(opened) => return opened,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("nobody looks for it any more"));
            }
        }
    }
}

fn open_and_wait(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for candidate in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, left(deadline)?) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What is left until a deadline, if anything.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// How long to wait at once.
fn nap(deadline: Instant, stop: Stop) -> io::Result<Duration> {
    match stop.is_set() {
        // No `Interrupted`, which would be taken for an invitation to ask again.
        true => Err(io::Error::other("it is not waited for any longer")),
        false => Ok(left(deadline)?.min(NAP)),
    }
}

/// Does what a socket can do, nap by nap: its own limit shows as `WouldBlock`.
fn nap_by_nap(
    (deadline, stop): (Instant, Stop),
    mut act: impl FnMut(Duration) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        match act(nap(deadline, stop)?) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = &mut self.socket;
        nap_by_nap((self.deadline, self.stop), |nap| {
            socket.set_read_timeout(Some(nap))?;
            socket.read(buffer)
        })
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let socket = &mut self.socket;
        nap_by_nap((self.deadline, self.stop), |nap| {
            socket.set_write_timeout(Some(nap))?;
            socket.write(buffer)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_is_exposed_beyond_private_networks() {
        for near in [
            "wss://node.example",
            "ws://127.0.0.1:9944",
            "ws://[::1]:9944",
            "ws://localhost:9944",
            "ws://10.0.0.7:9944",
            "ws://192.168.1.2",
            "ws://[fd00::1]",
            "http://node.example",
        ] {
            assert!(!is_exposed(near), "{near}");
        }
        for far in [
            "ws://node.example",
            "ws://8.8.8.8:9944",
            "ws://[2001:db8::1]",
            "ws://172.32.0.1",
        ] {
            assert!(is_exposed(far), "{far}");
        }
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        let parsed = |url| parse(url).map(|a| (a.tls, a.host.to_owned(), a.port));
        assert_eq!(
            parsed("wss://node.example"),
            Some((true, "node.example".into(), 443))
        );
        assert_eq!(
            parsed("ws://127.0.0.1:9944/path"),
            Some((false, "127.0.0.1".into(), 9944))
        );
        assert_eq!(parsed("ws://[::1]:9944"), Some((false, "::1".into(), 9944)));
        for wrong in [
            "",
            "node.example",
            "http://a",
            "ws://",
            "ws://a:b",
            "ws://u:p@a",
            "ws://[::1",
            "ws://[::1]x",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
