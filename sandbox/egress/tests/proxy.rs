//! The proxy between clients and servers of this machine, over real sockets. What it refuses is asked for by a client that knows better.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gradus_egress::policy::Policy;
use gradus_egress::proxy::Proxy;
use gradus_egress::record::{Record, Report, Verdict};

/// What a TLS client sends first, to `files.example.org`: see `golden/hello.py`.
const HELLO: &[u8] = include_bytes!("golden/openssl.bin");

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

struct Running {
    proxy: Proxy,
    address: SocketAddr,
    records: Records,
}

impl Running {
    fn start(policy: Policy) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let records = Records::default();
        let proxy = Proxy::start(OwnedFd::from(listener), policy, records.clone()).unwrap();
        Running {
            proxy,
            address,
            records,
        }
    }

    fn ask(&self, bytes: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(self.address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        client.write_all(bytes).unwrap();
        client
    }

    fn answer(&self, bytes: &[u8]) -> String {
        let mut answer = Vec::new();
        self.ask(bytes).read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn finish(self) -> (Report, Vec<Record>) {
        let report = self.proxy.finish();
        let bytes = self.records.0.lock().unwrap();
        let lines = bytes.split(|byte| *byte == b'\n');
        let records = lines.filter(|line| !line.is_empty());
        let records = records.map(|line| serde_json::from_slice(line).unwrap());
        (report, records.collect())
    }
}

/// A server that gives each connection to `serve`.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for client in listener.incoming() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(client.unwrap()));
        }
    });
    address
}

/// One whose answer is the request itself.
fn mirror() -> SocketAddr {
    server(|mut client| {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        let text = String::from_utf8(request.clone()).unwrap();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        client.read_exact(&mut body).unwrap();
        client
            .write_all(&[b"HTTP/1.1 200 OK\r\n\r\n", &request[..], &body].concat())
            .unwrap();
    })
}

/// Everything here is on this machine, which has to be said.
fn policy(rules: &[&str]) -> Policy {
    Policy {
        private_addresses: true,
        ..Policy::new(rules.iter().copied()).unwrap()
    }
}

