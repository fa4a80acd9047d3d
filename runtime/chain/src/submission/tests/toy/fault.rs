//! What goes wrong, on the chain, at a node, in the subnet.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::submission::tests) enum Fault {
    /// Nothing.
    None,
    /// A node takes the first extrinsic and forgets it.
    Lost,
    /// The first is taken, the answer is lost.
    AnswerLost,
    /// The first is refused and lands all the same.
    RefusedAndTaken,
    /// The first is refused for the rate limit.
    RefusedPassing,
    /// Every one is refused for good.
    RefusedForGood,
    /// The first lands in the last blocks of its era.
    Late,
    /// The first is in a block that is retracted, and nobody has it any more.
    ForkLoss,
    /// The first is in a block that is retracted, and in a later one.
    ForkKeep,
    /// The first is in none of its era's blocks, until the last of them are replaced by others, not final, one of which has it.
    ForkIn,
    /// The best block is retracted while its chain is searched.
    ForkMeanwhile,
    /// The runtime changes before the first can land.
    Upgrade,
    /// Every second answer about heads is old.
    Lagging,
    /// Every third call fails.
    Flaky,
    /// The round never comes on chain.
    PulseMissing,
    /// The round comes late, within the epoch.
    PulseLate,
    /// Setting weights fails while the commit is opened.
    SilentDrop,
    /// The first lands and fails with an error that passes.
    FailsOnce,
    /// All land and fail.
    Fails,
    /// A uid is somebody else's before anything is signed.
    TargetGone,
    /// A uid becomes somebody else's between signing and landing.
    TargetSwapped,
    /// The subnet becomes smaller.
    Shrinks,
    /// The validator loses its uid.
    Deregistered,
    /// Another program with the same key uses the first nonce.
    NonceTaken,
    /// Somebody takes the commit away.
    CommitTaken,
    /// The hotkey set weights a moment ago.
    JustSet,
    /// The node keeps few blocks' state.
    Pruning,
    /// It keeps those of an epoch: what a restart needs may be kept, and most before it not.
    KeepsSome,
}

/// All of them.
pub(in crate::submission::tests) const FAULTS: [Fault; 28] = [
    Fault::None,
    Fault::Lost,
    Fault::AnswerLost,
    Fault::RefusedAndTaken,
    Fault::RefusedPassing,
    Fault::RefusedForGood,
    Fault::Late,
    Fault::ForkLoss,
    Fault::ForkKeep,
    Fault::ForkIn,
    Fault::ForkMeanwhile,
    Fault::Upgrade,
    Fault::Lagging,
    Fault::Flaky,
    Fault::PulseMissing,
    Fault::PulseLate,
    Fault::SilentDrop,
    Fault::FailsOnce,
    Fault::Fails,
    Fault::TargetGone,
    Fault::TargetSwapped,
    Fault::Shrinks,
    Fault::Deregistered,
    Fault::NonceTaken,
    Fault::CommitTaken,
    Fault::JustSet,
    Fault::Pruning,
    Fault::KeepsSome,
];
