//! What coldkeys paid in, and what entries cost them: events, each applied once, and the balances that follow.
//!
//! Amounts are whole rao. A balance is never negative: a fee that it does not cover is refused, and so is a refund of
//! more than was paid.

use crate::Owner;
use crate::weights::TournamentType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing that changes a balance. Its `id` is its own: what arrives twice counts once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LedgerEvent {
    /// A transfer on chain to the validator's account.
    TransferIn {
        /// The transfer's.
        id: String,
        /// From whom.
        coldkey: String,
        /// How much, rao.
        amount_rao: u64,
    },
    /// The fee of an entry.
    Fee {
        /// The entry's.
        id: String,
        /// Which tournament.
        tournament_id: String,
        /// Who pays.
        coldkey: String,
        /// How much, rao.
        amount_rao: u64,
    },
    /// A fee given back.
    Refund {
        /// The refund's.
        id: String,
        /// Which tournament.
        tournament_id: String,
        /// Who gets it.
        coldkey: String,
        /// How much, rao.
        amount_rao: u64,
    },
}

/// Whether an event changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It did.
    New,
    /// It was there already.
    Already,
}

/// Why an event cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Less than the fee.
    #[error("{coldkey} has {balance_rao} rao, the fee is {fee_rao}\nhelp: transfer the rest")]
    Insufficient {
        /// Whose balance.
        coldkey: String,
        /// What it is.
        balance_rao: u64,
        /// What is asked.
        fee_rao: u64,
    },
    /// More back than was paid.
    #[error("{coldkey} paid {paid_rao} rao for {tournament_id} and cannot get {amount_rao} back")]
    Refund {
        /// Who would get it.
        coldkey: String,
        /// Which tournament.
        tournament_id: String,
        /// Fees less refunds so far.
        paid_rao: u64,
        /// What would be given back.
        amount_rao: u64,
    },
    /// Another event of the same name.
    #[error("event {id} was another one before: events are never changed")]
    Conflict {
        /// Its id.
        id: String,
    },
    /// More than there is.
    #[error("the balance of {coldkey} would be more than 2^64 - 1 rao")]
    Overflow {
        /// Whose.
        coldkey: String,
    },
}

impl LedgerError {
    /// Whose fault: a balance too small is its owner's.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Insufficient { .. } => Owner::Submission,
            Self::Refund { .. } | Self::Conflict { .. } | Self::Overflow { .. } => Owner::Host,
        }
    }
}

impl LedgerEvent {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::TransferIn { id, .. } | Self::Fee { id, .. } | Self::Refund { id, .. } => id,
        }
    }
}

