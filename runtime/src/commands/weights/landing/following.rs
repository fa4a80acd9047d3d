//! Driving intents to their end.

use super::LandError;
use super::connected::Connected;
use super::teller::Teller;
use crate::interrupt::Interrupt;
use gradus_chain::land::{Landing, OsRng, Stopping, Watched, block_time_ms};
use gradus_chain::signer::Signer;
use gradus_chain::submission::{
    BeaconCipher, Drive, DriveError, DriveLimits, Driven, ERA_PERIOD_BLOCKS, IntentId,
    IntentStatus, Ledger, Machine, Record, drive_each,
};

/// Errors of nodes in a row, each followed by a pause of up to a block's time.
const ERRORS_MAX: u32 = 50;
/// Pauses of a block's time without a newer final block: 20 minutes.
const SILENT_PAUSES_MAX: u32 = 100;

/// What came of following an intent.
pub(in super::super) struct Followed {
    /// How the drive ended.
    pub(in super::super) driven: Result<Driven, DriveError>,
    /// Where the intent is then.
    pub(in super::super) status: IntentStatus,
}

/// Drives intents, each with who signs for it, until their verdicts, or until somebody wants to stop. They take turns: one that waits for its epoch
/// does not hold up another.
pub(in super::super) fn follow(
    connected: &Connected,
    ledger: &mut Ledger,
    intents: &[(&IntentId, &dyn Signer)],
    interrupt: &Interrupt,
    teller: Teller,
) -> Result<Vec<Followed>, LandError> {
    let mut machines = Vec::new();
    let mut journals = Vec::new();
    let mut chains = Vec::new();
    for (id, signer) in intents {
        let (records, journal) = ledger.resume(id)?;
        machines.push(Machine::resume(&records)?);
        let tell = move |record: &Record| teller.record(id, record);
        journals.push(Watched::new(journal, tell));
        let left_out = |one: &_| teller.left_out(one);
        chains.push(Landing::new(&connected.endpoints, *signer, left_out));
    }
    let pinned = connected.pin().map_err(LandError::Lost)?;
    let limits = DriveLimits {
        block_time_ms: block_time_ms(pinned.first().capabilities())?,
        errors_max: ERRORS_MAX,
        silent_pauses_max: SILENT_PAUSES_MAX,
        birth_age_blocks_max: ERA_PERIOD_BLOCKS / 2,
    };
    let drives = machines.iter_mut().zip(&mut journals);
    let mut drives: Vec<_> = drives
        .map(|(machine, journal)| Drive::new(machine, journal, limits))
        .collect();
    let mut cipher = BeaconCipher::new(connected.beacon.clone(), OsRng);
    let mut clock = Stopping::new(|| interrupt.requested());
    let driven = drive_each(&mut drives, &mut chains, &mut cipher, &mut clock);
    drop(drives);
    let mut followed = Vec::new();
    for ((driven, machine), (id, _)) in driven.into_iter().zip(&machines).zip(intents) {
        match &driven {
            Ok(Driven::Overdue { blocks }) => teller.overdue(id, *blocks),
            Err(error) => teller.failed(id, error),
            Ok(_) => {}
        }
        let status = IntentStatus::of(machine.state());
        followed.push(Followed { driven, status });
    }
    Ok(followed)
}
