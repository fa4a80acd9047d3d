//! `gradus weights status`: what came of intents, and how near the validator is to being inactive.

use super::landing::LandError;
use super::landing::connected::{Connected, bound, is_open};
use super::landing::following::follow;
use super::landing::teller::Teller;
use super::landing::{ACTIVITY, NOT_THROUGH, keys};
use super::{WeightsError, print, print_json};
use crate::cli::weights::{LandingArgs, StatusArgs};
use crate::exit::Exit;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::printable::printable;
use gradus_chain::AccountId;
use gradus_chain::node::Binding;
use gradus_chain::signer::Signer;
use gradus_chain::submission::{
    Activity, Driven, IntentId, Ledger, Stage, State, Status, activity,
};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<ShownActivity>,
}

#[derive(Serialize)]
struct ShownActivity {
    hotkey: String,
    block: u64,
    netuid: u16,
    registered: bool,
    /// The block of its newest weights, if it ever set any.
    last_update: Option<u64>,
    cutoff_blocks: u64,
    /// Of one that is registered.
    #[serde(flatten)]
    level: Option<Activity>,
}

pub(super) fn run(arguments: &StatusArgs) -> Result<Exit, WeightsError> {
    // Following writes down what it sees; what only looks may be ended anywhere.
    let interrupt = match arguments.follow {
        true => Interrupt::listen(),
        false => Interrupt::default(),
    };
    WeightsError::if_asked_to(&interrupt, status(arguments, &interrupt))
}

fn status(arguments: &StatusArgs, interrupt: &Interrupt) -> Result<Exit, WeightsError> {
    let hotkey = arguments.hotkey.as_deref().map(keys::account).transpose()?;
    let mut exit = Exit::Done;
    let (status, activity) = match (arguments.follow, hotkey) {
        (false, None) => (of_files(&arguments.landing)?, None),
        (follow, hotkey) => {
            let connected = match follow {
                true => Connected::again(&arguments.landing, interrupt)?,
                false => Connected::open(&arguments.landing, interrupt)?,
            };
            if follow {
                exit = follow_all(&connected, interrupt)?;
            }
            let activity = hotkey.map(|hotkey| near(&connected, hotkey)).transpose()?;
            if activity.as_ref().is_some_and(|near| !near.registered) && exit == Exit::Done {
                exit = Exit::Wrong;
            }
            (of_files(&arguments.landing)?, activity)
        }
    };
    let shown = Shown {
        version: 1,
        status,
        activity,
    };
    match arguments.json {
        true => print_json(&shown)?,
        false => print(&text(&shown))?,
    }
    Ok(exit)
}

/// By the state directory alone. One that is nobody's has no intents.
fn of_files(arguments: &LandingArgs) -> Result<Option<Status>, LandError> {
    let (state, bound) = bound(arguments)?;
    bound.map(|bound| status_of(&state, &bound)).transpose()
}

fn status_of(state: &Path, bound: &Binding) -> Result<Status, LandError> {
    let name = bound.network.to_string();
    // Without the lock: whoever sets weights may have it for hours, and that is when people look.
    let states = Ledger::look(state, &name, bound.genesis)?;
    Ok(Status::of(&name, &states))
}

/// Goes on with everything that may land, by looking; what needs a signature stays where it is.
fn follow_all(connected: &Connected, interrupt: &Interrupt) -> Result<Exit, LandError> {
    let mut ledger = connected.ledger()?;
    let idle = |state: &State| matches!(state.stage(), Stage::Idle { .. });
    // Nothing of it is on its way: it waits for a signature.
    let waits = ledger.states().any(idle);
    let open = ledger.states().filter_map(|state| {
        let open = is_open(state) && !idle(state);
        open.then(|| (state.intent().id.clone(), state.intent().hotkey))
    });
    let open: Vec<(IntentId, AccountId)> = open.collect();
    let signers: Vec<keys::Nobody> = open
        .iter()
        .map(|(_, hotkey)| keys::Nobody(*hotkey))
        .collect();
    let ids = open.iter().map(|(id, _)| id);
    let followed: Vec<(&IntentId, &dyn Signer)> = ids
        .zip(signers.iter().map(|nobody| nobody as &dyn Signer))
        .collect();
    let followed = follow(connected, &mut ledger, &followed, interrupt, Teller::new())?;
    let (mut wrong, mut open) = (false, waits);
    for one in followed {
        match one.driven {
            Ok(Driven::Ended(verdict)) => wrong |= !verdict.is_verified(),
            Ok(Driven::Stopped) => return Ok(Exit::Program(INTERRUPTED)),
            Ok(Driven::Overdue { .. }) => open = true,
            Err(error) => return Err(LandError::Drive(error)),
        }
    }
    Ok(match (open, wrong) {
        (true, _) => Exit::Program(NOT_THROUGH),
        (false, true) => Exit::Wrong,
        (false, false) => Exit::Done,
    })
}

fn near(connected: &Connected, hotkey: AccountId) -> Result<ShownActivity, LandError> {
    let (netuid, mechanism) = (connected.profile.netuid, connected.mechanism);
    let pinned = connected.pin()?;
    let facts = gradus_chain::node::report::facts(&pinned, netuid, mechanism, hotkey)?;
    let last_update = facts.last_update.unwrap_or_default();
    let registered = facts.uid.is_some();
    let cutoff_blocks = facts.parameters.activity_cutoff.blocks;
    let block = facts.block.number;
    Ok(ShownActivity {
        hotkey: hotkey.to_ss58(),
        block,
        netuid,
        registered,
        last_update: (last_update > 0).then_some(last_update),
        cutoff_blocks,
        level: registered.then(|| activity(&ACTIVITY, block, last_update, cutoff_blocks)),
    })
}

fn text(shown: &Shown) -> String {
    let mut text = String::new();
    match &shown.status {
        None => text += "nothing was set from here yet\n",
        Some(status) => {
            let _ = writeln!(
                text,
                "{:24}  {:10}  {:>8}  {:>9}  reason",
                "intent", "state", "attempts", "block"
            );
            for intent in &status.intents {
                let _ = writeln!(
                    text,
                    "{:24}  {:10}  {:>8}  {:>9}  {}{}",
                    intent.id.as_str(),
                    intent.word.to_string(),
                    intent.attempts,
                    intent.last_block,
                    if intent.fallback { "fallback: " } else { "" },
                    printable(&intent.reason)
                );
            }
        }
    }
    if let Some(activity) = &shown.activity {
        let (block, hotkey) = (activity.block, &activity.hotkey);
        let _ = match activity.level {
            None => writeln!(
                text,
                "{hotkey} at block {block}: not registered in subnet {}",
                activity.netuid
            ),
            Some(level) => writeln!(
                text,
                "{hotkey} at block {block}: {}, {}",
                match activity.last_update {
                    Some(last_update) => format!("weights of block {last_update}"),
                    None => "weights never set".to_owned(),
                },
                worded(level)
            ),
        };
    }
    text
}

fn worded(level: Activity) -> String {
    match level {
        Activity::Fine { blocks_left } => format!("{blocks_left} blocks from inactive"),
        Activity::Notice { blocks_left } => format!("notice: {blocks_left} blocks from inactive"),
        Activity::Warning { blocks_left } => format!("warning: {blocks_left} blocks from inactive"),
        Activity::Alarm { blocks_left } => format!("ALARM: {blocks_left} blocks from inactive"),
        Activity::Inactive { blocks } => format!("INACTIVE since {blocks} blocks"),
    }
}
