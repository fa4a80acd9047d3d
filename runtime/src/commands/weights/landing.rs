//! What `set` and `status` share: nodes that agree, the state directory, and what is told on the way.
//!
//! | module | is about |
//! |---|---|
//! | `connected` | arguments to nodes and directories; a network is never mixed with another |
//! | `error` | why weights were not set |
//! | `following` | driving intents to their end |
//! | `keys` | who signs |
//! | `teller` | lines for people, JSON lines for programs |

pub(super) mod connected;
mod error;
pub(super) mod following;
pub(super) mod keys;
pub(super) mod teller;

pub use error::LandError;

use gradus_chain::submission::ActivityRules;

/// How an intent that is on disk and not through ends the command.
pub(super) const NOT_THROUGH: u8 = 3;

/// From how much of the activity cut-off on a warning is given before weights are set.
pub(super) const ALARM_PERCENT: u8 = 75;
/// How `status` words what is left of it. These are ours, no rule of the subnet's.
pub(super) const ACTIVITY: ActivityRules = ActivityRules {
    notice_percent: 50,
    warning_percent: ALARM_PERCENT,
    alarm_percent: 90,
};
