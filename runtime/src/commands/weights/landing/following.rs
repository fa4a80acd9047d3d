//! Driving intents to their end.

use super::LandError;
use super::connected::Connected;
use super::teller::Teller;
use crate::interrupt::Interrupt;
use gradus_chain::land::{Landing, OsRng, Stopping, Watched, block_time_ms};
use gradus_chain::signer::Signer;
use gradus_chain::submission::{
    BeaconCipher, DriveLimits, Driven, ERA_PERIOD_BLOCKS, IntentId, IntentStatus, Ledger, Machine,
    Record, drive,
};

/// Errors of nodes in a row, each followed by a pause of up to a block's time.
const ERRORS_MAX: u32 = 50;
/// Pauses without a newer final block: about ten minutes.
const SILENT_PAUSES_MAX: u32 = 100;

/// Drives one intent until its verdict, or until somebody wants to stop; where it is then.
pub(in super::super) fn follow(
    connected: &Connected,
    ledger: &mut Ledger,
    id: &IntentId,
    signer: &dyn Signer,
    interrupt: &Interrupt,
    teller: Teller,
) -> Result<(Driven, IntentStatus), LandError> {
    let (records, journal) = ledger.resume(id)?;
    let mut machine = Machine::resume(&records)?;
    let mut journal = Watched::new(journal, |record: &Record| teller.record(id, record));
    let pinned = connected.pin()?;
    let block_time_ms = block_time_ms(pinned.first().capabilities())?;
    let limits = DriveLimits {
        block_time_ms,
        errors_max: ERRORS_MAX,
        silent_pauses_max: SILENT_PAUSES_MAX,
        birth_age_blocks_max: ERA_PERIOD_BLOCKS / 2,
    };
    let mut chain = Landing::new(&connected.endpoints, signer, |one| teller.left_out(one));
    let mut cipher = BeaconCipher::new(connected.beacon.clone(), OsRng);
    let mut clock = Stopping::new(|| interrupt.requested());
    let driven = drive(
        &mut machine,
        &mut journal,
        &mut chain,
        &mut cipher,
        &mut clock,
        &limits,
    )
    .map_err(LandError::Drive)?;
    Ok((driven, IntentStatus::of(machine.state())))
}
