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
//! A read that fails may be tried again, and is. Nothing else is the implementation's to decide. All of it waits for its answer. [`drive`] follows
//! one intent; [`drive_each`] follows several in turns: while one waits for a block, the others go on.

mod call;
mod chain;
mod error;
mod fresh;
mod perform;
mod turns;

pub use call::{BeaconCipher, Call, Cipher};
pub use chain::{Chain, ChainError, Clock};
pub use error::DriveError;
pub use turns::drive_each;

use super::ask::{Answer, Ask};
use super::ledger::Journal;
use super::machine::{Machine, Next};
use super::verdict::Verdict;
use fresh::Asked;
use perform::{Failure, perform, same_chain};

/// How long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveLimits {
    /// The chain's time of a block, milliseconds: the pause before newer heads are asked for.
    pub block_time_ms: u32,
    /// Errors of the node in a row, each followed by a pause that doubles up to a block's time.
    pub errors_max: u32,
    /// Questions for newer heads in a row that brought no newer finalized block, a pause of a block's time after each.
    pub silent_pauses_max: u32,
    /// How many blocks of an era of [`ERA_PERIOD_BLOCKS`](super::ERA_PERIOD_BLOCKS) may be over when its extrinsic is signed, finality's lag among them;
    /// of a longer one as many more as it has. With more, heads are asked for again, and the signature is not used.
    pub birth_age_blocks_max: u64,
}

/// How a drive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driven {
    /// With the intent's verdict.
    Ended(Verdict),
    /// The commit waits far longer than the subnet's epochs explain. It is stored and may still be opened: resume it later, and look whether the
    /// subnet runs epochs at all.
    Overdue {
        /// Blocks since the commit.
        blocks: u64,
    },
    /// The clock said to stop; the journal has all that is needed to go on.
    Stopped,
}

/// What comes after a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another, after a pause.
    Pause {
        /// How long.
        milliseconds: u64,
    },
    /// None.
    Over(Driven),
}

/// An intent on its way: its machine, its journal, and how often nothing came of asking.
#[derive(Debug)]
pub struct Drive<'a, J> {
    machine: &'a mut Machine,
    journal: &'a mut J,
    limits: DriveLimits,
    begun: bool,
    errors: u32,
    silent: u32,
    asked: Asked,
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
    let mut drive = Drive::new(machine, journal, *limits);
    loop {
        match drive.turn(chain, cipher, clock)? {
            Turn::Over(driven) => return Ok(driven),
            Turn::Pause { milliseconds } => clock.sleep_ms(milliseconds),
        }
    }
}

impl<'a, J: Journal> Drive<'a, J> {
    /// A drive that has asked nothing yet.
    pub fn new(machine: &'a mut Machine, journal: &'a mut J, limits: DriveLimits) -> Self {
        Self {
            machine,
            journal,
            limits,
            begun: false,
            errors: 0,
            silent: 0,
            asked: Asked::default(),
        }
    }

    /// Where the intent is.
    pub fn machine(&self) -> &Machine {
        self.machine
    }

    /// Goes on until there is something to wait for.
    ///
    /// # Errors
    /// [`DriveError`]: the drive is over, the intent is not.
    pub fn turn(
        &mut self,
        chain: &mut impl Chain,
        cipher: &mut impl Cipher,
        clock: &impl Clock,
    ) -> Result<Turn, DriveError> {
        loop {
            if clock.stopped() {
                return Ok(Turn::Over(Driven::Stopped));
            }
            let block_time_ms = u64::from(self.limits.block_time_ms.max(1));
            let signing = chain.signing_ms().div_ceil(block_time_ms);
            self.machine.let_signatures_take(signing);
            let ask = match self.machine.next() {
                Next::Ended(verdict) => return Ok(Turn::Over(Driven::Ended(verdict))),
                Next::Overdue { blocks } => return Ok(Turn::Over(Driven::Overdue { blocks })),
                Next::Keep(record) => {
                    self.journal
                        .append(&record)
                        .map_err(|source| DriveError::Ledger {
                            id: self.machine.state().intent().id.clone(),
                            source: Box::new(source),
                        })?;
                    self.machine.keep(&record).map_err(DriveError::Disorder)?;
                    continue;
                }
                Next::Ask(ask) => ask,
            };
            self.asked.begin(clock);
            let answer = match self.begun {
                true => perform(self.machine, chain, cipher, &self.limits, &ask),
                false => same_chain(self.machine, chain),
            };
            let (machine, limits) = (&*self.machine, &self.limits);
            let answer = self
                .asked
                .unless_late(answer, machine, chain, clock, limits);
            match answer {
                Ok(None) => self.begun = true,
                Ok(Some(answer)) => {
                    if let Some(milliseconds) = self.learn(&ask, answer)? {
                        return Ok(Turn::Pause { milliseconds });
                    }
                }
                Err(Failure::Chain(source)) => {
                    let milliseconds = self.fail(chain, clock, source)?;
                    return Ok(Turn::Pause { milliseconds });
                }
                Err(Failure::Drive(error)) => return Err(error),
            }
        }
    }

    /// Takes an answer; how long to wait, milliseconds, if it brought nothing.
    fn learn(&mut self, ask: &Ask, answer: Answer) -> Result<Option<u64>, DriveError> {
        self.errors = 0;
        let before = self.machine.finalized_number();
        let used = self.tell(answer)?;
        // Nothing was learnt if the same question comes next.
        let stuck = !used || self.machine.next() == Next::Ask(ask.clone());
        if self.machine.finalized_number() > before {
            self.silent = 0;
        } else if stuck || *ask == Ask::NewerHeads {
            self.silent += 1;
        }
        if self.silent > self.limits.silent_pauses_max {
            let (number, pauses) = (before, self.silent);
            return Err(DriveError::Silent { number, pauses });
        }
        Ok(stuck.then(|| u64::from(self.limits.block_time_ms)))
    }

    /// Tells the machine; whether it used the answer.
    fn tell(&mut self, answer: Answer) -> Result<bool, DriveError> {
        let is_heads = matches!(answer, Answer::Heads(_));
        let used = self.machine.tell(answer).map_err(DriveError::Tell)?;
        if used && is_heads {
            self.asked.taken();
        }
        Ok(used)
    }

    /// Takes a failure of the chain; how long to wait, milliseconds.
    fn fail(
        &mut self,
        chain: &mut impl Chain,
        clock: &impl Clock,
        source: ChainError,
    ) -> Result<u64, DriveError> {
        self.errors += 1;
        if self.errors >= self.limits.errors_max {
            let count = self.errors;
            return Err(DriveError::Chain { count, source });
        }
        let pause = 250_u64 << self.errors.min(10);
        // The block that was asked about may be none of the chain any more: newer heads lead elsewhere.
        self.asked.begin(clock);
        if self.begun
            && let Ok(heads) = chain.heads()
        {
            self.tell(Answer::Heads(heads))?;
        }
        Ok(pause.min(u64::from(self.limits.block_time_ms)))
    }
}
