//! The chain that a submission is driven on: nodes that have to agree, and a signer.
//!
//! ```text
//!   weights ─► prepare: facts of one block, method, every rule ─► Intent ─► ledger ─► drive ─► verdict
//!                                                                             │        ▲
//!                                                     Landing: reads, signs, submits ──┘
//! ```
//!
//! | module | is about |
//! |---|---|
//! | `chain` | [`Landing`] as the [`Chain`](crate::submission::Chain) of a drive |
//! | `convert` | the client's words for the submission's, and back |
//! | `era` | how long an extrinsic may be valid |
//! | `look` | looking for an extrinsic through a node's blocks |
//! | `submit` | handing an extrinsic to every node |
//! | `prepare` | method and intent by what the subnet is at one block; rules that are broken, before anything is written down |
//! | `watch` | journals that tell of each record; clocks that stop |
//!
//! Every answer is one that enough nodes give of the same block. A node that lags, lies, hangs, is slow or prunes is left out of that answer, and
//! told of once for each reason. What is signed is the bytes that enough nodes' metadata give for the call. An extrinsic goes to every node, the same
//! bytes, once: one that swallows it does not decide.

mod chain;
mod convert;
mod era;
mod look;
mod prepare;
mod submit;
mod watch;

pub use prepare::{Basis, PrepareError, Prepared, Wanted, block_time_ms, calls_wanted, prepare};
pub use rand_core::OsRng;
pub use watch::{Stopping, Watched};

use crate::node::{Endpoints, Excluded};
use crate::signer::Signer;

/// Nodes that agree, and who signs.
pub struct Landing<'a> {
    endpoints: &'a Endpoints,
    signer: &'a dyn Signer,
    left_out: Vec<Excluded>,
    tell: Box<dyn FnMut(&Excluded) + 'a>,
}

impl<'a> Landing<'a> {
    /// A chain of `endpoints`; `tell` hears of each node that is left out, once for each reason.
    pub fn new(
        endpoints: &'a Endpoints,
        signer: &'a dyn Signer,
        tell: impl FnMut(&Excluded) + 'a,
    ) -> Self {
        let mut landing = Self {
            endpoints,
            signer,
            left_out: Vec::new(),
            tell: Box::new(tell),
        };
        landing.note(&endpoints.excluded());
        landing
    }

    fn note(&mut self, excluded: &[Excluded]) {
        for one in excluded {
            // Heights and hashes change with each block; a node and the kind of what it does is one line.
            let same = |known: &Excluded| {
                known.url == one.url
                    && std::mem::discriminant(&*known.why) == std::mem::discriminant(&*one.why)
            };
            if !self.left_out.iter().any(same) {
                (self.tell)(one);
                self.left_out.push(one.clone());
            }
        }
    }
}
