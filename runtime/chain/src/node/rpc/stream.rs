//! TCP, with TLS for `wss`, whose reads and writes all end at one deadline.

use super::RpcError;
use super::authorities::client_config;
use super::dial::Dial;
use super::wait::Wait;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection, encrypted or not.
pub(super) enum Stream {
    /// `ws`.
    Plain(Timed),
    /// `wss`.
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket whose every read and write waits until a deadline at most, however few bytes the other side sends at a time, and ends sooner if nobody
/// waits for it any more.
pub(super) struct Timed {
    socket: TcpStream,
    deadline: Instant,
    wait: Wait,
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

/// A node's host, in small letters.
pub(in crate::node) fn host_of(url: &str) -> Option<String> {
    let host = parse(url)?.host.trim_end_matches('.');
    Some(host.to_ascii_lowercase())
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
    /// Connects, within the limit. TLS shakes hands with the first read or write.
    pub(super) fn connect(
        url: &str,
        dial: &Dial,
        limit: Duration,
        wait: &Wait,
    ) -> Result<Self, RpcError> {
        let deadline = Instant::now() + limit;
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
        let socket = dial
            .socket((address.host, address.port), limit, wait)
            .map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        let wait = wait.clone();
        let timed = Timed {
            socket,
            deadline,
            wait,
        };
        let Some(config) = tls else {
            return Ok(Self::Plain(timed));
        };
        let name = ServerName::try_from(address.host.to_owned()).map_err(|_| bad_url())?;
        let connection =
            ClientConnection::new(config, name).map_err(|error| failed(io::Error::other(error)))?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, timed))))
    }

    fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Plain(timed) => timed,
            Self::Tls(stream) => &mut stream.sock,
        }
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.timed().deadline = deadline;
    }

    pub(super) fn set_wait(&mut self, wait: &Wait) {
        self.timed().wait = wait.clone();
    }
}

/// A socket's own limit shows as one of these, which would be taken for an invitation to ask again.
fn is_slice_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let slice = self.wait.slice(self.deadline)?;
            self.socket.set_read_timeout(Some(slice))?;
            match self.socket.read(buffer) {
                Err(error) if is_slice_over(&error) => {}
                done => return done,
            }
        }
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            let slice = self.wait.slice(self.deadline)?;
            self.socket.set_write_timeout(Some(slice))?;
            match self.socket.write(buffer) {
                Err(error) if is_slice_over(&error) => {}
                done => return done,
            }
        }
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
    fn a_host_is_the_same_in_any_letters_and_at_any_port() {
        for url in ["wss://Node.Example", "ws://node.example.:9944/path"] {
            assert_eq!(host_of(url).as_deref(), Some("node.example"), "{url}");
        }
        assert_eq!(host_of("node.example"), None);
    }

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
