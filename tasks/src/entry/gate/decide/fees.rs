//! What entries cost, and fees that did not get into the ledger.

use super::{Enrolled, GateError, GateInput, Note};
use crate::entry::ledger::{Ledger, LedgerError, LedgerEvent};
use std::collections::HashMap;

/// The fee of an entrant.
pub(super) fn fee(
    input: &GateInput<'_>,
    ledger: &Ledger,
    entrant: &Enrolled,
    fee_rao: u64,
) -> LedgerEvent {
    let payer = match input.rules.entry.one_per_coldkey() {
        true => &entrant.coldkey,
        false => &entrant.hotkey,
    };
    let tournament = (input.tournament_id, input.tournament);
    ledger.fee(tournament, &entrant.coldkey, payer, fee_rao)
}

/// Those who are enrolled and for whom nothing was taken: their fees did not get into the ledger. Who got a fee back has
/// paid one.
fn unpaid<'a>(input: &'a GateInput<'_>, fee_rao: u64) -> impl Iterator<Item = &'a Enrolled> {
    let ledger = input.ledger;
    let mut entries: HashMap<&str, u64> = HashMap::new();
    for entrant in input.enrolled {
        *entries.entry(&entrant.coldkey).or_default() += 1;
    }
    input.enrolled.iter().filter(move |entrant| {
        let coldkey = entrant.coldkey.as_str();
        let all = fee_rao.saturating_mul(entries[coldkey]);
        let paid = ledger.paid_rao(input.tournament_id, coldkey) >= all
            || ledger.has(fee(input, ledger, entrant, fee_rao).id())
            || ledger.gave_back(input.tournament_id, coldkey);
        !paid
    })
}

/// Takes the fees of those who are enrolled without one, and says so; who cannot pay stays in, which is said too.
pub(super) fn late(
    input: &GateInput<'_>,
    ledger: &mut Ledger,
    fees: &mut Vec<LedgerEvent>,
    fee_rao: u64,
) -> Result<Vec<Note>, GateError> {
    let mut notes = Vec::new();
    for entrant in unpaid(input, fee_rao) {
        let fee = fee(input, ledger, entrant, fee_rao);
        let hotkey = entrant.hotkey.clone();
        match ledger.apply(fee.clone()) {
            Ok(_) => {
                fees.push(fee);
                notes.push(Note::FeeMissing { hotkey });
            }
            Err(error @ LedgerError::Insufficient { .. }) => {
                notes.push(Note::Unpaid { hotkey, error });
            }
            Err(error) => return Err(GateError::Ledger(error)),
        }
    }
    Ok(notes)
}
