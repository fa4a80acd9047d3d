//! Connections that whoever started the job makes for it: under the job's policy, out of its bytes, on its record.
//!
//! What a proxy does for a job's programs, for a step that has none: a file that is added to an image. The names, the addresses that they lead
//! to and the bytes are judged by the same code; that TLS asks for the right host is for the caller, who speaks it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::exchange::{self, No};
use crate::policy::{Host, Policy};
use crate::record::{Record, Report, Verdict, millis_since_1970};
use crate::relay::{Budget, Passed};

/// Connections under a policy. Their bytes and their number are counted together.
#[derive(Debug)]
pub struct Direct {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    budget: Budget,
    method: &'static str,
    log: Mutex<(Box<dyn Write + Send>, Report)>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// the policy does not have it
    #[error("{0}")]
    Refused(String),
    /// the way there failed
    #[error("{0}")]
    Failed(String),
}

impl From<No> for Denied {
    fn from(no: No) -> Denied {
        match no.refused {
            true => Denied::Refused(no.why),
            false => Denied::Failed(no.why),
        }
    }
}

impl Direct {
    /// Under `policy`; each connection is a line of JSON in `records`, with `method` as what asked for it.
    pub fn new(
        policy: Policy,
        method: &'static str,
        records: impl Write + Send + 'static,
    ) -> Direct {
        Direct {
            shared: Arc::new(Shared {
                budget: Budget::new(policy.bytes_max),
                policy,
                method,
                log: Mutex::new((Box::new(records), Report::default())),
            }),
        }
    }

    /// A connection to a host, as a URL has it.
    ///
    /// # Errors
    /// It is no host that may be reached, or it cannot be reached. Both are on record.
    pub fn connect(&self, host: &str, port: u16) -> Result<Connection, Denied> {
        let shared = &self.shared;
        let mut connection = Connection {
            socket: None,
            shared: Arc::clone(shared),
            target: format!("{host}:{port}"),
            address: None,
            passed: Passed::default(),
            verdict: Verdict::Passed,
            begun: Instant::now(),
            at: SystemTime::now(),
        };
        let reached = allowed(&shared.policy, host, port).and_then(|host| {
            if shared.budget.is_empty() {
                return Err(No::refused(403, "Limit of bytes reached"));
            }
            exchange::reach(&host, port, &shared.policy)
        });
        match reached {
            Ok(socket) => {
                connection.address = socket.peer_addr().ok();
                connection.socket = Some(socket);
                Ok(connection)
            }
            Err(no) => {
                connection.verdict = no.verdict();
                Err(no.into())
            }
        }
    }

    /// What was asked for in all. Connections that are still open are counted when they end, and not here.
    pub fn report(&self) -> Report {
        let log = self.shared.log.lock();
        Report {
            exhausted: self.shared.budget.is_empty(),
            spent: self.shared.policy.bytes_max - self.shared.budget.left(),
            ..log.unwrap_or_else(PoisonError::into_inner).1
        }
    }
}

/// Whether `policy` names a host as a URL has it: its own name, or why not.
///
/// # Errors
/// It does not.
pub fn check(policy: &Policy, host: &str, port: u16) -> Result<(), Denied> {
    allowed(policy, host, port).map(drop).map_err(Denied::from)
}

fn allowed(policy: &Policy, host: &str, port: u16) -> Result<Host, No> {
    let host: Host = host
        .parse()
        .map_err(|error| No::refused(400, format!("{host:?}: {error}")))?;
    match policy.names(&host, port) {
        true => Ok(host),
        false => Err(exchange::not_named(&host, port)),
    }
}

/// A connection, on record when it is dropped.
#[derive(Debug)]
pub struct Connection {
    socket: Option<TcpStream>,
    shared: Arc<Shared>,
    target: String,
    address: Option<SocketAddr>,
    passed: Passed,
    verdict: Verdict,
    begun: Instant,
    at: SystemTime,
}

impl Connection {
    /// How long a read or a write may take.
    ///
    /// # Errors
    /// The system's.
    pub fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        let least = |limit: Option<Duration>| {
            Some(
                limit
                    .unwrap_or(self.shared.policy.idle)
                    .min(self.shared.policy.idle),
            )
        };
        let socket = self.socket()?;
        socket.set_read_timeout(least(read))?;
        socket.set_write_timeout(least(write))
    }

    fn socket(&self) -> io::Result<&TcpStream> {
        self.socket
            .as_ref()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn exhausted(&mut self) -> io::Error {
        let why = "limit of bytes reached";
        self.verdict = Verdict::Cut {
            why: why.to_owned(),
        };
        io::Error::other(why)
    }
}

impl Read for Connection {
    /// Bytes are set aside before they are read, as a proxy does it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.shared.budget.take(buffer.len() as u64);
        if room == 0 && !buffer.is_empty() {
            return Err(self.exhausted());
        }
        let read = self
            .socket()
            .and_then(|mut socket| socket.read(&mut buffer[..room as usize]));
        let bytes = *read.as_ref().unwrap_or(&0) as u64;
        self.shared.budget.give_back(room - bytes);
        self.passed.received += bytes;
        read
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.shared.budget.take(bytes.len() as u64);
        if room == 0 && !bytes.is_empty() {
            return Err(self.exhausted());
        }
        let written = self
            .socket()
            .and_then(|mut socket| socket.write(&bytes[..room as usize]));
        let done = *written.as_ref().unwrap_or(&0) as u64;
        self.shared.budget.give_back(room - done);
        self.passed.sent += done;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let record = Record {
            at_ms: millis_since_1970(self.at),
            took_ms: self.begun.elapsed().as_millis() as u64,
            method: self.shared.method.to_owned(),
            target: std::mem::take(&mut self.target),
            verdict: self.verdict.clone(),
            address: self.address,
            sent: self.passed.sent,
            received: self.passed.received,
        };
        let mut log = self
            .shared
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (records, report) = &mut *log;
        report.add(&record);
        if records.write_all(&record.line()).is_err() {
            report.unrecorded += 1;
        }
    }
}
