//! Several intents in one process.

use super::super::ledger::Journal;
use super::super::state::Stage;
use super::{Chain, Cipher, Clock, Drive, DriveError, Driven, Turn};

/// Drives several intents, each until it is over, in turns: one that waits for a block lets the others go on, one that fails does not end them.
///
/// An account's extrinsics go out one by one: while one of a hotkey may land, no other of it is made, since both would have the same nonce.
///
/// * `drives`, `chains`: one chain for each drive, which signs for its hotkey
///
/// Returns how each ended, in the same order.
pub fn drive_each<J: Journal, C: Chain>(
    drives: &mut [Drive<'_, J>],
    chains: &mut [C],
    cipher: &mut impl Cipher,
    clock: &mut impl Clock,
) -> Vec<Result<Driven, DriveError>> {
    assert_eq!(drives.len(), chains.len(), "a chain for each drive");
    let mut ends: Vec<Option<Result<Driven, DriveError>>> = drives.iter().map(|_| None).collect();
    loop {
        let mut pause = None;
        for at in 0..drives.len() {
            if ends[at].is_some() || waits_for_another(drives, &ends, at) {
                continue;
            }
            match drives[at].turn(&mut chains[at], cipher, clock) {
                Ok(Turn::Pause { milliseconds }) => {
                    pause = Some(pause.map_or(milliseconds, |least: u64| least.min(milliseconds)));
                }
                Ok(Turn::Over(driven)) => ends[at] = Some(Ok(driven)),
                Err(error) => ends[at] = Some(Err(error)),
            }
        }
        if ends.iter().all(Option::is_some) {
            return ends.into_iter().flatten().collect();
        }
        // Without a pause somebody's wait for another is over.
        if let Some(milliseconds) = pause {
            clock.sleep_ms(milliseconds);
        }
    }
}

/// Whether the drive would make an extrinsic while another of its hotkey may land.
fn waits_for_another<J: Journal>(
    drives: &[Drive<'_, J>],
    ends: &[Option<Result<Driven, DriveError>>],
    at: usize,
) -> bool {
    let state = |at: usize| drives[at].machine().state();
    let hotkey = |at: usize| state(at).intent().hotkey;
    matches!(state(at).stage(), Stage::Idle { .. })
        && (0..drives.len()).any(|other| {
            ends[other].is_none()
                && hotkey(other) == hotkey(at)
                && matches!(state(other).stage(), Stage::Alive { .. })
        })
}
