//! The whole: starts, and ends with the job.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::exchange::serve;
use crate::policy::Policy;
use crate::record::{Record, Report, TARGET_BYTES_MAX, millis_since_1970};
use crate::relay::Budget;

/// Bytes of a connection's stack.
const STACK_BYTES: usize = 256 << 10;
/// How long the last connections may take to end when the proxy ends. One may just be looking up a name, which nothing interrupts.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Variables by which programs find a proxy on `port` of their loopback.
pub fn variables(port: u16) -> Vec<String> {
    let proxy = format!("http://127.0.0.1:{port}");
    let mut variables = Vec::new();
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        variables.push(format!("{name}={proxy}"));
    }
    for name in ["no_proxy", "NO_PROXY"] {
        variables.push(format!("{name}=localhost,127.0.0.1,::1"));
    }
    variables
}

/// A proxy that runs, on threads of its own. Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    listener: TcpListener,
    policy: Policy,
    budget: Budget,
    over: AtomicBool,
    requests: AtomicU64,
    open: Mutex<Open>,
    changed: Condvar,
    log: Mutex<Log>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Sockets of connections that are open, by connection, so that they can be closed.
#[derive(Default)]
struct Open {
    next: u64,
    sockets: HashMap<u64, Vec<TcpStream>>,
}

struct Log {
    records: Box<dyn Write + Send>,
    report: Report,
}

impl Proxy {
    /// Serves what comes to the listening socket `listener`, and writes a line of JSON for each request, a [`Record`], to `records`.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        listener: OwnedFd,
        policy: Policy,
        records: impl Write + Send + 'static,
    ) -> io::Result<Proxy> {
        let shared = Arc::new(Shared {
            listener: TcpListener::from(listener),
            budget: Budget::new(policy.bytes_max),
            policy,
            over: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            open: Mutex::default(),
            changed: Condvar::new(),
            log: Mutex::new(Log {
                records: Box::new(records),
                report: Report::default(),
            }),
        });
        let accepting = thread::Builder::new()
            .name("egress".to_owned())
            .stack_size(STACK_BYTES)
            .spawn({
                let shared = Arc::clone(&shared);
                move || accept(&shared)
            })?;
        Ok(Proxy {
            shared,
            accepting: Some(accepting),
        })
    }

    /// Closes every connection and the listening socket: what was asked for in all.
    pub fn finish(mut self) -> Report {
        self.end();
        let mut log = lock(&self.shared.log);
        let _ = log.records.flush();
        let exhausted = self.shared.budget.is_empty();
        Report {
            exhausted,
            spent: self.shared.policy.bytes_max - self.shared.budget.left(),
            ..log.report
        }
    }

    fn end(&mut self) {
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes whoever accepts.
        let _ = rustix::net::shutdown(self.shared.listener.as_fd(), rustix::net::Shutdown::Both);
        self.shared.changed.notify_all();
        let _ = accepting.join();
        let until = Instant::now() + ENDS_WITHIN;
        let mut open = lock(&self.shared.open);
        for socket in open.sockets.values().flatten() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        while !open.sockets.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(open, left);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(shared: &Arc<Shared>) {
    while let Some(id) = slot(shared) {
        let client = loop {
            match shared.listener.accept() {
                _ if shared.over.load(Ordering::SeqCst) => {
                    close(shared, id);
                    return;
                }
                Ok((client, _)) => break client,
                // Of that connection, or for lack of something that comes back.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        if let Ok(copy) = client.try_clone() {
            lock(&shared.open).sockets.entry(id).or_default().push(copy);
        }
        let connection = thread::Builder::new()
            .name("egress".to_owned())
            .stack_size(STACK_BYTES);
        let spawned = connection.spawn({
            let shared = Arc::clone(shared);
            move || {
                let slot = Slot {
                    shared: &shared,
                    id,
                };
                connection_of(slot.shared, &client, id);
            }
        });
        if spawned.is_err() {
            close(shared, id);
        }
    }
}

/// Waits until one more connection may be open; none when the proxy ends.
fn slot(shared: &Shared) -> Option<u64> {
    let mut open = lock(&shared.open);
    while open.sockets.len() >= shared.policy.connections_max.max(1) {
        if shared.over.load(Ordering::SeqCst) {
            return None;
        }
        let waited = shared.changed.wait(open);
        open = waited.unwrap_or_else(PoisonError::into_inner);
    }
    let id = open.next;
    open.next += 1;
    open.sockets.insert(id, Vec::new());
    (!shared.over.load(Ordering::SeqCst))
        .then_some(id)
        .or_else(|| {
            open.sockets.remove(&id);
            None
        })
}

fn close(shared: &Shared, id: u64) {
    let closed = lock(&shared.open).sockets.remove(&id);
    for socket in closed.into_iter().flatten() {
        let _ = socket.shutdown(Shutdown::Both);
    }
    shared.changed.notify_all();
}

/// A connection's place among those that are open, given back whatever becomes of it.
struct Slot<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        close(self.shared, self.id);
    }
}

fn connection_of(shared: &Shared, client: &TcpStream, id: u64) {
    let (begun, at) = (Instant::now(), SystemTime::now());
    let mut beyond = false;
    let mut is_beyond = || {
        let number = shared.requests.fetch_add(1, Ordering::Relaxed);
        beyond = number >= shared.policy.requests_max;
        beyond
    };
    let announce = |server: &TcpStream| {
        let mut open = lock(&shared.open);
        if let (Ok(copy), Some(sockets)) = (server.try_clone(), open.sockets.get_mut(&id)) {
            sockets.push(copy);
        }
        // The proxy may have ended since the connection was looked at.
        if shared.over.load(Ordering::SeqCst) {
            let _ = server.shutdown(Shutdown::Both);
        }
    };
    let served = serve(
        client,
        &shared.policy,
        &shared.budget,
        &mut is_beyond,
        announce,
    );
    let Some(exchange) = served else {
        return;
    };
    let mut target = exchange.target;
    if target.len() > TARGET_BYTES_MAX {
        target.truncate(target.floor_char_boundary(TARGET_BYTES_MAX));
    }
    let record = Record {
        at_ms: millis_since_1970(at),
        took_ms: begun.elapsed().as_millis() as u64,
        method: exchange.method,
        target,
        verdict: exchange.verdict,
        address: exchange.address,
        sent: exchange.passed.sent,
        received: exchange.passed.received,
    };
    let line = record.line();
    let mut log = lock(&shared.log);
    log.report.add(&record);
    // Each is on record, up to their limit; beyond it they are counted.
    if !beyond && log.records.write_all(&line).is_err() {
        log.report.unrecorded += 1;
    }
}

/// What a thread that panicked has left is used all the same: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
