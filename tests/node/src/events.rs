//! Events, as the chain deposits them into `System.Events`.

use crate::runtime::Runtime;
use parity_scale_codec::{Compact, Encode};
use scale_value::Value;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An extrinsic went through.
    ExtrinsicSuccess {
        /// Whether it was the inherent.
        mandatory: bool,
    },
    /// An extrinsic failed.
    ExtrinsicFailed {
        /// The pallet's error.
        error: &'static str,
    },
    /// What it cost: nothing.
    FeePaid {
        /// Who signed.
        who: [u8; 32],
    },
    /// The runtime was replaced.
    CodeUpdated,
    /// Weights are set.
    WeightsSet {
        /// The mechanism's storage index.
        index: u16,
        /// Whose.
        uid: u16,
    },
    /// A hash was committed.
    WeightsCommitted {
        /// Whose.
        who: [u8; 32],
        /// The mechanism's storage index.
        index: u16,
        /// The hash.
        hash: [u8; 32],
    },
    /// Weights of a hash commit were shown.
    WeightsRevealed {
        /// Whose.
        who: [u8; 32],
        /// The mechanism's storage index.
        index: u16,
        /// The hash.
        hash: [u8; 32],
    },
    /// A timelocked commit is stored.
    TimelockedWeightsCommitted {
        /// Whose.
        who: [u8; 32],
        /// The mechanism's storage index.
        index: u16,
        /// BLAKE2b-256 of the ciphertext.
        hash: [u8; 32],
        /// The beacon's round.
        round: u64,
    },
    /// A timelocked commit opened, and its weights are set.
    TimelockedWeightsRevealed {
        /// The mechanism's storage index.
        index: u16,
        /// Whose.
        who: [u8; 32],
    },
}

/// Which part of the block an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the extrinsics.
    Initialization,
    /// The extrinsic with this index.
    Extrinsic(u32),
}

impl Event {
    /// Pallet, name and fields.
    fn parts(&self, runtime: &Runtime) -> (&'static str, Value<()>) {
        let account = |who: &[u8; 32]| Value::from_bytes(who);
        let number = |number: u64| Value::u128(u128::from(number));
        let subtensor = |name: &str, fields: Vec<Value<()>>| {
            ("SubtensorModule", Value::unnamed_variant(name, fields))
        };
        match self {
            Self::ExtrinsicSuccess { mandatory } => {
                let info = dispatch_info(*mandatory);
                let fields = [("dispatch_info", info)];
                ("System", Value::named_variant("ExtrinsicSuccess", fields))
            }
            Self::ExtrinsicFailed { error } => {
                let (pallet, index) = runtime.error_index("SubtensorModule", error);
                let module = Value::named_composite([
                    ("index", number(u64::from(pallet))),
                    ("error", Value::from_bytes([index, 0, 0, 0])),
                ]);
                let fields = [
                    ("dispatch_error", Value::unnamed_variant("Module", [module])),
                    ("dispatch_info", dispatch_info(false)),
                ];
                ("System", Value::named_variant("ExtrinsicFailed", fields))
            }
            Self::FeePaid { who } => {
                let fields = [
                    ("who", account(who)),
                    ("actual_fee", number(0)),
                    ("tip", number(0)),
                ];
                let event = Value::named_variant("TransactionFeePaid", fields);
                ("TransactionPayment", event)
            }
            Self::CodeUpdated => ("System", Value::unnamed_variant("CodeUpdated", [])),
            Self::WeightsSet { index, uid } => subtensor(
                "WeightsSet",
                vec![number(u64::from(*index)), number(u64::from(*uid))],
            ),
            Self::WeightsCommitted { who, index, hash } => subtensor(
                "WeightsCommitted",
                vec![
                    account(who),
                    number(u64::from(*index)),
                    Value::from_bytes(hash),
                ],
            ),
            Self::WeightsRevealed { who, index, hash } => subtensor(
                "WeightsRevealed",
                vec![
                    account(who),
                    number(u64::from(*index)),
                    Value::from_bytes(hash),
                ],
            ),
            Self::TimelockedWeightsCommitted {
                who,
                index,
                hash,
                round,
            } => subtensor(
                "TimelockedWeightsCommitted",
                vec![
                    account(who),
                    number(u64::from(*index)),
                    Value::from_bytes(hash),
                    number(*round),
                ],
            ),
            Self::TimelockedWeightsRevealed { index, who } => subtensor(
                "TimelockedWeightsRevealed",
                vec![number(u64::from(*index)), account(who)],
            ),
        }
    }
}

/// Weight and class of a call; the weights of all calls here are one number, which nothing depends on.
fn dispatch_info(mandatory: bool) -> Value<()> {
    let variant = |name: &str| Value::unnamed_variant(name, []);
    Value::named_composite([
        (
            "weight",
            Value::named_composite([
                ("ref_time", Value::u128(321_973_000)),
                ("proof_size", Value::u128(5_691)),
            ]),
        ),
        (
            "class",
            variant(if mandatory { "Mandatory" } else { "Normal" }),
        ),
        ("pays_fee", variant(if mandatory { "Yes" } else { "No" })),
    ])
}

/// All events of a block as `System.Events` holds them.
pub fn encode(runtime: &Runtime, events: &[(Phase, Event)]) -> Vec<u8> {
    let event_type = runtime.metadata().outer_enums().event_enum_ty();
    let mut bytes = Compact(events.len() as u32).encode();
    for (phase, event) in events {
        match phase {
            Phase::Extrinsic(index) => (0_u8, index).encode_to(&mut bytes),
            Phase::Initialization => 2_u8.encode_to(&mut bytes),
        }
        let (pallet, value) = event.parts(runtime);
        let event = Value::unnamed_variant(pallet, [value]);
        bytes.extend(runtime.encode_value(&event, event_type));
        // No topics.
        bytes.push(0);
    }
    bytes
}
