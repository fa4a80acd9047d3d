//! The way out of a job that may reach some hosts.
//!
//! A job has a loopback and nothing else. Where it may reach hosts, its loopback has one more port, and the socket that listens there is
//! held by whoever started the job: there is no route, no address translation and no interface between the networks, only this proxy,
//! which speaks HTTP to the job and reaches for it what its [`Policy`](policy::Policy) names.
//!
//! | module | is about |
//! |---|---|
//! | [`policy`] | which hosts, how many bytes |
//! | [`address`] | which addresses are the world's, and which are somebody's own |
//! | [`head`] | what a job asks for |
//! | [`tls`] | the name that a client asks a server for, in the open part of its first message |
//! | `exchange` | one connection of a job, from what it asks for to its last byte |
//! | [`direct`] | connections that this program itself makes for a job |
//! | `relay` | bytes between two sockets, counted |
//! | [`record`] | what was asked for, and what became of it |
//! | [`proxy`] | the whole: starts, and ends with the job |
//!
//! ```no_run
//! use gradus_egress::{policy::Policy, proxy::{Proxy, variables}};
//!
//! # fn listening_socket() -> std::os::fd::OwnedFd { std::net::TcpListener::bind("127.0.0.1:0").unwrap().into() }
//! let policy = Policy::new(["files.example.org", "*.example.net:443"])?;
//! let proxy = Proxy::start(listening_socket(), policy, std::io::stderr())?;
//! let environment = variables(3128); // of the job's program
//! // ... the job runs ...
//! let report = proxy.finish();
//! println!("{} bytes in", report.received);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod address;
pub mod direct;
mod exchange;
pub mod head;
pub mod policy;
pub mod proxy;
pub mod record;
mod relay;
pub mod tls;
