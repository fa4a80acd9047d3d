//! `gradus tournament apply`: more events, all of them or none.

use super::journal_file::Held;
use super::{TournamentError, is_file, print};
use crate::cli::tournament::ApplyArgs;
use crate::exit::Exit;
use crate::input_file;
use gradus_tasks::strict;
use gradus_tasks::tournament::{Event, Journal, What};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// How far ahead of this machine's clock an event may be: a day. Every event after it has to be later still.
const AHEAD_US: i64 = 86_400_000_000;

pub(super) fn run(arguments: &ApplyArgs) -> Result<Exit, TournamentError> {
    is_file(&arguments.file)?;
    let bytes = input_file::read("EVENTS", &arguments.events, Journal::BYTES_MAX)?;
    let held = Held::open(&arguments.file)?;
    // Behind the lock: who waited for it comes after whoever had it.
    let now = now_unix_us()?;
    let mut journal = held.read.journal.clone();
    let mut tournament = held.read.tournament.clone();
    let mut said = String::new();
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    for (text, line) in lines.filter(|(text, _)| !text.trim_ascii().is_empty()) {
        let event = match arguments.stamp {
            true => Event {
                sequence: tournament.state().next_sequence,
                tournament_id: journal.setup.tournament_id.clone(),
                // Another machine's clock may be ahead.
                at_unix_us: now.max(tournament.state().last_unix_us.unwrap_or(now)),
                what: read::<What>(text, line, true)?,
            },
            false => read::<Event>(text, line, false)?,
        };
        if !arguments.stamp && event.at_unix_us > now.saturating_add(AHEAD_US) {
            return Err(TournamentError::Future {
                line,
                at_unix_us: event.at_unix_us,
                now_unix_us: now,
            });
        }
        let effects = tournament
            .apply(&event)
            .map_err(|refusal| TournamentError::Refused { line, refusal })?;
        let effects =
            json!({"sequence": event.sequence, "event": event.what.name(), "effects": effects});
        said += &format!("{effects}\n");
        journal.events.push(event);
    }
    let adds = !arguments.dry_run && journal.events.len() > held.read.journal.events.len();
    if adds {
        held.replace(&journal, Journal::BYTES_MAX)?;
    }
    match print(&said) {
        Err(TournamentError::Print(source)) if adds => Err(TournamentError::Unsaid {
            path: arguments.file.clone(),
            what: "the events are",
            source,
        }),
        said => said.map(|()| Exit::Done),
    }
}

fn read<T: DeserializeOwned + Serialize>(
    text: &[u8],
    line: usize,
    stamp: bool,
) -> Result<T, TournamentError> {
    strict::json(text).map_err(|error| TournamentError::Event {
        line,
        stamp,
        message: error.to_string(),
    })
}

fn now_unix_us() -> Result<i64, TournamentError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|_| TournamentError::Clock)?;
    i64::try_from(since.as_micros()).map_err(|_| TournamentError::Clock)
}
