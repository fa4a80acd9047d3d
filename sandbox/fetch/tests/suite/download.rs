//! One file by its address: what is taken, and servers that stall, lie and lure.

use gradus_fetch::Owner;
use gradus_fetch::download::{DownloadError, DownloadOptions, Downloaded, download};
use gradus_fetch::net::door::{Door, DoorError, Wire};
use gradus_fetch::net::{NetError, NetLimits, Reach};
use gradus_image::Digest;
use gradus_servers::server::{Peer, Request, Server};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn options(server: &Server) -> DownloadOptions {
    DownloadOptions {
        bytes_max: 100_000,
        limits: NetLimits {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            stall: Duration::from_millis(400),
            rate_bytes: 1000,
            total: Duration::from_secs(10),
            retries: 2,
            retry_wait: Duration::from_millis(1),
        },
        reach: Reach::public().trust(server.address()),
    }
}

fn get(server: &Server, file: &mut File) -> Result<Downloaded, DownloadError> {
    download(
        &format!("http://{}/x", server.address()),
        file,
        &options(server),
    )
}

fn serving(serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static) -> DownloadError {
    let server = Server::start(serve);
    let mut file = tempfile::tempfile().unwrap();
    get(&server, &mut file).expect_err("it is refused")
}

#[test]
fn a_file_is_what_the_server_sends_and_as_old_as_it_says() {
    let modified = [("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let server = Server::start(move |request, peer| match request.path.as_str() {
        "/x" => peer.answer(302, &[("location", "/y")], b""),
        _ => peer.answer(200, &modified, b"content"),
    });
    let mut file = tempfile::tempfile().unwrap();
    let downloaded = get(&server, &mut file).unwrap();
    assert_eq!(downloaded.digest, Digest::of(b"content"));
    assert_eq!(downloaded.bytes, 7);
    // By `date -u -d "Sun, 06 Nov 1994 08:49:37 GMT" +%s`.
    assert_eq!(downloaded.modified_s, Some(784_111_777));
    file.rewind().unwrap();
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
}

#[test]
fn what_was_cut_off_is_asked_for_again_from_its_beginning() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |_, peer| {
        let first = tries.fetch_add(1, Ordering::Relaxed) == 0;
        peer.head(200, &[("content-length", "10")]);
        peer.raw(if first { b"01234" } else { b"0123456789" });
    });
    let mut file = tempfile::tempfile().unwrap();
    let downloaded = get(&server, &mut file).unwrap();
    assert_eq!(downloaded.digest, Digest::of(b"0123456789"));
    assert_eq!(file.metadata().unwrap().len(), 10);
}

#[test]
fn servers_that_stall_lie_and_lure_are_left() {
    let error = serving(|_, peer| peer.stall());
    assert!(
        matches!(error, DownloadError::Net(NetError::Stalled { .. })),
        "{error:?}"
    );
    let error = serving(|_, peer| {
        peer.head(200, &[]);
        peer.trickle(Duration::from_millis(20));
    });
    assert!(
        matches!(error, DownloadError::Net(NetError::Stalled { .. })),
        "{error:?}"
    );
    // One that says how long it is, and one that does not.
    let error = serving(|_, peer| peer.head(200, &[("content-length", "100001")]));
    assert!(matches!(error, DownloadError::TooLong { .. }), "{error:?}");
    assert_eq!(error.owner(), Owner::Submission);
    let error = serving(|_, peer| {
        peer.head(200, &[]);
        while peer.raw(&[0; 1000]) {}
    });
    assert!(matches!(error, DownloadError::TooLong { .. }), "{error:?}");
    for (status, owner) in [
        (404, Owner::Submission),
        (403, Owner::Submission),
        (503, Owner::Host),
    ] {
        let error = serving(move |_, peer| peer.answer(status, &[], b"no"));
        assert_eq!(error.owner(), owner, "{status}: {error:?}");
    }
    let error = serving(|request, peer| peer.answer(307, &[("location", &request.path)], b""));
    assert!(
        matches!(error, DownloadError::Net(NetError::Redirects { .. })),
        "{error:?}"
    );
    for to in [
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest",
        "https://[::1]/",
    ] {
        let error = serving(move |_, peer| peer.answer(302, &[("location", to)], b""));
        assert!(
            matches!(error, DownloadError::Net(NetError::Private { .. })),
            "{to}: {error:?}"
        );
        assert_eq!(error.owner(), Owner::Submission);
    }
    let error = serving(|_, peer| peer.answer(302, &[("location", "file:///etc/passwd")], b""));
    assert!(matches!(error, DownloadError::Net(_)), "{error:?}");
}

/// Leads all names to one server, but for those that begin with `no`.
#[derive(Debug)]
pub(crate) struct To(pub(crate) String);

#[derive(Debug)]
struct Socket(TcpStream);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Wire for Socket {
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> std::io::Result<()> {
        self.0.set_read_timeout(read)?;
        self.0.set_write_timeout(write)
    }
}

impl Door for To {
    fn connect(&self, host: &str, port: u16) -> Result<Box<dyn Wire>, DoorError> {
        match host.starts_with("no") {
            true => Err(DoorError::Refused(format!(
                "{host}:{port} is not on the list"
            ))),
            false => Ok(Box::new(Socket(TcpStream::connect(&self.0).unwrap()))),
        }
    }
}

/// Whoever has the door judges: each server that is asked goes through it, redirects too.
#[test]
fn all_connections_go_through_a_door_where_there_is_one() {
    let server = Server::start(|request, peer| match request.path.as_str() {
        "/away" => peer.answer(302, &[("location", "http://no.example/x")], b""),
        "/stall" => peer.stall(),
        _ => peer.answer(200, &[], b"content"),
    });
    let options = DownloadOptions {
        reach: Reach::public().through(Arc::new(To(server.address().to_owned()))),
        ..options(&server)
    };
    let mut file = tempfile::tempfile().unwrap();
    let mut get = |url: &str| download(url, &mut file, &options);
    assert_eq!(get("http://files.example:81/x").unwrap().bytes, 7);
    assert_eq!(
        server.requests()[0].header("host"),
        Some("files.example:81")
    );
    for url in ["http://no.example:82/x", "http://files.example/away"] {
        let error = get(url).unwrap_err();
        let DownloadError::Net(NetError::Refused { why, .. }) = &error else {
            panic!("{url}: {error:?}");
        };
        assert!(why.contains("is not on the list"), "{why}");
        assert_eq!(error.owner(), Owner::Submission);
    }
    let error = get("http://files.example/stall").unwrap_err();
    assert!(
        matches!(error, DownloadError::Net(NetError::Stalled { .. })),
        "{error:?}"
    );
}
