//! Connections that somebody else makes: a policy that names hosts, judges addresses and counts bytes.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

/// Makes connections in place of this crate: names, addresses and bytes are its affair then.
pub trait Door: Debug + Send + Sync {
    /// A connection to a host, by name or address (one of version 6 in brackets).
    ///
    /// # Errors
    /// It must not be, or it could not be.
    fn connect(&self, host: &str, port: u16) -> Result<Box<dyn Wire>, DoorError>;
}

/// A connection that a [`Door`] has made.
pub trait Wire: Read + Write + Debug + Send + Sync {
    /// How long a read or a write may take.
    ///
    /// # Errors
    /// The system's.
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()>;
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// there must not be one
    #[error("{0}")]
    Refused(String),
    /// there could not be one
    #[error("{0}")]
    Failed(String),
}

/// Where connections come from that go through a door.
#[derive(Debug)]
pub(super) struct DoorConnector(pub(super) Arc<dyn Door>);

impl Connector for DoorConnector {
    type Out = DoorTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<DoorTransport>, Error> {
        let host = details.uri.host().unwrap_or_default();
        let wire = self
            .0
            .connect(host, super::http::port_of(details.uri))
            .map_err(|error| match error {
                refused @ DoorError::Refused(_) => Error::Other(Box::new(refused)),
                DoorError::Failed(why) => Error::Io(io::Error::other(why)),
            })?;
        Ok(Some(DoorTransport {
            wire,
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
        }))
    }
}

/// Of names that a door looks up, none is looked up here.
pub(super) fn unresolved() -> ResolvedSocketAddrs {
    let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let mut out = ArrayVec::from_fn(|_| nowhere);
    out.push(nowhere);
    out
}

/// Bytes over a wire, as the HTTP client wants them.
#[derive(Debug)]
pub(super) struct DoorTransport {
    wire: Box<dyn Wire>,
    buffers: LazyBuffers,
}

impl DoorTransport {
    /// Until then, and no longer than one read or write may take.
    fn until(&self, timeout: &NextTimeout) -> Result<(), Error> {
        let (after, read, write) = limits(timeout);
        let least = |each: Option<Duration>| [after, each].into_iter().flatten().min();
        Ok(self.wire.set_timeouts(least(read), least(write))?)
    }
}

/// What is left in all, and what one read and one write may take.
fn limits(timeout: &NextTimeout) -> (Option<Duration>, Option<Duration>, Option<Duration>) {
    (
        timeout.not_zero().map(|after| *after),
        timeout.per_read.map(|each| *each),
        timeout.per_write.map(|each| *each),
    )
}

fn failed(error: io::Error, timeout: &NextTimeout, each: Timeout) -> Error {
    let (after, read, write) = limits(timeout);
    let limit = if each == Timeout::PerRead {
        read
    } else {
        write
    };
    let each_is_less = limit.is_some_and(|limit| after.is_none_or(|after| limit < after));
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            Error::Timeout(if each_is_less { each } else { timeout.reason })
        }
        _ => Error::Io(error),
    }
}

impl Transport for DoorTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.until(&timeout)?;
        let output = &self.buffers.output()[..amount];
        self.wire
            .write_all(output)
            .map_err(|error| failed(error, &timeout, Timeout::PerWrite))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.until(&timeout)?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match self.wire.read(input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|error| failed(error, &timeout, Timeout::PerRead))?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Each connection is for one request: whoever counts sees when it ends.
    fn is_open(&mut self) -> bool {
        false
    }
}
