//! The loop that asks a node what a machine wants to know, and the node's interface.
//!
//! To put a real node behind it, implement [`Chain`]: a dozen reads that name the block they are of, signing, and submitting. What matters for
//! being right:
//!
//! | method | has to |
//! |---|---|
//! | [`Chain::heads`] | give a best block that descends from the finalized one, and of several nodes the *lower* finalized one that all have |
//! | reads at a block | read that block and no other; say [`ChainError::Pruned`] if its state is not kept |
//! | [`Chain::find`] | look into every block of the range, by hash of the extrinsic, walking from the tip by parents or by number below the finalized one |
//! | [`Chain::submit`] | hand the bytes over once, and not again after a lost connection |
//!
//! A read that fails may be tried again, and is. Nothing else is the implementation's to decide. All of it waits for its answer: one intent is
//! one thread's, or one of a few that take turns between [`Driven::Stopped`] and the next drive.

mod call;
mod chain;
mod error;
mod fresh;

pub use call::{BeaconCipher, Call, Cipher};
pub use chain::{Chain, ChainError, Clock};
pub use error::DriveError;

use super::ask::{Answer, Ask, Order, Signed};
use super::hexed::Bytes;
use super::intent::{Intent, Method};
use super::ledger::Journal;
use super::machine::{Machine, Next};
use super::record::Timelock;
use super::state::Step;
use super::verdict::Verdict;
use crate::timelock::reveal;
use fresh::Asked;

/// How long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveLimits {
    /// The chain's time of a block, milliseconds: the pause before newer heads are asked for.
    pub block_time_ms: u32,
    /// Errors of the node in a row, each followed by a pause that doubles up to a block's time.
    pub errors_max: u32,
    /// Questions for newer heads in a row, two for each block at most, that brought no newer finalized block.
    pub silent_pauses_max: u32,
    /// How many blocks of an era may be over when its extrinsic is signed, finality's lag among them; with more, heads are asked for again.
    pub birth_age_blocks_max: u64,
}

/// How a drive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driven {
    /// With the intent's verdict.
    Ended(Verdict),
    /// The clock said to stop; the journal has all that is needed to go on.
    Stopped,
}

/// Asks, acts and writes down until the intent has ended or the clock says to stop.
///
/// Whatever makes it return, or ends the process at any point of it, resuming the journal goes on where it was without submitting anything twice.
///
/// # Errors
/// [`DriveError`].
pub fn drive(
    machine: &mut Machine,
    journal: &mut impl Journal,
    chain: &mut impl Chain,
    cipher: &mut impl Cipher,
    clock: &mut impl Clock,
    limits: &DriveLimits,
) -> Result<Driven, DriveError> {
    let mut begun = false;
    let (mut errors, mut silent) = (0, 0);
    let mut heads = Asked::default();
    loop {
        if clock.stopped() {
            return Ok(Driven::Stopped);
        }
        let ask = match machine.next() {
            Next::Ended(verdict) => return Ok(Driven::Ended(verdict)),
            Next::Keep(record) => {
                journal
                    .append(&record)
                    .map_err(|source| DriveError::Ledger {
                        id: machine.state().intent().id.clone(),
                        source: Box::new(source),
                    })?;
                machine.keep(&record).map_err(DriveError::Disorder)?;
                continue;
            }
            Next::Ask(ask) => ask,
        };
        heads.begin(clock);
        let answer = match begun {
            true => perform(machine, chain, cipher, limits, &ask),
            false => same_chain(machine, chain),
        };
        match heads.unless_late(answer, machine, chain, clock, limits) {
            Ok(None) => begun = true,
            Ok(Some(answer)) => {
                errors = 0;
                let before = machine.finalized_number();
                let is_heads = matches!(answer, Answer::Heads(_));
                let used = machine.tell(answer).map_err(DriveError::Tell)?;
                if used && is_heads {
                    heads.taken();
                }
                // Nothing was learnt if the same question comes next.
                let stuck = !used || machine.next() == Next::Ask(ask.clone());
                if machine.finalized_number() > before {
                    silent = 0;
                } else if stuck || ask == Ask::NewerHeads {
                    silent += 1;
                }
                if silent > limits.silent_pauses_max {
                    let (number, pauses) = (before, silent);
                    return Err(DriveError::Silent { number, pauses });
                }
                if stuck {
                    clock.sleep_ms(u64::from(limits.block_time_ms));
                }
            }
            Err(Failure::Chain(source)) => {
                errors += 1;
                if errors >= limits.errors_max {
                    let count = errors;
                    return Err(DriveError::Chain { count, source });
                }
                let pause = 250_u64 << errors.min(10);
                let pause = pause.min(u64::from(limits.block_time_ms));
                clock.sleep_ms(pause);
                // The block that was asked about may be none of the chain any more: newer heads lead elsewhere.
                heads.begin(clock);
                if begun && let Ok(newer) = chain.heads() {
                    let newer = Answer::Heads(newer);
                    if machine.tell(newer).map_err(DriveError::Tell)? {
                        heads.taken();
                    }
                }
            }
            Err(Failure::Drive(error)) => return Err(error),
        }
    }
}