/// Balances, and the events that made them. Written, it is its events, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    events: Vec<LedgerEvent>,
    by_id: BTreeMap<String, usize>,
    balances: BTreeMap<String, u64>,
    /// Fees less refunds, and how many refunds, by tournament and coldkey.
    paid: BTreeMap<(String, String), (u64, u32)>,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// All events from the beginning.
    ///
    /// # Errors
    /// The first that cannot be.
    pub fn replay(events: impl IntoIterator<Item = LedgerEvent>) -> Result<Self, LedgerError> {
        let mut ledger = Self::new();
        for event in events {
            ledger.apply(event)?;
        }
        Ok(ledger)
    }

    /// The events, in order, each once.
    pub fn events(&self) -> &[LedgerEvent] {
        &self.events
    }

    /// What a coldkey has, rao.
    pub fn balance_rao(&self, coldkey: &str) -> u64 {
        self.balances.get(coldkey).copied().unwrap_or(0)
    }

    /// What a coldkey paid for a tournament and did not get back, rao.
    pub fn paid_rao(&self, tournament_id: &str, coldkey: &str) -> u64 {
        self.paid_and_refunds(tournament_id, coldkey).0
    }

    /// Whether a coldkey got anything back of what it paid for a tournament.
    pub fn gave_back(&self, tournament_id: &str, coldkey: &str) -> bool {
        self.paid_and_refunds(tournament_id, coldkey).1 > 0
    }

    /// Whether an event is here.
    pub fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Applies an event, once.
    ///
    /// # Errors
    /// Nothing changes then: `Insufficient`, `Refund`, `Conflict`, `Overflow`.
    pub fn apply(&mut self, event: LedgerEvent) -> Result<Applied, LedgerError> {
        if let Some(known) = self.by_id.get(event.id()) {
            return if self.events[*known] == event {
                Ok(Applied::Already)
            } else {
                Err(LedgerError::Conflict {
                    id: event.id().to_owned(),
                })
            };
        }
        match &event {
            LedgerEvent::TransferIn {
                coldkey,
                amount_rao,
                ..
            } => self.credit(coldkey, *amount_rao)?,
            LedgerEvent::Fee {
                tournament_id,
                coldkey,
                amount_rao,
                ..
            } => {
                let balance_rao = self.balance_rao(coldkey);
                let Some(rest) = balance_rao.checked_sub(*amount_rao) else {
                    return Err(LedgerError::Insufficient {
                        coldkey: coldkey.clone(),
                        balance_rao,
                        fee_rao: *amount_rao,
                    });
                };
                self.balances.insert(coldkey.clone(), rest);
                let key = (tournament_id.clone(), coldkey.clone());
                // What is paid was a balance before, and balances and fees together never exceed what came in.
                self.paid.entry(key).or_default().0 += amount_rao;
            }
            LedgerEvent::Refund {
                tournament_id,
                coldkey,
                amount_rao,
                ..
            } => {
                let paid_rao = self.paid_rao(tournament_id, coldkey);
                let Some(rest) = paid_rao.checked_sub(*amount_rao) else {
                    return Err(LedgerError::Refund {
                        coldkey: coldkey.clone(),
                        tournament_id: tournament_id.clone(),
                        paid_rao,
                        amount_rao: *amount_rao,
                    });
                };
                // Balance and what was paid are a u64 together: `credit` sees to it.
                let balance = self.balance_rao(coldkey) + amount_rao;
                self.balances.insert(coldkey.clone(), balance);
                let key = (tournament_id.clone(), coldkey.clone());
                let paid = self.paid.entry(key).or_default();
                *paid = (rest, paid.1 + 1);
            }
        }
        self.by_id.insert(event.id().to_owned(), self.events.len());
        self.events.push(event);
        Ok(Applied::New)
    }

    /// The fee of an entry as an event: the same one until it is given back. `payer` is what has one entry, the coldkey
    /// or the hotkey.
    pub fn fee(
        &self,
        tournament: (&str, TournamentType),
        coldkey: &str,
        payer: &str,
        amount_rao: u64,
    ) -> LedgerEvent {
        let (tournament_id, kind) = tournament;
        let refunds = self.paid_and_refunds(tournament_id, coldkey).1;
        LedgerEvent::Fee {
            id: format!("fee:{kind}:{tournament_id}:{payer}:{refunds}"),
            tournament_id: tournament_id.to_owned(),
            coldkey: coldkey.to_owned(),
            amount_rao,
        }
    }

    /// What gives everybody back what they paid for a tournament: fees less refunds so far. Applied twice, it gives once.
    pub fn refunds(&self, tournament_id: &str) -> Vec<LedgerEvent> {
        self.paid
            .iter()
            .filter(|((tournament, _), (paid, _))| tournament == tournament_id && *paid > 0)
            .map(|((_, coldkey), (paid, refunds))| LedgerEvent::Refund {
                id: format!("refund:{tournament_id}:{coldkey}:{refunds}"),
                tournament_id: tournament_id.to_owned(),
                coldkey: coldkey.clone(),
                amount_rao: *paid,
            })
            .collect()
    }

    fn paid_and_refunds(&self, tournament_id: &str, coldkey: &str) -> (u64, u32) {
        let key = (tournament_id.to_owned(), coldkey.to_owned());
        self.paid.get(&key).copied().unwrap_or_default()
    }

    fn credit(&mut self, coldkey: &str, amount_rao: u64) -> Result<(), LedgerError> {
        let balance = self.balance_rao(coldkey).checked_add(amount_rao);
        // Together with what it paid, so that a refund always fits.
        let paid: Option<u64> = self
            .paid
            .iter()
            .filter(|((_, payer), _)| payer == coldkey)
            .try_fold(balance.unwrap_or(0), |sum, (_, (paid, _))| {
                sum.checked_add(*paid)
            });
        match (balance, paid) {
            (Some(balance), Some(_)) => {
                self.balances.insert(coldkey.to_owned(), balance);
                Ok(())
            }
            _ => Err(LedgerError::Overflow {
                coldkey: coldkey.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
