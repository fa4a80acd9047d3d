//! `gradus weights set`: from values to a proof that they are in effect.
//!
//! | module | is about |
//! |---|---|
//! | `source` | where the values come from, and whom each is for |
//! | `shown` | what would change on chain |
//! | `waiting` | for a block, and for nodes meanwhile |

mod shown;
mod source;
mod waiting;

use super::landing::LandError;
use super::landing::connected::{Connected, is_open};
use super::landing::following::follow;
use super::landing::teller::Teller;
use super::landing::{ALARM_PERCENT, NOT_THROUGH, keys};
use super::{WeightsError, print, print_json};
use crate::cli::weights::SetArgs;
use crate::exit::Exit;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output_file::{OutputFile, apart};
use gradus_chain::AccountId;
use gradus_chain::land::{Basis, OsRng, Prepared, Wanted, prepare};
use gradus_chain::node::{Refusal, report};
use gradus_chain::signer::Signer;
use gradus_chain::submission::{
    BeaconCipher, Driven, IntentId, IntentStatus, Ledger, LedgerError, Status, is_in_the_way,
};
use shown::Shown;
use source::Vector;
use std::path::{Path, PathBuf};
use waiting::{patiently, wait};

pub(super) fn run(arguments: &SetArgs) -> Result<Exit, WeightsError> {
    let interrupt = Interrupt::listen();
    WeightsError::if_asked_to(&interrupt, set(arguments, &interrupt))
}

fn set(arguments: &SetArgs, interrupt: &Interrupt) -> Result<Exit, WeightsError> {
    let audit = arguments.audit.as_deref().map(OutputFile::checked);
    let audit = audit.transpose()?;
    let inputs = [
        &arguments.results,
        &arguments.values,
        &arguments.subnet,
        &arguments.keyfile,
        &arguments.password_file,
    ];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    apart(&audit.iter().collect::<Vec<_>>(), &inputs)?;
    keys::check(arguments)?;
    // What is only shown needs no key, if the hotkey is named.
    let signer = match (&arguments.hotkey, arguments.yes || arguments.resume) {
        (Some(hotkey), false) => Box::new(keys::Nobody(keys::account(hotkey)?)),
        _ => keys::signer(arguments, interrupt)?,
    };
    let connected = match arguments.resume {
        true => Connected::again(&arguments.landing, interrupt)?,
        false => Connected::open(&arguments.landing, interrupt)?,
    };
    if arguments.resume {
        let mut ledger = connected.ledger()?;
        let open = open_intents(&ledger, signer.account());
        if open.is_empty() {
            return Err(nothing_open(&connected, &ledger, signer.account()).into());
        }
        return drive_all(
            arguments,
            &connected,
            &mut ledger,
            &open,
            &*signer,
            interrupt,
        );
    }
    let vector = source::read(arguments, &connected, signer.account())?;
    if let (Some(file), Some(record)) = (audit, &vector.audit) {
        file.write((record.to_json() + "\n").as_bytes())?;
    }
    let mut asked = ask_chain(arguments, &connected, &vector, signer.account())?;
    // While a block is waited for nobody else may plan here.
    let mut held: Option<Ledger> = None;
    loop {
        let (prepared, shown) = asked;
        if !arguments.yes {
            match arguments.json {
                true => print_json(&shown)?,
                false => print(&shown.text())?,
            }
            return Ok(Exit::Done);
        }
        let Err(refusals) = &prepared.verdict else {
            let mut ledger = match held {
                Some(ledger) => ledger,
                None => connected.ledger()?,
            };
            ledger.plan(&prepared.intent).map_err(LandError::from)?;
            let id = [prepared.intent.id];
            return drive_all(arguments, &connected, &mut ledger, &id, &*signer, interrupt);
        };
        let Some(until_block) = retry_at_block(refusals).filter(|_| arguments.wait) else {
            return Err(refused(refusals).into());
        };
        if let Some(open) = shown.open_intent {
            return Err(LandError::Ledger(LedgerError::Open { open }).into());
        }
        if held.is_none() {
            held = Some(connected.ledger()?);
        }
        let ask = || ask_chain(arguments, &connected, &vector, signer.account());
        let waited = wait(&connected, until_block, interrupt)?;
        let found = match waited {
            true => patiently(interrupt, ask)?,
            false => None,
        };
        let Some(found) = found else {
            return Ok(Exit::Program(INTERRUPTED));
        };
        asked = found;
    }
}

