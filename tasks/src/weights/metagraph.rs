//! Hotkeys and their uids at one block, and what moved between two looks.

use crate::Owner;
use std::collections::HashMap;

/// A uid's hotkey changed, or the uid is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which uid.
    pub uid: u16,
    /// Whose it was.
    pub was: String,
    /// Whose it is; `None` if the subnet shrank.
    pub is: Option<String>,
}

/// The hotkeys of a subnet; a uid is an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metagraph {
    hotkeys: Vec<String>,
    uids: HashMap<String, u16>,
}

/// Why a list of hotkeys is no metagraph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetagraphError {
    /// No neuron.
    #[error("the metagraph is empty\nhelp: check the subnet's number and the endpoint")]
    Empty,
    /// More neurons than uids.
    #[error(
        "the metagraph has {found} neurons, at most {} can have a uid",
        u16::MAX
    )]
    TooLarge {
        /// How many.
        found: usize,
    },
    /// One hotkey at two uids, which no subnet has.
    #[error(
        "{hotkey} is at uids {first} and {second} of the metagraph\nhelp: read all of it at one block"
    )]
    Twice {
        /// Whose.
        hotkey: String,
        /// Its lower uid.
        first: u16,
        /// The other one.
        second: u16,
    },
    /// A uid without a hotkey.
    #[error("uid {uid} of the metagraph has no hotkey\nhelp: read all of it at one block")]
    NoHotkey {
        /// Which uid.
        uid: u16,
    },
}

impl MetagraphError {
    /// Whose fault: the node's answer, or who read it.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Metagraph {
    /// From hotkeys in the order of uids, without gaps.
    ///
    /// # Errors
    /// `Empty`, `TooLarge`, `Twice`, `NoHotkey`.
    pub fn new(hotkeys: Vec<String>) -> Result<Self, MetagraphError> {
        let found = hotkeys.len();
        if found == 0 {
            return Err(MetagraphError::Empty);
        }
        if found > usize::from(u16::MAX) {
            return Err(MetagraphError::TooLarge { found });
        }
        let mut uids = HashMap::with_capacity(found);
        for (uid, hotkey) in (0u16..).zip(&hotkeys) {
            if hotkey.is_empty() {
                return Err(MetagraphError::NoHotkey { uid });
            }
            if let Some(first) = uids.insert(hotkey.clone(), uid) {
                return Err(MetagraphError::Twice {
                    hotkey: hotkey.clone(),
                    first,
                    second: uid,
                });
            }
        }
        Ok(Self { hotkeys, uids })
    }

    /// A hotkey's uid; `None` if it is not registered.
    pub fn uid(&self, hotkey: &str) -> Option<u16> {
        self.uids.get(hotkey).copied()
    }

    /// Hotkeys in the order of uids.
    pub fn hotkeys(&self) -> &[String] {
        &self.hotkeys
    }

    /// Uids of `uids` that are someone else's in `now`: a weight computed here would pay the wrong one there.
    pub fn moved(&self, now: &Self, uids: impl IntoIterator<Item = u16>) -> Vec<Moved> {
        uids.into_iter()
            .filter_map(|uid| {
                let was = self.hotkeys.get(usize::from(uid))?;
                let is = now.hotkeys.get(usize::from(uid));
                (is != Some(was)).then(|| Moved {
                    uid,
                    was: was.clone(),
                    is: is.cloned(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metagraph(hotkeys: &[&str]) -> Result<Metagraph, MetagraphError> {
        Metagraph::new(hotkeys.iter().map(|h| (*h).to_owned()).collect())
    }

    #[test]
    fn lists_that_no_subnet_has_are_refused() {
        assert_eq!(metagraph(&[]), Err(MetagraphError::Empty));
        assert_eq!(
            metagraph(&["a", ""]),
            Err(MetagraphError::NoHotkey { uid: 1 })
        );
        let twice = metagraph(&["a", "b", "a"]).unwrap_err();
        assert!(
            matches!(
                twice,
                MetagraphError::Twice {
                    first: 0,
                    second: 2,
                    ..
                }
            ),
            "{twice}"
        );
        let many = Metagraph::new((0..65_536).map(|n| n.to_string()).collect());
        assert_eq!(many, Err(MetagraphError::TooLarge { found: 65_536 }));
    }

    #[test]
    fn a_uid_that_was_registered_anew_and_one_that_is_gone_are_named() {
        let then = metagraph(&["a", "b", "c", "d"]).unwrap();
        let now = metagraph(&["a", "x", "b"]).unwrap();
        let moved = then.moved(&now, [0, 1, 3]);
        let said: Vec<_> = moved
            .iter()
            .map(|m| (m.uid, &*m.was, m.is.as_deref()))
            .collect();
        assert_eq!(said, [(1, "b", Some("x")), (3, "d", None)]);
        // The hotkey itself is found at its new place.
        assert_eq!(now.uid("b"), Some(2));
        assert_eq!(then.moved(&then, 0..4), []);
    }
}
