//! A body that has to get on.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq::BodyReader;
use ureq::http::{HeaderMap, Uri};

use super::{NetError, NetLimits};

/// Sees that bytes come fast enough, over all connections that they need.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    stall: Duration,
    rate_bytes: u64,
    total: Duration,
    end: Instant,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// `started`: when the whole pull or fetch was.
    pub(crate) fn new(limits: &NetLimits, started: Instant) -> Pace {
        Pace {
            stall: limits.stall,
            rate_bytes: limits.rate_bytes,
            total: limits.total,
            end: started + limits.total,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// After `n` bytes came in the time since `asked`. What happens between two reads is not the server's doing.
    fn add(&mut self, n: usize, asked: Instant, server: &str, what: &str) -> Result<(), NetError> {
        let now = Instant::now();
        if now >= self.end {
            return Err(NetError::Total { total: self.total });
        }
        self.bytes += n as u64;
        self.waited += now - asked;
        if self.waited < self.stall {
            return Ok(());
        }
        let needed = (self.waited.as_secs_f64() * self.rate_bytes as f64) as u64;
        if self.bytes < needed {
            return Err(NetError::Stalled {
                server: server.to_owned(),
                what: what.to_owned(),
                bytes: self.bytes,
                seconds: self.waited.as_secs(),
            });
        }
        self.waited = Duration::ZERO;
        self.bytes = 0;
        Ok(())
    }

    pub(super) fn total(&self) -> Duration {
        self.total
    }

    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// What is left until all has to be done.
    pub(crate) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

/// A server's answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(crate) url: Uri,
    /// `host:port` that the errors name.
    pub(crate) server: String,
    pub(super) body: BodyReader<'static>,
}

impl Answer {
    /// The next bytes; 0 at the end.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        pace: &mut Pace,
        what: &str,
    ) -> Result<usize, NetError> {
        let asked = Instant::now();
        let n = loop {
            match self.body.read(buffer) {
                Ok(n) => break n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(super::http::network(&self.server, what, e.into(), pace)),
            }
        };
        pace.add(n, asked, &self.server, what)?;
        Ok(n)
    }

    /// The whole body, if it is not longer than `limit`.
    pub(crate) fn document(
        mut self,
        limit: u64,
        pace: &mut Pace,
        what: &str,
    ) -> Result<Vec<u8>, NetError> {
        let mut out = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        loop {
            match self.read(&mut buffer, pace, what)? {
                0 => return Ok(out),
                n if out.len() as u64 + n as u64 > limit => {
                    return Err(NetError::TooLong {
                        server: self.server,
                        what: what.to_owned(),
                        limit,
                    });
                }
                n => out.extend_from_slice(&buffer[..n]),
            }
        }
    }
}
