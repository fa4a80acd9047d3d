//! Bundles of the Open Container Initiative's runtime specification as jobs of the sandbox.
//!
//! A face for tools and public test suites that speak it, over the same launcher, watcher and jail as every job: a bundle's `config.json` is
//! translated into a job, and what the jail does not do is refused by the name of the property. Rights that a bundle asks for and no job has
//! are withheld, and listed; guarantees are never left out.
//!
//! | module | is about |
//! |---|---|
//! | [`config`] | `config.json`, read strictly in size and types |
//! | [`translate`] | a configuration as a job, or why not; pure but for looking at the bundle's own root |
//! | [`record`] | the directory of containers: their names, bundles and jobs |
//! | [`hooks`] | programs of the host that a bundle has run for it |

#![forbid(unsafe_code)]

pub mod config;
pub mod hooks;
pub mod record;
pub mod translate;

mod error;

pub use error::OciError;
pub use gradus_sandbox::bundle::Bundle;
