//! Sockets, made in a thread aside: neither the look-up of a name nor a host that swallows the first packet can be broken off by who waits.
//!
//! A node has one such thread at a time. Who gives up leaves it where it is; the next who wants a connection waits for the same one.

use super::wait::Wait;
use std::io;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Host, port and deadline to a socket.
type Open = fn(&str, u16, Instant) -> io::Result<Dialed>;

/// How a node's sockets are made, and which addresses its name had.
pub(in crate::node) struct Dial {
    open: Open,
    out: Mutex<Option<Out>>,
    addresses: Mutex<Vec<IpAddr>>,
}

/// A thread that connects.
struct Out {
    since: Instant,
    result: Receiver<io::Result<Dialed>>,
}

struct Dialed {
    socket: TcpStream,
    addresses: Vec<IpAddr>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Dial {
    fn default() -> Self {
        Self::by(open)
    }
}

impl Dial {
    fn by(open: Open) -> Self {
        Self {
            open,
            out: Mutex::default(),
            addresses: Mutex::default(),
        }
    }

    /// What the name resolved to when it was last connected to; nothing before.
    pub(in crate::node) fn addresses(&self) -> Vec<IpAddr> {
        lock(&self.addresses).clone()
    }

    /// A socket to the first of the host's addresses that answers.
    ///
    /// # Errors
    /// The last address's, or `TimedOut`.
    pub(super) fn socket(
        &self,
        (host, port): (&str, u16),
        limit: Duration,
        wait: &Wait,
    ) -> io::Result<TcpStream> {
        let deadline = Instant::now() + limit;
        let earlier = lock(&self.out).take();
        // What came of an earlier one is used only if it is new: hosts close sockets that say nothing.
        let mut used = earlier.is_none();
        let mut out = match earlier {
            Some(out) => out,
            None => Out::start(self.open, (host, port), limit)?,
        };
        loop {
            let slice = match wait.slice(deadline) {
                Ok(slice) => slice,
                Err(error) => {
                    *lock(&self.out) = Some(out);
                    return Err(error);
                }
            };
            match out.result.recv_timeout(slice) {
                Ok(Ok(dialed)) if used || out.since.elapsed() < limit => {
                    *lock(&self.addresses) = dialed.addresses;
                    return Ok(dialed.socket);
                }
                Ok(Err(error)) if used => return Err(error),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(_) | Err(RecvTimeoutError::Disconnected) if !used => {
                    used = true;
                    out = Out::start(self.open, (host, port), limit)?;
                }
                Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that connects has ended"));
                }
            }
        }
    }
}

impl Out {
    fn start(open: Open, (host, port): (&str, u16), limit: Duration) -> io::Result<Self> {
        let since = Instant::now();
        let (sender, result): (SyncSender<_>, _) = sync_channel(1);
        let host = host.to_owned();
        std::thread::Builder::new()
            .name("dial".into())
            .spawn(move || {
                // Nobody may be waiting any more.
                let _ = sender.send(open(&host, port, since + limit));
            })?;
        Ok(Self { since, result })
    }
}

fn open(host: &str, port: u16, deadline: Instant) -> io::Result<Dialed> {
    let candidates: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let addresses = candidates.iter().map(|one| one.ip().to_canonical());
    let addresses: Vec<IpAddr> = addresses.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for candidate in candidates {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&candidate, left) {
            Ok(socket) => return Ok(Dialed { socket, addresses }),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    /// A name that takes long to look up, whatever the deadline is.
    fn slow(host: &str, port: u16, _: Instant) -> io::Result<Dialed> {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(400));
        open(host, port, Instant::now() + Duration::from_secs(5))
    }

    #[test]
    fn who_waits_can_give_up_and_the_next_waits_for_the_same_thread() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = ("127.0.0.1", listener.local_addr().expect("bound").port());
        let dial = Dial::by(slow);
        let limit = Duration::from_secs(5);
        let begin = Instant::now();
        for _ in 0..3 {
            let wait = Wait::until(Instant::now() + Duration::from_millis(50));
            let error = dial.socket(address, limit, &wait).expect_err("too slow");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        assert!(begin.elapsed() < Duration::from_millis(350));
        assert_eq!(dial.addresses(), [] as [IpAddr; 0]);
        dial.socket(address, limit, &Wait::default())
            .expect("at last");
        assert_eq!(BEGUN.load(Ordering::Relaxed), 1);
        assert_eq!(dial.addresses(), [IpAddr::from([127, 0, 0, 1])]);
        // One that has come of an earlier question and is old by now is not used.
        let wait = Wait::until(Instant::now() + Duration::from_millis(50));
        let short = Duration::from_millis(600);
        dial.socket(address, short, &wait).expect_err("too slow");
        std::thread::sleep(short);
        dial.socket(address, short, &Wait::default())
            .expect("a new one");
        assert_eq!(BEGUN.load(Ordering::Relaxed), 3);
    }
}
