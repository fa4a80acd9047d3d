//! Tunnels and connections of our own to live TLS servers: the client inside sees the server's own certificate, and is who judges it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gradus_egress::direct::{self, Denied, Direct};
use gradus_egress::policy::Policy;
use gradus_egress::proxy::Proxy;
use gradus_egress::record::{Record, Verdict};
use gradus_servers::server::Server;
use gradus_servers::tls::{Shown, connect};

#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<u8>>>);

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Records {
    fn all(&self) -> Vec<Record> {
        let bytes = self.0.lock().unwrap();
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// A server, its port, and a policy that has it by name and by address.
fn live(shown: Shown) -> (Server, u16, Policy) {
    let server = Server::start_tls(shown, |_, peer| peer.answer(200, &[], b"content"));
    let port: u16 = server
        .address()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let rules = [format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    let policy = Policy {
        private_addresses: true,
        ..Policy::new(rules.iter().map(String::as_str)).unwrap()
    };
    (server, port, policy)
}

/// A tunnel to `host`, in which a client asks for `name`.
fn through(policy: Policy, host: &str, name: &str) -> (std::io::Result<String>, Vec<Record>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let records = Records::default();
    let proxy = Proxy::start(OwnedFd::from(listener), policy, records.clone()).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket
        .write_all(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
        .unwrap();
    let mut head = [0; 39];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 Connection established\r\n\r\n");
    let said = connect(socket, name).and_then(|mut stream| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut said = String::new();
        let read = stream.read_to_string(&mut said);
        // A server that is done need not say so.
        match said.is_empty() {
            true => read.map(|_| said),
            false => Ok(said),
        }
    });
    proxy.finish();
    (said, records.all())
}

#[test]
fn a_tunnel_to_a_live_server_carries_what_both_say() {
    let (server, port, policy) = live(Shown::Good);
    for (host, name) in [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")] {
        let (said, records) = through(policy.clone(), &format!("{host}:{port}"), name);
        assert!(said.unwrap().ends_with("content"), "{host}");
        assert_eq!(records[0].target, format!("{host}:{port}"));
        assert_eq!(records[0].verdict, Verdict::Passed);
        assert!(records[0].received > 500, "a certificate is among it");
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_client_inside_sees_the_certificate_that_the_server_has() {
    for (shown, why) in [
        (Shown::Other, "not valid for name"),
        (Shown::Expired, "expired"),
        (Shown::Alone, "UnknownIssuer"),
    ] {
        let (server, port, policy) = live(shown);
        let (said, _) = through(policy, &format!("localhost:{port}"), "localhost");
        let error = said.unwrap_err().to_string();
        assert!(error.contains(why), "{shown:?}: {error}");
        assert!(server.requests().is_empty());
    }
}

#[test]
fn a_tunnel_for_one_host_is_none_for_another_on_the_same_server() {
    let (server, port, policy) = live(Shown::Other);
    let (said, records) = through(policy, &format!("localhost:{port}"), "other.example.org");
    assert!(said.is_err());
    assert!(server.requests().is_empty());
    assert!(
        matches!(records[0].verdict, Verdict::Refused { .. }),
        "{:?}",
        records[0]
    );
}

#[test]
fn a_connection_of_our_own_keeps_to_the_policy_and_is_on_record() {
    let server = Server::start(|_, peer| peer.answer(200, &[], &[b'x'; 1000]));
    let (host, port) = server.address().split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let rule = format!("{host}:{port}");
    let policy = Policy {
        bytes_max: 1500,
        ..Policy::new([rule.as_str(), "localhost"]).unwrap()
    };
    let records = Records::default();
    let direct = Direct::new(policy.clone(), "ADD", records.clone());
    let ask = |bytes: usize| {
        let mut connection = direct.connect(host, port).unwrap();
        connection
            .set_timeouts(Some(Duration::from_secs(20)), None)
            .unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut said = vec![0; bytes];
        connection.read_exact(&mut said)
    };
    ask(1000).unwrap();
    // What is left is not enough for another answer, and then nothing is left.
    assert!(ask(1000).is_err());
    assert!(matches!(
        direct.connect(host, port),
        Err(Denied::Refused(_))
    ));
    // A name that leads to this machine, a host and a port that no rule has, and what is none.
    let other = Direct::new(policy.clone(), "ADD", records.clone());
    for (host, port, why) in [
        ("localhost", 80, "not the world's"),
        ("example.org", 443, "not a host that this job may reach"),
        (host, 1, "not a host that this job may reach"),
        ("a b", 443, "is expected"),
    ] {
        let error = other.connect(host, port).unwrap_err();
        assert!(
            matches!(&error, Denied::Refused(said) if said.contains(why)),
            "{host}: {error}"
        );
    }
    assert!(direct::check(&policy, "example.org", 443).is_err());
    assert!(direct::check(&policy, "localhost", 443).is_ok());
    let report = direct.report();
    assert!(report.exhausted && report.spent == 1500, "{report:?}");
    assert_eq!((report.requests, report.refused), (3, 1));
    let all = records.all();
    assert_eq!(all[0].method, "ADD");
    assert_eq!(
        (all[0].target.as_str(), all[0].sent),
        (server.address(), 18)
    );
    assert!(
        matches!(all[1].verdict, Verdict::Cut { .. }),
        "{:?}",
        all[1]
    );
    assert_eq!(all.len(), 7);
}
