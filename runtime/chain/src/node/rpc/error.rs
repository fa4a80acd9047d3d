//! What is waited for, and why a node gave no answer.

use super::authorities::AuthoritiesError;
use gradus_owner::Owner;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long and how much is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcLimits {
    /// Until a connection stands, TLS and WebSocket included.
    pub connect: Duration,
    /// Until a call is answered.
    pub call: Duration,
    /// The longest answer, in bytes. Metadata have 800,000 as hexadecimal, a block a few millions.
    pub answer_bytes_max: usize,
    /// How often a read is tried on a new connection before the node counts as gone.
    pub attempts: u32,
    /// The wait before the second attempt; doubled for each further one.
    pub back_off: Duration,
    /// What ends every wait early.
    pub stop: Stop,
}

/// A flag that ends waiting once it is set, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stop(Option<&'static AtomicBool>);

impl Stop {
    /// By this flag.
    pub fn by(flag: &'static AtomicBool) -> Self {
        Self(Some(flag))
    }

    /// Whether to wait no longer.
    pub fn is_set(self) -> bool {
        self.0.is_some_and(|flag| flag.load(Ordering::SeqCst))
    }
}

/// Alike is what the same flag stops.
impl PartialEq for Stop {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for Stop {}

impl Default for RpcLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(30),
            answer_bytes_max: 40 << 20,
            attempts: 3,
            back_off: Duration::from_millis(250),
            stop: Stop::default(),
        }
    }
}

/// Why a node gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// Not an address.
    #[error(
        "{url:?} is no node's address: write wss://HOST[:PORT] or, for a node that is near, ws://HOST:PORT"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// No connection.
    #[error("{url} cannot be reached: check the address and the network")]
    Connect {
        /// The node.
        url: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody knows whose certificates may be shown.
    #[error("{url} is not asked: nobody can say whose certificate it may show")]
    Authorities {
        /// The node.
        url: String,
        /// What is wrong with the file of authorities.
        #[source]
        source: Arc<AuthoritiesError>,
    },
    /// A certificate that proves nothing.
    #[error("{url} does not show who it is, {why}: {help}")]
    Certificate {
        /// The node.
        url: String,
        /// What its certificate lacks.
        why: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// No WebSocket, or a broken one.
    #[error("{url} does not speak WebSocket, or broke off: {reason}")]
    WebSocket {
        /// The node.
        url: String,
        /// Why, in its own words.
        reason: String,
    },
    /// Too slow.
    #[error(
        "{url} did not answer {method} within {limit_ms} ms: use a nearer node, or give it longer, --timeout"
    )]
    TimeLimit {
        /// The node.
        url: String,
        /// What was asked.
        method: String,
        /// The limit, milliseconds.
        limit_ms: u128,
    },
    /// Nobody waits for it any more.
    #[error("{url} was not waited for, since this program was asked to stop")]
    Stopped {
        /// The node.
        url: String,
    },
    /// Too long.
    #[error(
        "{url} answered {method} with more than {limit} bytes: it is broken or hostile, use another node"
    )]
    TooLong {
        /// The node.
        url: String,
        /// What was asked.
        method: String,
        /// The limit, bytes.
        limit: usize,
    },
    /// Not JSON-RPC, or not what the method returns.
    #[error("{url} answered {method} with something else than {expected}: {shown}")]
    Malformed {
        /// The node.
        url: String,
        /// What was asked.
        method: String,
        /// What it returns.
        expected: &'static str,
        /// The beginning of what came.
        shown: String,
    },
    /// A refusal.
    #[error("{url} refuses {method}: {code} {message}{}", shown_data(.data))]
    Refused {
        /// The node.
        url: String,
        /// What was asked.
        method: String,
        /// JSON-RPC's code.
        code: i64,
        /// Its message.
        message: String,
        /// What it adds.
        data: Option<String>,
    },
}

fn shown_data(data: &Option<String>) -> String {
    data.as_ref()
        .map(|data| format!(" ({data})"))
        .unwrap_or_default()
}

impl RpcError {
    /// Whose fault: the host's, which names its nodes.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }

    /// Whether another connection may help: not after an answer, however it was.
    pub fn is_transport(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::WebSocket { .. } | Self::TimeLimit { .. }
        )
    }
}
