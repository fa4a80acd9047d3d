//! What an intent has to be before anything is done with it.

use super::{Intent, IntentError, MECHANISM_STRIDE, Method};
use std::collections::BTreeSet;

/// The most uids: of any subnet.
const TARGETS_MAX: usize = 4_096;
/// The most numbers of a salt.
const SALT_NUMBERS_MAX: usize = 64;
/// The fewest: 128 bits that nobody guesses.
const SALT_NUMBERS_MIN: usize = 8;
/// The most attempts that limits may allow.
const ATTEMPTS_MAX: u32 = 100;
/// The most characters of a profile's name.
const PROFILE_CHARACTERS_MAX: usize = 64;

impl Intent {
    /// Checks what the chain would refuse whatever its state, and what this crate bounds.
    ///
    /// # Errors
    /// [`IntentError::Asked`] for what was handed in, [`IntentError::Field`] for what was made of it.
    pub fn check(&self) -> Result<(), IntentError> {
        let field = |field, found: String, expected, holds: bool| match holds {
            true => Ok(()),
            false => Err(IntentError::Field {
                id: self.id.clone(),
                field,
                found,
                expected,
            }),
        };
        let asked = |what, found: String, expected, holds: bool| match holds {
            true => Ok(()),
            false => Err(IntentError::Asked {
                what,
                found,
                expected,
            }),
        };
        let name = self.profile.chars().count();
        let named = (1..=PROFILE_CHARACTERS_MAX).contains(&name)
            && !self.profile.chars().any(char::is_control);
        field(
            "profile",
            format!("{name} characters"),
            "1 to 64 printable characters",
            named,
        )?;
        let count = self.targets.len();
        let counted = (1..=TARGETS_MAX).contains(&count);
        asked("weights", count.to_string(), "1 to 4096", counted)?;
        let distinct: BTreeSet<u16> = self.targets.iter().map(|target| target.uid).collect();
        let twice = format!("{} distinct uids", distinct.len());
        asked("weights", twice, "each uid once", distinct.len() == count)?;
        let weighty = self.targets.iter().any(|target| target.value > 0);
        asked("weights", "all 0".into(), "one above 0", weighty)?;
        let netuid = self.netuid;
        let real = (1..MECHANISM_STRIDE).contains(&netuid);
        asked("netuid", netuid.to_string(), "1 to 4095", real)?;
        let mechanism = self.mechanism;
        asked(
            "mechanism",
            mechanism.to_string(),
            "0 to 15",
            mechanism < 16,
        )?;
        let attempts = self.limits.attempts_max;
        let some = (1..=ATTEMPTS_MAX).contains(&attempts);
        field("attempts_max", attempts.to_string(), "1 to 100", some)?;
        let end = self.limits.give_up_at_block;
        let later = end > self.created_at_block;
        field("give_up_at_block", end.to_string(), "a later block", later)?;
        if let Method::HashCommit { salt } = &self.method {
            let count = salt.len();
            let salted = (SALT_NUMBERS_MIN..=SALT_NUMBERS_MAX).contains(&count);
            field("salt", format!("{count} numbers"), "8 to 64", salted)?;
        }
        Ok(())
    }
}