fn eventually(what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_request_is_passed_on_and_on_record() {
    let server = mirror();
    let port = server.port();
    let running = Running::start(policy(&[&format!("localhost:{port}")]));
    let answer = running.answer(
        format!("POST http://user:secret@localhost:{port}/a?b HTTP/1.1\r\nContent-Length: 4\r\nHost: other\r\n\r\nbodyGET http://next/ HTTP/1.1\r\n\r\n").as_bytes(),
    );
    let expected = format!(
        "HTTP/1.1 200 OK\r\n\r\nPOST /a?b HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"
    );
    assert_eq!(answer, expected, "and not what came behind the body");
    let (report, records) = running.finish();
    let record = &records[0];
    assert_eq!(record.method, "POST");
    assert_eq!(record.target, format!("http://localhost:{port}/a?b"));
    assert_eq!(record.verdict, Verdict::Passed);
    assert_eq!(record.address, Some(server));
    assert_eq!(record.received, expected.len() as u64);
    assert_eq!(
        (report.requests, report.refused, report.received),
        (1, 0, record.received)
    );
}

#[test]
fn a_tunnel_carries_bytes_both_ways_and_both_ends() {
    let echo = server(|mut client| {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        client.write_all(&bytes).unwrap();
    });
    // A name that leads to this machine: the hosts file has but one.
    let hello = hello_for("localhost");
    let port = echo.port();
    let running = Running::start(policy(&[&format!("localhost:{port}")]));
    let mut client = running.ask(format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\n").as_bytes());
    let mut established = [0; 39];
    client.read_exact(&mut established).unwrap();
    assert_eq!(&established, b"HTTP/1.1 200 Connection established\r\n\r\n");
    let more = vec![7; 3 << 20];
    let sent = [&hello[..], &more].concat();
    let writer = {
        let mut client = client.try_clone().unwrap();
        let sent = sent.clone();
        thread::spawn(move || {
            client.write_all(&sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    writer.join().unwrap();
    assert!(back == sent, "{} bytes of {}", back.len(), sent.len());
    let (report, _) = running.finish();
    let bytes = sent.len() as u64;
    assert_eq!((report.sent, report.received), (bytes, bytes));
}

/// The golden message, asking for another host.
fn hello_for(name: &str) -> Vec<u8> {
    let place = HELLO
        .windows(17)
        .position(|bytes| bytes == b"files.example.org")
        .unwrap();
    let less = 17 - name.len();
    let mut hello = HELLO.to_vec();
    hello.splice(place..place + 17, name.bytes());
    // Every length around it: the record, the message, all extensions, the extension, its list, the name.
    for at in lengths(HELLO, place) {
        let length = u16::from_be_bytes([hello[at], hello[at + 1]]) - less as u16;
        hello[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    hello
}

/// Where the lengths are that count the byte at `place`.
fn lengths(hello: &[u8], place: usize) -> [usize; 6] {
    let session = 5 + 4 + 34;
    let ciphers = session + 1 + usize::from(hello[session]);
    let compression =
        ciphers + 2 + usize::from(u16::from_be_bytes([hello[ciphers], hello[ciphers + 1]]));
    let extensions = compression + 1 + usize::from(hello[compression]);
    [3, 7, extensions, place - 7, place - 5, place - 2]
}

#[test]
fn a_tunnel_is_for_tls_to_the_host_that_it_was_asked_for() {
    let reached = Arc::new(Mutex::new(Vec::new()));
    let port = {
        let reached = Arc::clone(&reached);
        server(move |mut client| {
            let mut bytes = Vec::new();
            client.read_to_end(&mut bytes).unwrap();
            reached.lock().unwrap().extend(bytes);
        })
        .port()
    };
    let running = Running::start(policy(&[&format!("localhost:{port}")]));
    for (bytes, why) in [
        (HELLO, "files.example.org"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "TLS"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "TLS"),
    ] {
        let mut client =
            running.ask(format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\n").as_bytes());
        client.read_exact(&mut [0; 39]).unwrap();
        client.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        // Closed, perhaps with a reset.
        let _ = client.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{why}");
    }
    let (report, records) = running.finish();
    assert_eq!((report.requests, report.refused), (3, 3));
    // Each is on record when it is over: in no order.
    let said = |why: &str| {
        let is = |record: &&Record| matches!(&record.verdict, Verdict::Refused { why: said } if said.contains(why));
        records.iter().filter(is).count()
    };
    assert_eq!(
        (said("files.example.org"), said("is for TLS")),
        (1, 2),
        "{records:?}"
    );
    assert!(reached.lock().unwrap().is_empty());
}

#[test]
fn a_host_that_is_not_named_is_not_reached() {
    let port = mirror().port();
    let running = Running::start(policy(&["other.example.org"]));
    for target in [
        format!("GET http://localhost:{port}/ HTTP/1.1\r\n\r\n"),
        format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\n"),
        format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n"),
        "CONNECT other.example.org:22 HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        let answer = running.answer(target.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(
            answer.contains("is not a host that this job may reach"),
            "{answer}"
        );
    }
    for target in [
        "GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let answer = running.answer(target.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let (report, records) = running.finish();
    assert_eq!((report.requests, report.refused, records.len()), (6, 6, 6));
}

/// A name may lead anywhere; an address that is named is meant.
#[test]
fn a_name_does_not_lead_to_this_machine_or_its_network() {
    let port = mirror().port();
    let rules = Policy::new([&*format!("*:{port}"), &*format!("localhost:{port}")]).unwrap();
    let running = Running::start(rules);
    for host in [
        "localhost",
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "0.0.0.0",
    ] {
        let answer =
            running.answer(format!("GET http://{host}:{port}/ HTTP/1.1\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        assert!(
            answer.contains("which is not the world's"),
            "{host}: {answer}"
        );
    }
    drop(running);
    let named = Running::start(Policy::new([&*format!("127.0.0.1:{port}")]).unwrap());
    let answer = named.answer(format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn no_more_bytes_pass_than_may() {
    let port = server(|mut client| {
        let _ = client.write_all(&vec![b'x'; 4 << 20]);
        let _ = client.read(&mut [0; 1 << 10]);
    })
    .port();
    let rules = Policy {
        bytes_max: 1 << 20,
        ..policy(&[&format!("127.0.0.1:{port}")])
    };
    let running = Running::start(rules);
    let asked = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n");
    let clients: Vec<JoinHandle<usize>> = (0..4)
        .map(|_| {
            let mut client = running.ask(asked.as_bytes());
            thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = client.read_to_end(&mut bytes);
                bytes.iter().filter(|byte| **byte == b'x').count()
            })
        })
        .collect();
    let got: usize = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .sum();
    assert!(got <= 1 << 20, "{got}");
    let answer = running.answer(asked.as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 403 Limit of bytes"),
        "{answer}"
    );
    let (report, records) = running.finish();
    assert!(report.exhausted);
    assert!(report.sent + report.received <= 1 << 20, "{report:?}");
    let cut = records
        .iter()
        .filter(|record| matches!(record.verdict, Verdict::Cut { .. }));
    assert!(cut.count() >= 1);
}

#[test]
fn requests_are_counted_and_bounded() {
    let port = mirror().port();
    let rules = Policy {
        requests_max: 2,
        ..policy(&[&format!("127.0.0.1:{port}")])
    };
    let running = Running::start(rules);
    let asked = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n");
    let answers: Vec<String> = (0..4).map(|_| running.answer(asked.as_bytes())).collect();
    assert!(answers[1].starts_with("HTTP/1.1 200"));
    assert!(answers[2].starts_with("HTTP/1.1 429") && answers[3].starts_with("HTTP/1.1 429"));
    let (report, records) = running.finish();
    assert_eq!((report.requests, report.refused, records.len()), (4, 2, 2));
}

#[test]
fn a_silent_connection_is_closed() {
    let port = server(|client| {
        thread::sleep(Duration::from_secs(20));
        drop(client);
    })
    .port();
    let rules = Policy {
        idle: Duration::from_millis(100),
        ..policy(&[&format!("127.0.0.1:{port}")])
    };
    let running = Running::start(rules);
    let begun = Instant::now();
    let answer =
        running.answer(format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n").as_bytes());
    assert_eq!(answer, "");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let (_, records) = running.finish();
    assert!(
        matches!(records[0].verdict, Verdict::Cut { .. }),
        "{records:?}"
    );
}

#[test]
fn connections_beyond_their_number_wait() {
    let open = Arc::new(Mutex::new((0usize, 0usize)));
    let port = {
        let open = Arc::clone(&open);
        server(move |mut client| {
            {
                let mut open = open.lock().unwrap();
                open.0 += 1;
                open.1 = open.1.max(open.0);
            }
            thread::sleep(Duration::from_millis(50));
            open.lock().unwrap().0 -= 1;
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        })
        .port()
    };
    let rules = Policy {
        connections_max: 2,
        ..policy(&[&format!("127.0.0.1:{port}")])
    };
    let running = Running::start(rules);
    let clients: Vec<TcpStream> = (0..8)
        .map(|_| running.ask(format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n").as_bytes()))
        .collect();
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(open.lock().unwrap().1 <= 2);
    assert_eq!(running.finish().0.requests, 8);
}

/// Also while connections are open, wait for their turn, or have said nothing yet.
#[test]
fn the_proxy_ends_at_once_and_leaves_no_connection() {
    let port = server(|mut client| {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let _ = client.read_to_end(&mut Vec::new());
        thread::sleep(Duration::from_secs(20));
    })
    .port();
    let rules = Policy {
        connections_max: 2,
        ..policy(&[&format!("127.0.0.1:{port}")])
    };
    let running = Running::start(rules);
    let mut open = running.ask(format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n").as_bytes());
    open.read_exact(&mut [0; 19]).unwrap();
    let _silent = running.ask(b"GET http://");
    let mut waits = running.ask(b"CONNECT ");
    let address = running.address;
    let begun = Instant::now();
    let (report, _) = running.finish();
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert!(report.requests <= 2);
    assert!(!matches!(open.read(&mut [0; 1]), Ok(1)));
    assert!(!matches!(waits.read(&mut [0; 1]), Ok(1)));
    eventually(|| TcpStream::connect(address).is_err());
}
