//! What a question asks for, done.

use super::super::ask::{Answer, Ask, Found, Order, Signed};
use super::super::hexed::Bytes;
use super::super::intent::{Intent, Method};
use super::super::machine::Machine;
use super::super::record::Timelock;
use super::super::state::Step;
use super::call::{Call, open};
use super::{Chain, ChainError, Cipher, DriveError, DriveLimits};
use crate::timelock::reveal;

/// What went wrong, and whether trying again may help.
pub(super) enum Failure {
    Chain(ChainError),
    Drive(DriveError),
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        Self::Chain(error)
    }
}

pub(super) fn same_chain(
    machine: &Machine,
    chain: &mut impl Chain,
) -> Result<Option<Answer>, Failure> {
    let found = chain.genesis()?;
    let expected = machine.state().intent().genesis;
    if found != expected {
        return Err(Failure::Drive(DriveError::OtherChain { expected, found }));
    }
    Ok(None)
}

/// Does what is asked.
pub(super) fn perform(
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
            let found = place.map(|place| Found {
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
                payload: open(cipher, timelock, pulse),
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
