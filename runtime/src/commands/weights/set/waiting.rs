//! Waiting for a block, and for nodes that are gone meanwhile.

use super::super::landing::LandError;
use super::super::landing::connected::Connected;
use super::super::landing::teller::Teller;
use crate::interrupt::Interrupt;
use std::time::{Duration, Instant};

/// How often the chain is asked while a block is waited for.
const PAUSE: Duration = Duration::from_secs(2);
/// How long nodes may be gone meanwhile: as long as an intent that is on its way outlasts it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until the next block is the one that is waited for; whether it came before somebody wants to stop.
pub(super) fn wait(
    connected: &Connected,
    until_block: u64,
    interrupt: &Interrupt,
) -> Result<bool, LandError> {
    let mut told = false;
    loop {
        let best = || Ok(connected.pin()?.block.number);
        let Some(best) = patiently(interrupt, best)? else {
            return Ok(false);
        };
        if best.saturating_add(1) >= until_block {
            return Ok(true);
        }
        if !told {
            Teller::new().waits(until_block, best);
            told = true;
        }
        if !pause(interrupt) {
            return Ok(false);
        }
    }
}

/// Asks nodes until they answer, for [`PATIENCE`] at most; nothing if somebody wants to stop before.
pub(super) fn patiently<T>(
    interrupt: &Interrupt,
    ask: impl Fn() -> Result<T, LandError>,
) -> Result<Option<T>, LandError> {
    let began = Instant::now();
    let mut told = false;
    loop {
        match ask() {
            Ok(found) => return Ok(Some(found)),
            Err(_) if interrupt.requested() => return Ok(None),
            Err(error) if error.is_of_nodes() && began.elapsed() < PATIENCE => {
                if !told {
                    Teller::new().waits_for_nodes(&error);
                    told = true;
                }
            }
            Err(error) => return Err(error),
        }
        if !pause(interrupt) {
            return Ok(None);
        }
    }
}

/// Waits a moment; whether nobody wants to stop.
fn pause(interrupt: &Interrupt) -> bool {
    let until = Instant::now() + PAUSE;
    while Instant::now() < until {
        if interrupt.requested() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}
