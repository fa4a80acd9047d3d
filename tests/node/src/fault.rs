//! What can go wrong: at one endpoint, or on the chain.

use crate::config::Neuron;
use crate::runtime::Spec;
use std::time::Duration;

/// Which requests a fault of an endpoint is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// All.
    Any,
    /// `author_submitExtrinsic` and `author_submitAndWatchExtrinsic`.
    Submit,
    /// The method with this name.
    Named(&'static str),
    /// A `state_call` of this runtime API's method, as in `Metadata_metadata_at_version`.
    RuntimeCall(&'static str),
}

/// An error as the node answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// JSON-RPC's code; the pool's begin with 1010.
    pub code: i64,
    /// What the node says.
    pub message: String,
    /// More of it: where the pool says why.
    pub data: Option<String>,
}

impl RpcError {
    /// An error with data.
    pub fn new(code: i64, message: &str, data: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
            data: Some(data.to_owned()),
        }
    }

    /// The pool's refusal with a reason of the runtime: code 1010 and `Custom error: N`.
    pub fn custom(number: u8) -> Self {
        Self::new(
            1010,
            "Invalid Transaction",
            &format!("Custom error: {number}"),
        )
    }

    /// The pool's refusal of an extrinsic that it refused or included a while ago: code 1012.
    pub fn banned() -> Self {
        Self {
            code: 1012,
            message: "Transaction is temporarily banned".into(),
            data: None,
        }
    }
}

/// Answers that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// Text that is no JSON.
    InvalidJson,
    /// The answer to another request.
    WrongId,
    /// Hexadecimal in the answer is cut in half, so that SCALE ends early.
    ShortScale,
    /// Hexadecimal in the answer is other bytes.
    WrongScale,
    /// A string of this many bytes.
    Oversized(usize),
    /// A binary message.
    Binary,
}

/// What one endpoint does wrong. The chain behind it, and its other endpoints, know nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Closes the socket when asked, and does nothing.
    DropBefore(Method),
    /// Does what is asked, and closes the socket instead of answering.
    DropAfter(Method),
    /// Does nothing, and answers with an error.
    Refuse(Method, RpcError),
    /// Does what is asked, and answers with an error.
    FailAfter(Method, RpcError),
    /// Does nothing, and never answers.
    HangBefore(Method),
    /// Does what is asked, and never answers; subscriptions stay silent as well.
    HangAfter(Method),
    /// Does what is asked, and answers rightly, but so long after it was asked; requests of the same connection wait behind it.
    Slow(Method, Duration),
    /// Answers with something that is no answer.
    Garbage(Method, Garbage),
    /// Takes an extrinsic, and never includes it or tells another.
    Swallow,
    /// Takes an extrinsic, and includes it so many blocks later than it could.
    Delay(u32),
    /// Says that accounts' nonces are lower by this.
    StaleNonce(u32),
    /// Answers as of a head that is this many blocks old, and announces blocks that much later.
    Lag(u32),
    /// Says that a storage key holds something else, or nothing.
    Lie {
        /// The whole key.
        key: Vec<u8>,
        /// What it is said to hold.
        value: Option<Vec<u8>>,
    },
    /// Says that block 0 has this hash.
    Genesis([u8; 32]),
}

impl Fault {
    /// One of each kind that a submission can meet, for tests that try all: faults of `method` where a fault is about one.
    ///
    /// Whether an extrinsic may be in a block nevertheless is the second of each pair.
    pub fn of_submissions(method: &Method) -> Vec<(Self, bool)> {
        let m = || method.clone();
        let refused = || RpcError::custom(6);
        let lost = || RpcError::new(-32_603, "Internal error", "the double was told to fail");
        let mut faults = vec![
            (Self::DropBefore(m()), false),
            (Self::DropAfter(m()), true),
            (Self::Refuse(m(), refused()), false),
            (Self::Refuse(m(), RpcError::banned()), false),
            (Self::FailAfter(m(), refused()), true),
            (Self::FailAfter(m(), lost()), true),
            (Self::HangBefore(m()), false),
            (Self::HangAfter(m()), true),
            (Self::Swallow, false),
            (Self::Delay(3), true),
            (Self::StaleNonce(1), true),
            (Self::Lag(3), true),
        ];
        faults.extend(Garbage::KINDS.map(|garbage| (Self::Garbage(m(), garbage), true)));
        faults
    }
}

impl Garbage {
    /// One of each kind.
    pub const KINDS: [Self; 6] = [
        Self::InvalidJson,
        Self::WrongId,
        Self::ShortScale,
        Self::WrongScale,
        Self::Oversized(20 << 20),
        Self::Binary,
    ];
}

/// What happens to the whole chain, from the next block on.
#[derive(Clone, Debug)]
pub enum ChainFault {
    /// The last blocks, `depth` of them, give way to as many and one more. None of them may be final.
    Reorg {
        /// Blocks that are lost.
        depth: u32,
        /// What becomes of their extrinsics.
        retracted: Retracted,
    },
    /// Another runtime: the next block sets it and has no other extrinsics, and those after it run the new one.
    Upgrade(Spec),
    /// Another runtime: the next block runs the old one and has extrinsics, before one that sets the new one.
    UpgradeBehindExtrinsics(Spec),
    /// The beacon's pulses from this round on are not stored until [`ChainFault::StorePulses`].
    MissPulsesFrom(u64),
    /// Pulses are stored again, those that were missed too.
    StorePulses,
    /// Timelocked commits that are due while this is on are lost.
    DropReveals(bool),
    /// No block becomes final while this is on.
    StallFinality(bool),
    /// A uid changes hands.
    Replace {
        /// The subnet.
        netuid: u16,
        /// The uid.
        uid: u16,
        /// Whose it is then.
        neuron: Box<Neuron>,
    },
    /// A neuron more.
    Register {
        /// The subnet.
        netuid: u16,
        /// The neuron.
        neuron: Box<Neuron>,
    },
    /// Uids from `size` on are gone.
    Shrink {
        /// The subnet.
        netuid: u16,
        /// Uids left.
        size: u16,
    },
}

/// What becomes of extrinsics of blocks that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retracted {
    /// Back to the pool, for the block after the new ones.
    Pool,
    /// Forgotten.
    Lost,
}
