//! Weights under a timelock: encrypted now, opened by everybody once a beacon has published a round's signature.
//!
//! | module | is about |
//! |---|---|
//! | `beacon` | drand's rounds: when each comes, and whether a signature is its |
//! | `schedule` | the block at which the chain opens a commit, and the round that must be out by then |
//! | `payload` | what is encrypted: hotkey, uids, values, version key, as SCALE |
//! | `wire` | the ciphertext's bytes as the chain reads them, parsed by hand |
//! | `crypt` | encrypting for a round, decrypting with its signature |
//!
//! The chain says nothing when a commit does not open: it is dropped, without an event. So whoever commits decrypts their own commit with the
//! pulse in the chain's storage, and compares.

mod beacon;
mod crypt;
mod payload;
mod schedule;
mod wire;

pub use beacon::{Beacon, BeaconError, BeaconSignature};
pub use crypt::{LockError, UnlockError, lock, unlock};
pub use payload::{PayloadError, WeightsPayload};
pub use schedule::{EpochState, Reveal, ScheduleError, reveal};
pub use wire::{COMMIT_BYTES_MAX, COMMIT_VERSION, Ciphertext, WireError};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::golden_commit;
