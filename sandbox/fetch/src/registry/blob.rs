//! A blob's bytes, over as many connections as it takes. What was received is not asked for again; whether it is right is for whoever
//! computes the digest.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use gradus_image::Digest;

use super::endpoint::{Endpoint, Question};
use super::error::PullError;
use crate::net::{Answer, NetError, Pace, header, plain_text};

/// Connections for one blob: a server that gives a byte each time is not worth more.
const CONNECTIONS_MAX: u32 = 100;

/// Reads a blob. Nothing is asked before the first byte is read.
pub(super) struct BlobReader<'a> {
    endpoint: &'a Endpoint<'a>,
    digest: Digest,
    size: u64,
    done: u64,
    answer: Option<Answer>,
    pace: Pace,
    failures: u32,
    connections: u32,
    stop: Option<&'a AtomicBool>,
    progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

impl<'a> BlobReader<'a> {
    pub(super) fn new(endpoint: &'a Endpoint<'a>, digest: &Digest, size: u64) -> BlobReader<'a> {
        BlobReader {
            endpoint,
            digest: *digest,
            size,
            done: 0,
            answer: None,
            pace: endpoint.http.pace(),
            failures: 0,
            connections: 0,
            stop: None,
            progress: None,
        }
    }

    /// Begins where another reader has stopped.
    pub(super) fn from(self, done: u64) -> BlobReader<'a> {
        BlobReader { done, ..self }
    }

    /// Ends when `stop` is set, and says how far it is.
    pub(super) fn watched(
        self,
        stop: &'a AtomicBool,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> BlobReader<'a> {
        BlobReader {
            stop: Some(stop),
            progress: Some(progress),
            ..self
        }
    }

    /// All of it, one byte past its size at most.
    pub(super) fn into_document(mut self) -> Result<Vec<u8>, PullError> {
        let mut out = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        while out.len() as u64 <= self.size {
            match self.next(&mut buffer)? {
                0 => break,
                n => out.extend_from_slice(&buffer[..n]),
            }
        }
        Ok(out)
    }

    /// Network failures are taken back to where a read stopped; all others are final.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, PullError> {
        loop {
            if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(PullError::Stopped);
            }
            match self.attempt(buffer) {
                Ok(n) => {
                    self.done += n as u64;
                    if n > 0 {
                        self.failures = 0;
                    }
                    if let Some(progress) = self.progress {
                        progress(self.done);
                    }
                    return Ok(n);
                }
                Err(PullError::Net(e)) if e.may_pass() || is_stall(&e) => {
                    self.answer = None;
                    self.failures += 1;
                    if self.failures > self.endpoint.http.limits().retries
                        || self.connections >= CONNECTIONS_MAX
                    {
                        return Err(e.into());
                    }
                    self.endpoint.http.wait(self.failures, None)?;
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn attempt(&mut self, buffer: &mut [u8]) -> Result<usize, PullError> {
        let what = format!("blob {}", self.digest);
        if self.answer.is_none() {
            self.answer = Some(self.connect(&what)?);
        }
        let Some(answer) = &mut self.answer else {
            return Ok(0);
        };
        let n = answer.read(buffer, &mut self.pace, &what)?;
        if n == 0 && self.done < self.size {
            return Err(PullError::Net(NetError::Network {
                server: answer.server.clone(),
                what,
                source: Box::new(ureq::Error::Io(io::ErrorKind::UnexpectedEof.into())),
            }));
        }
        Ok(n)
    }

    /// A connection whose next byte is the one that is missing.
    fn connect(&mut self, what: &str) -> Result<Answer, PullError> {
        self.connections += 1;
        let range = (self.done > 0).then(|| format!("bytes={}-", self.done));
        let mut answer = self.endpoint.get(&Question {
            what,
            path: &format!("blobs/{}", self.digest),
            accept: None,
            range: range.as_deref(),
        })?;
        let wrong = |answer: &Answer, expected: String, found: String| PullError::Range {
            server: answer.server.clone(),
            digest: self.digest,
            expected,
            found,
        };
        let here = match (answer.status, &range) {
            (206, Some(_)) => {
                let found = header(&answer.headers, "content-range").unwrap_or_default();
                let begins = format!("bytes {}-", self.done);
                if !found.starts_with(&begins) {
                    let found = plain_text(found, &[]);
                    return Err(wrong(&answer, begins, found));
                }
                self.done
            }
            (200, _) => 0,
            (status, _) => {
                let expected = "the whole".to_owned();
                return Err(wrong(&answer, expected, format!("status {status}")));
            }
        };
        let length = header(&answer.headers, "content-length").and_then(|t| t.parse::<u64>().ok());
        if let Some(found) = length.filter(|length| here + length != self.size) {
            let expected = format!("{} bytes", self.size - here);
            return Err(wrong(&answer, expected, format!("{found} bytes")));
        }
        // It begins from the start again: what is there already is passed over, and the digest says later whether it was the same.
        let mut skip = self.done - here;
        let mut buffer = vec![0; 64 << 10];
        while skip > 0 {
            let part = buffer
                .len()
                .min(usize::try_from(skip).unwrap_or(usize::MAX));
            match answer.read(&mut buffer[..part], &mut self.pace, what)? {
                0 => break,
                n => skip -= n as u64,
            }
        }
        Ok(answer)
    }
}

fn is_stall(error: &NetError) -> bool {
    matches!(error, NetError::Stalled { .. })
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(io::Error::other)
    }
}
