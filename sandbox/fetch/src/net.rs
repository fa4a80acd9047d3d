//! HTTP as both registries and git need it: answers are read under limits of time and length, redirects never carry credentials to
//! another server, and nobody is sent to an address that only this machine can reach.
//!
//! | module | is about |
//! |---|---|
//! | [`address`] | which addresses may be reached |
//! | `answer` | a body that has to get on |
//! | [`authorities`] | who may vouch for a server |
//! | [`door`] | connections that somebody else makes |
//! | [`error`] | why there is no answer |
//! | `http` | requests and redirects |
//! | [`limits`] | how long to wait, how often to try |
//! | [`secret`] | what is sent and never shown |

pub mod address;
mod answer;
pub mod authorities;
pub mod door;
pub mod error;
mod http;
pub mod limits;
pub mod secret;

pub use address::Reach;
pub use authorities::Authorities;
pub use error::NetError;
pub use http::host_and_port;
pub use limits::NetLimits;
pub use secret::Secret;

pub(crate) use answer::{Answer, Pace};
pub(crate) use http::{Ask, Http, Plain, header, is_loopback, plain_text, server_of};
