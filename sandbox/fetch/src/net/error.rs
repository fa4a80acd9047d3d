//! Why there is no answer.

use std::net::IpAddr;
use std::time::Duration;

use gradus_image::Owner;

/// Why a server gave no answer that can be used. URLs are shown without their query, which may hold a signature.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum NetError {
    #[error("{url:?} is no address of a server: {reason}")]
    Url { url: String, reason: &'static str },
    #[error(
        "{server} would be asked without encryption\nhelp: use https; a server without it has to be allowed by name"
    )]
    Plain { server: String },
    #[error(
        "{server} leads to {address}, which is not public\nhelp: if it is yours, it has to be trusted by name (--trust)"
    )]
    Private { server: String, address: IpAddr },
    #[error("{server} redirects more than {limit} times")]
    Redirects { server: String, limit: u32 },
    #[error("{server} redirects to {to:?}: {reason}")]
    Redirect {
        server: String,
        to: String,
        reason: &'static str,
    },
    #[error("{server} answers {status} for {what}")]
    Status {
        server: String,
        what: String,
        status: u16,
    },
    #[error(
        "{server} sent {bytes} bytes of {what} in {seconds} s: it has stalled\nhelp: try again, or use a mirror"
    )]
    Stalled {
        server: String,
        what: String,
        bytes: u64,
        seconds: u64,
    },
    #[error("time is over: {} s were given for all of it", .total.as_secs())]
    Total { total: Duration },
    #[error("{what} of {server} is longer than {limit} bytes")]
    TooLong {
        server: String,
        what: String,
        limit: u64,
    },
    #[error("{server} cannot be reached for {what}")]
    Network {
        server: String,
        what: String,
        #[source]
        source: Box<ureq::Error>,
    },
}

impl NetError {
    /// The submission's where it named a server that must not be asked, the host's otherwise: elsewhere, or later, there may be an answer.
    pub fn owner(&self) -> Owner {
        match self {
            NetError::Url { .. } | NetError::Plain { .. } | NetError::Private { .. } => {
                Owner::Submission
            }
            _ => Owner::Host,
        }
    }

    /// Whether another try may go better.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            NetError::Status { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            NetError::Network { source, .. } => !matches!(
                **source,
                ureq::Error::LargeResponseHeader(..)
                    | ureq::Error::Protocol(_)
                    | ureq::Error::Rustls(_)
                    | ureq::Error::Http(_)
            ),
            _ => false,
        }
    }
}
