//! One question to several nodes at once: how long it is waited, and what becomes of who is late.
//!
//! ```text
//!   all are asked ──► enough agree ──► grace ──► the others are given up ──► answer
//!         └──────────── too few agree ─────────► deadline ──► who agrees, and why the rest is left out
//! ```
//!
//! One deadline is for all of them together. Who is given up stops within some milliseconds, its connection is closed and it rests, so that
//! nothing of a question outlives it but the thread that makes a node's socket, of which a node has one.

use super::agree::{AgreeError, Excluded, Exclusion, GENESIS};
use super::seat::{Failure, Seat, Standing};
use super::sort::Said;
use super::{Agreed, Endpoints};
use crate::Hash;
use crate::node::client::{Node, ReadError};
use crate::node::rpc::Wait;
use std::fmt::Debug;
use std::sync::mpsc;
use std::time::Instant;

/// A question, before it is asked.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// Names it in errors.
    pub(super) what: &'static str,
    /// Its end.
    pub(super) deadline: Instant,
}

impl Endpoints {
    /// A question that is asked now.
    pub(super) fn now(&self, what: &'static str) -> Question {
        let deadline = Instant::now() + self.policy.question;
        Question { what, deadline }
    }

    /// How many have to agree.
    pub(super) fn required(&self) -> usize {
        self.policy.required.max(1)
    }

    /// Who is asked: who does not rest, if these are enough; else all. And why the others are not, or count for nothing.
    pub(super) fn asked(&self) -> (Vec<&Seat>, Vec<Excluded>) {
        self.asked_of(self.seats.iter().map(|seat| &**seat).collect())
    }

