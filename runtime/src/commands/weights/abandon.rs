//! `gradus weights abandon`: an intent that stands in the way of other weights, and of which nothing can land.

use super::landing::LandError;
use super::landing::connected::bound;
use super::{WeightsError, print, print_json};
use crate::cli::weights::AbandonArgs;
use crate::exit::Exit;
use gradus_chain::submission::{IntentStatus, Ledger, Status};

pub(super) fn run(arguments: &AbandonArgs) -> Result<Exit, WeightsError> {
    let (state, bound) = bound(&arguments.landing)?;
    let Some(bound) = bound else {
        return Err(LandError::NothingOpen(state).into());
    };
    let profile = bound.network.to_string();
    let mut ledger = Ledger::open(&state, &profile, bound.genesis).map_err(LandError::from)?;
    let ended = ledger.abandon(&arguments.intent).map_err(LandError::from)?;
    let status = IntentStatus::of(ended);
    match arguments.json {
        true => print_json(&Status {
            version: 1,
            profile,
            intents: vec![status],
        })?,
        false => print(&format!(
            "{}  {}: {}\n",
            status.id, status.word, status.reason
        ))?,
    }
    Ok(Exit::Done)
}
