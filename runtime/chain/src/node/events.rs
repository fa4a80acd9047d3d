//! A block's events: what an extrinsic did, and why it failed.

use super::metadata::Runtime;
use super::value::{DecodeError, Reader, Value};
use crate::AccountId;
use crate::Hash;
use serde::Serialize;
use std::fmt;

/// When in a block something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// While the extrinsic of this position ran.
    ApplyExtrinsic(u32),
    /// After all extrinsics.
    Finalization,
    /// Before all extrinsics.
    Initialization,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When.
    pub phase: Phase,
    /// The pallet.
    pub pallet: String,
    /// Its name there.
    pub name: String,
    /// What it carries.
    pub value: Value,
}

/// How an extrinsic ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dispatch {
    /// It did what it says.
    Succeeded,
    /// It is in the block and did nothing.
    Failed(DispatchError),
}

/// Why an extrinsic did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchError {
    /// A pallet's error.
    Module {
        /// The pallet.
        pallet: String,
        /// The error's name.
        error: String,
        /// Both indexes as the chain has them.
        index: [u8; 2],
    },
    /// One of the chain's own.
    Other {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module {
                pallet,
                error,
                index: [_, number],
            } => write!(f, "{pallet}.{error} ({number})"),
            Self::Other { name } => f.write_str(name),
        }
    }
}

/// An event about somebody's weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsEvent {
    /// Weights were set.
    Set {
        /// The storage index of subnet and mechanism.
        storage_index: u16,
        /// Whose.
        uid: u16,
    },
    /// A hash was committed.
    Committed {
        /// Whose.
        hotkey: AccountId,
        /// The storage index of subnet and mechanism.
        storage_index: u16,
        /// The hash.
        commit_hash: Hash,
    },
    /// A hash was revealed.
    Revealed {
        /// Whose.
        hotkey: AccountId,
        /// The storage index of subnet and mechanism.
        storage_index: u16,
        /// The hash.
        commit_hash: Hash,
    },
    /// A timelocked commit was taken.
    TimelockedCommitted {
        /// Whose.
        hotkey: AccountId,
        /// The storage index of subnet and mechanism.
        storage_index: u16,
        /// BLAKE2b-256 of the ciphertext.
        commit_hash: Hash,
        /// The round that opens it.
        reveal_round: u64,
    },
    /// A timelocked commit was opened.
    TimelockedRevealed {
        /// Whose.
        hotkey: AccountId,
        /// The storage index of subnet and mechanism.
        storage_index: u16,
    },
}

impl Runtime {
    /// All events of a block, from the bytes of its `System.Events`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_events(&self, bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
        let event_ty = self.metadata().outer_enums().event_enum_ty();
        let mut reader = Reader::new(self.types(), bytes);
        let length = reader.length()?;
        let mut events = Vec::new();
        for _ in 0..length {
            let phase = match reader.plain::<u8>("phase")? {
                0 => Phase::ApplyExtrinsic(reader.plain("extrinsic's position")?),
                1 => Phase::Finalization,
                2 => Phase::Initialization,
                _ => return Err(reader.malformed("phase")),
            };
            let event = reader.value(event_ty)?;
            let _topics: Vec<[u8; 32]> = reader.plain("topics")?;
            let named = |event: Value| {
                let Value::Variant(pallet) = event else {
                    return None;
                };
                let Value::List(mut inner) = pallet.value else {
                    return None;
                };
                match inner.pop() {
                    Some(Value::Variant(event)) if inner.is_empty() => {
                        Some((pallet.variant, *event))
                    }
                    _ => None,
                }
            };
            let (pallet, event) = named(event).ok_or_else(|| reader.malformed("event"))?;
            events.push(Event {
                phase,
                pallet,
                name: event.variant,
                value: event.value,
            });
        }
        reader.finish()?;
        Ok(events)
    }

    /// How the extrinsic of a position ended; `None` if the block does not say.
    pub fn dispatch(&self, events: &[Event], position: u32) -> Option<Dispatch> {
        events
            .iter()
            .filter(|event| event.phase == Phase::ApplyExtrinsic(position))
            .filter(|event| event.pallet == "System")
            .find_map(|event| match event.name.as_str() {
                "ExtrinsicSuccess" => Some(Dispatch::Succeeded),
                "ExtrinsicFailed" => Some(Dispatch::Failed(self.dispatch_error(&event.value))),
                _ => None,
            })
    }

    fn dispatch_error(&self, value: &Value) -> DispatchError {
        let error = match value {
            Value::List(values) => values.first(),
            fields => fields.field("dispatch_error"),
        };
        let Some((name, inner)) = error.and_then(Value::variant) else {
            return DispatchError::Other {
                name: "an error that is none".into(),
            };
        };
        let module = || {
            let module = match inner {
                Value::List(values) => values.first()?,
                fields => fields,
            };
            let pallet = u8::try_from(module.field("index")?.unsigned()?).ok()?;
            let error = match module.field("error")? {
                Value::Bytes(bytes) => *bytes.first()?,
                number => u8::try_from(number.unsigned()?).ok()?,
            };
            let index = [pallet, error];
            let (pallet, error) = self
                .error_name(pallet, error)
                .unwrap_or_else(|| (format!("pallet {pallet}"), format!("error {error}")));
            Some(DispatchError::Module {
                pallet,
                error,
                index,
            })
        };
        let other = || match inner.variant() {
            Some((inner, _)) => format!("{name}.{inner}"),
            None => name.to_owned(),
        };
        module().unwrap_or_else(|| DispatchError::Other { name: other() })
    }
}

impl Event {
    /// What it says about weights, if it is one of those events.
    pub fn about_weights(&self) -> Option<WeightsEvent> {
        if self.pallet != super::PALLET {
            return None;
        }
        let values = self.value.list()?;
        let u16_at = |at: usize| u16::try_from(values.get(at)?.unsigned()?).ok();
        let u64_at = |at: usize| u64::try_from(values.get(at)?.unsigned()?).ok();
        let bytes_at = |at: usize| -> Option<[u8; 32]> { values.get(at)?.bytes()?.try_into().ok() };
        Some(match (self.name.as_str(), values.len()) {
            ("WeightsSet", 2) => WeightsEvent::Set {
                storage_index: u16_at(0)?,
                uid: u16_at(1)?,
            },
            ("WeightsCommitted", 3) => WeightsEvent::Committed {
                hotkey: AccountId(bytes_at(0)?),
                storage_index: u16_at(1)?,
                commit_hash: Hash(bytes_at(2)?),
            },
            ("WeightsRevealed", 3) => WeightsEvent::Revealed {
                hotkey: AccountId(bytes_at(0)?),
                storage_index: u16_at(1)?,
                commit_hash: Hash(bytes_at(2)?),
            },
            ("TimelockedWeightsCommitted", 4) => WeightsEvent::TimelockedCommitted {
                hotkey: AccountId(bytes_at(0)?),
                storage_index: u16_at(1)?,
                commit_hash: Hash(bytes_at(2)?),
                reveal_round: u64_at(3)?,
            },
            ("TimelockedWeightsRevealed", 2) => WeightsEvent::TimelockedRevealed {
                hotkey: AccountId(bytes_at(1)?),
                storage_index: u16_at(0)?,
            },
            _ => return None,
        })
    }
}
