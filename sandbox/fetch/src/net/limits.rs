//! How long to wait and how often to try.

use std::time::Duration;

/// How long a server may take, and how often it is asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetLimits {
    /// until a name is resolved, and again until a connection stands
    pub connect: Duration,
    /// from a request until all headers of its answer are there
    pub answer: Duration,
    /// without any byte; also the time over which `rate_bytes` is looked at
    pub stall: Duration,
    /// bytes a second at least, or the server counts as stalled
    pub rate_bytes: u64,
    /// for a whole pull or fetch
    pub total: Duration,
    /// failures in a row without getting on
    pub retries: u32,
    /// before the first retry; doubles with each
    pub retry_wait: Duration,
}

impl Default for NetLimits {
    fn default() -> NetLimits {
        NetLimits {
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            rate_bytes: 1024,
            total: Duration::from_secs(3600),
            retries: 3,
            retry_wait: Duration::from_millis(500),
        }
    }
}