    /// As [`Endpoints::asked`], of some.
    pub(super) fn asked_of<'e>(&'e self, seats: Vec<&'e Seat>) -> (Vec<&'e Seat>, Vec<Excluded>) {
        let standings: Vec<Standing> = seats.iter().map(|seat| seat.standing()).collect();
        let all = || seats.iter().copied().zip(&standings);
        let awake = all().filter(|(_, standing)| **standing == Standing::Awake);
        let enough = self.count(awake.map(|(seat, _)| seat)) >= self.required();
        let is_asked = |standing: &Standing| match standing {
            Standing::Awake | Standing::OnTrial => true,
            Standing::Rests => !enough,
            Standing::Foreign => false,
        };
        let mut excluded = self.counted_with();
        let not = all().filter(|(_, standing)| !is_asked(standing));
        excluded.extend(not.filter_map(|(seat, _)| seat.excluded()));
        let asked = all().filter(|(_, standing)| is_asked(standing));
        (asked.map(|(seat, _)| seat).collect(), excluded)
    }

    /// When those are given up that have not answered, if enough have by now.
    pub(super) fn closing(&self, begin: Instant) -> Instant {
        let now = Instant::now();
        now + self.policy.grace.max((now - begin) / 2)
    }

    /// Refuses a node of another chain.
    fn belongs(&self, url: &str, genesis: Hash) -> Result<(), Exclusion> {
        self.profile
            .check_genesis(url, genesis)
            .map_err(Exclusion::OtherChain)?;
        match self.genesis {
            Some(expected) if expected != genesis => {
                Err(Exclusion::differs(GENESIS, &expected, &genesis))
            }
            _ => Ok(()),
        }
    }

    /// Asks seats at once, each in a thread of its own; answers in their order.
    ///
    /// * `enough`: whether these answers would do
    /// * `excluded`: gets who gave none, and why
    pub(super) fn question<'e, R: Send>(
        &'e self,
        question: Question,
        seats: &[&'e Seat],
        ask: impl Fn(&Node) -> Result<R, ReadError> + Sync,
        enough: impl Fn(&[Said<'e, R>]) -> bool,
        excluded: &mut Vec<Excluded>,
    ) -> Vec<Said<'e, R>> {
        let begin = Instant::now();
        let wait = Wait::until(question.deadline);
        let (wait, ask) = (&wait, &ask);
        let mut left = seats.to_vec();
        let mut said: Vec<Said<'e, R>> = Vec::new();
        let mut is_enough = false;
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for &seat in seats {
                let sender = sender.clone();
                scope.spawn(move || {
                    let belongs = |genesis| self.belongs(&seat.url, genesis);
                    let node = seat.connected(self.policy.limits, belongs, wait);
                    let answer =
                        node.and_then(|node| ask(&node.within(wait)).map_err(Failure::Read));
                    // Nobody may be waiting any more.
                    let _ = sender.send((seat, answer));
                });
            }
            drop(sender);
            let mut closing: Option<Instant> = None;
            while !left.is_empty() {
                let end = match closing {
                    Some(closing) if is_enough => closing.min(question.deadline),
                    _ => question.deadline,
                };
                let patience = end.saturating_duration_since(Instant::now());
                let Ok((seat, answer)) = receiver.recv_timeout(patience) else {
                    break;
                };
                match answer {
                    Ok(value) => {
                        seat.wake();
                        said.push(Said { seat, value });
                        is_enough = enough(&said);
                        if is_enough && closing.is_none() {
                            closing = Some(self.closing(begin));
                        }
                    }
                    // Its own words for the end of the question.
                    Err(_) if wait.is_over() => continue,
                    Err(failure) => excluded.push(self.failed(seat, failure)),
                }
                left.retain(|one| one.at != seat.at);
            }
            wait.give_up();
        });
        let waited_ms = begin.elapsed().as_millis() as u64;
        for seat in left {
            let why = Exclusion::Late {
                what: question.what,
                waited_ms,
                others_agreed: is_enough,
            };
            excluded.push(seat.lay_down(why, self.policy.rest));
        }
        said.sort_by_key(|one| one.seat.at);
        said
    }

    /// Lets a node rest whose connection failed; an answer, whatever it is, is no reason.
    fn failed(&self, seat: &Seat, failure: Failure) -> Excluded {
        let error = match failure {
            Failure::Foreign(why) => return seat.dismiss(why),
            Failure::Unreachable(error) => {
                return seat.lay_down(Exclusion::Unreadable(error), self.policy.rest);
            }
            Failure::Read(error) => error,
        };
        match &error {
            ReadError::Rpc(rpc) if rpc.is_transport() => {
                seat.lay_down(Exclusion::Unreadable(error), self.policy.rest)
            }
            _ => {
                seat.wake();
                Excluded::new(&seat.url, Exclusion::Unreadable(error))
            }
        }
    }

    /// The answer that the required number of seats gives.
    ///
    /// # Errors
    /// `TooFew`, which names who answered what.
    pub(super) fn agree<T: PartialEq + Clone + Debug + Send>(
        &self,
        question: Question,
        seats: &[&Seat],
        ask: impl Fn(&Node) -> Result<T, ReadError> + Sync,
        mut excluded: Vec<Excluded>,
    ) -> Result<Agreed<T>, AgreeError> {
        let (what, required) = (question.what, self.required());
        let enough = |said: &[Said<'_, T>]| self.sort_out(what, said).count >= required;
        let said = self.question(question, seats, ask, enough, &mut excluded);
        let sorted = self.sort_out(what, &said);
        excluded.extend(sorted.differ);
        match sorted.kept.first() {
            Some(first) if sorted.count >= required => Ok(Agreed {
                value: said[*first].value.clone(),
                by: sorted
                    .kept
                    .iter()
                    .map(|at| said[*at].seat.url.clone())
                    .collect(),
                excluded,
            }),
            _ => Err(self.too_few(what, sorted.count, excluded)),
        }
    }

    pub(super) fn too_few(
        &self,
        what: &'static str,
        found: usize,
        excluded: Vec<Excluded>,
    ) -> AgreeError {
        AgreeError::too_few(what, found, self.required(), excluded)
    }
}