/// What the chain says to the values now, and what they would change.
fn ask_chain(
    arguments: &SetArgs,
    connected: &Connected,
    vector: &Vector,
    hotkey: AccountId,
) -> Result<(Prepared, Shown), LandError> {
    let (netuid, mechanism) = (connected.profile.netuid, connected.mechanism);
    let pinned = connected.pin()?;
    let facts = report::facts(&pinned, netuid, mechanism, hotkey)?;
    let metagraph = pinned.read("the metagraph", |node| node.metagraph(netuid))?;
    vector.check_nobody_moved(&metagraph.value)?;
    let wanted = Wanted {
        profile: connected.profile.network.to_string(),
        netuid,
        mechanism,
        hotkey,
        targets: vector.targets.clone(),
        version_key: arguments.version_key.unwrap_or(vector.version_key),
        origin: vector.origin,
    };
    let basis = Basis {
        facts: &facts,
        capabilities: pinned.first().capabilities(),
        genesis: connected.endpoints.genesis(),
        finalized_number: pinned.finalized.number,
        timestamp_ms: pinned.timestamp_ms,
        alarm_percent: ALARM_PERCENT,
    };
    let mut cipher = BeaconCipher::new(connected.beacon.clone(), OsRng);
    let prepared = prepare(&wanted, &basis, &mut cipher, &mut OsRng)?;
    let row = match facts.uid {
        Some(uid) => {
            let index = prepared.intent.storage_index();
            let row = pinned.read("the row of weights", |node| node.weights_row(index, uid))?;
            row.value
        }
        None => Vec::new(),
    };
    let looked = connected.look()?;
    let mut open = looked
        .iter()
        .filter(|state| is_in_the_way(state, &prepared.intent));
    let open = open.next().map(|state| state.intent().id.clone());
    let mut shown = Shown::new(&prepared, &facts, &metagraph.value, &row, &pinned.excluded);
    shown.open_intent = open;
    Ok((prepared, shown))
}

/// The block from which on all of them are over, if time is all that is missing.
fn retry_at_block(refusals: &[Refusal]) -> Option<u64> {
    let blocks: Option<Vec<u64>> = refusals.iter().map(Refusal::retry_at_block).collect();
    blocks?.into_iter().max()
}

fn refused(refusals: &[Refusal]) -> LandError {
    LandError::Refused {
        refusals: refusals.iter().map(ToString::to_string).collect(),
        retry_at_block: retry_at_block(refusals),
    }
}

/// Intents of a hotkey that are not through.
fn open_intents(ledger: &Ledger, hotkey: AccountId) -> Vec<IntentId> {
    let open = ledger
        .states()
        .filter(|state| state.intent().hotkey == hotkey && is_open(state));
    open.map(|state| state.intent().id.clone()).collect()
}

/// Why there is nothing to go on with: nothing at all, or only what is others'.
fn nothing_open(connected: &Connected, ledger: &Ledger, hotkey: AccountId) -> LandError {
    let open = ledger.states().filter(|state| is_open(state));
    let others: Vec<String> = open
        .map(|state| format!("{} of {}", state.intent().id, state.intent().hotkey))
        .collect();
    let state = connected.state.clone();
    match others.is_empty() {
        true => LandError::NothingOpen(state),
        false => LandError::OthersOpen {
            hotkey,
            state,
            others,
        },
    }
}

/// Drives intents to their ends, and prints what came of them.
fn drive_all(
    arguments: &SetArgs,
    connected: &Connected,
    ledger: &mut Ledger,
    ids: &[IntentId],
    signer: &dyn Signer,
    interrupt: &Interrupt,
) -> Result<Exit, WeightsError> {
    let followed: Vec<(&IntentId, &dyn Signer)> = ids.iter().map(|id| (id, signer)).collect();
    let followed = follow(connected, ledger, &followed, interrupt, Teller::new())?;
    let mut ended: Vec<IntentStatus> = Vec::new();
    let mut failed = None;
    let (mut wrong, mut open) = (false, false);
    for one in followed {
        match one.driven {
            Ok(Driven::Ended(verdict)) => wrong |= !verdict.is_verified(),
            Ok(Driven::Overdue { .. } | Driven::Stopped) => open = true,
            Err(error) => failed = failed.or(Some(error)),
        }
        ended.push(one.status);
    }
    if arguments.json {
        print_json(&Status {
            version: 1,
            profile: ledger.profile().to_owned(),
            intents: ended,
        })?;
    } else {
        for status in &ended {
            print(&format!(
                "{}  {}: {}\n",
                status.id, status.word, status.reason
            ))?;
        }
    }
    if let Some(error) = failed {
        return Err(LandError::Drive(error).into());
    }
    Ok(match (open, wrong) {
        (true, _) if interrupt.requested() => Exit::Program(INTERRUPTED),
        (true, _) => Exit::Program(NOT_THROUGH),
        (false, true) => Exit::Wrong,
        (false, false) => Exit::Done,
    })
}