/// What went wrong, and whether trying again may help.
enum Failure {
    Chain(ChainError),
    Drive(DriveError),
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        Self::Chain(error)
    }
}

fn same_chain(machine: &Machine, chain: &mut impl Chain) -> Result<Option<Answer>, Failure> {
    let found = chain.genesis()?;
    let expected = machine.state().intent().genesis;
    if found != expected {
        return Err(Failure::Drive(DriveError::OtherChain { expected, found }));
    }
    Ok(None)
}

/// Does what is asked.
fn perform(
    machine: &Machine,
    chain: &mut impl Chain,
    cipher: &mut impl Cipher,
    limits: &DriveLimits,
    ask: &Ask,
) -> Result<Option<Answer>, Failure> {
    let intent = machine.state().intent();
    let (answer, at) = match ask {
        Ask::Heads | Ask::NewerHeads => (chain.heads().map(Answer::Heads), 0),
        Ask::Account { at } => {
            let account = chain.account(intent, *at);
            let account = account.map(|account| Answer::Account(Box::new(account)));
            (account, at.number)
        }
        Ask::Sign { order } => {
            let signed = sign(machine, chain, cipher, limits, *order)?;
            return Ok(Some(Answer::Signed(Box::new(signed))));
        }
        Ask::Submit { extrinsic, hash } => {
            // Whatever went wrong: it may be on its way, and is looked for.
            let word = chain.submit(&extrinsic.0).ok();
            return Ok(Some(Answer::Submitted { hash: *hash, word }));
        }
        Ask::Find {
            hash,
            from,
            to,
            tip,
        } => {
            let place = chain.find(*hash, *from, *to, *tip);
            let found = place.map(|place| super::Found {
                hash: *hash,
                from: *from,
                to: *to,
                tip: *tip,
                place,
            });
            (found.map(Answer::Found), tip.number)
        }
        Ask::Row { at } => {
            let row = chain.row(intent, *at);
            (row.map(|row| Answer::Row(Box::new(row))), at.number)
        }
        Ask::Commits { at } => {
            let commits = chain.commits(intent, *at);
            (commits.map(Answer::Commits), *at)
        }
        Ask::Reveals { at } => {
            let count = chain.reveals(intent, *at);
            let answer = count.map(|count| Answer::Reveals { at: *at, count });
            (answer, at.number)
        }
        Ask::Open { timelock, at } => {
            let pulse = chain.pulse(timelock.round, *at);
            let answer = pulse.map(|pulse| Answer::Opened {
                at: *at,
                payload: call::open(cipher, timelock, pulse),
            });
            (answer, at.number)
        }
    };
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ChainError::Pruned { .. }) if at > 0 => Ok(Some(Answer::Pruned { at })),
        Err(error) => Err(error.into()),
    }
}

/// Makes the call that an order asks for, and has it signed.
fn sign(
    machine: &Machine,
    chain: &mut impl Chain,
    cipher: &mut impl Cipher,
    limits: &DriveLimits,
    order: Order,
) -> Result<Signed, Failure> {
    let intent: &Intent = machine.state().intent();
    let mut timelock = None;
    let call = match (order.step, &intent.method) {
        (Step::Commit, Method::Timelocked { .. }) => {
            let best = machine.best_account();
            let best = best.expect("a signature is asked for after the best block's account");
            let opening = reveal(
                &best.epoch,
                best.reveal_period_epochs,
                limits.block_time_ms,
                best.time_ms,
                cipher.beacon(),
            )
            .map_err(|error| Failure::Drive(DriveError::Schedule(error)))?;
            let payload = intent.payload().encode().expect("pairs are of one length");
            let commit = cipher
                .lock(opening.round, &payload)
                .map_err(|why| Failure::Drive(DriveError::Make(ChainError::Sign { why })))?;
            let round = opening.round;
            let commit = Bytes(commit);
            timelock = Some(Timelock { round, commit });
            Call::of(intent, order.step, timelock.as_ref())
        }
        _ => Call::of(intent, order.step, None),
    };
    let extrinsic = chain.sign(intent, &call, &order);
    let extrinsic = match extrinsic {
        Err(error @ ChainError::Sign { .. }) => {
            return Err(Failure::Drive(DriveError::Make(error)));
        }
        other => Bytes(other?),
    };
    Ok(Signed {
        order,
        extrinsic,
        timelock,
    })
}
