//! What the double knows of a subnet and its neurons, by the names that the answers' types have.

use crate::rules::epoch;
use crate::rules::subnet::{self, item, storage_index};
use crate::runtime::Key;
use crate::storage::Storage;
use scale_decode::DecodeAsType;
use scale_value::Value;

/// Storage items that an answer has as they are, by field: a number or a flag of the subnet.
const PLAIN: [(&str, &str); 34] = [
    ("tempo", "Tempo"),
    ("rho", "Rho"),
    ("kappa", "Kappa"),
    ("min_allowed_weights", "MinAllowedWeights"),
    ("weights_version", "WeightsVersionKey"),
    ("weights_rate_limit", "WeightsSetRateLimit"),
    ("max_validators", "MaxAllowedValidators"),
    ("num_uids", "SubnetworkN"),
    ("subnetwork_n", "SubnetworkN"),
    ("max_uids", "MaxAllowedUids"),
    ("max_allowed_uids", "MaxAllowedUids"),
    ("burn", "Burn"),
    ("difficulty", "Difficulty"),
    ("registration_allowed", "NetworkRegistrationAllowed"),
    ("pow_registration_allowed", "NetworkPowRegistrationAllowed"),
    ("immunity_period", "ImmunityPeriod"),
    ("min_difficulty", "MinDifficulty"),
    ("max_difficulty", "MaxDifficulty"),
    ("min_burn", "MinBurn"),
    ("max_burn", "MaxBurn"),
    ("adjustment_alpha", "AdjustmentAlpha"),
    ("adjustment_interval", "AdjustmentInterval"),
    ("target_regs_per_interval", "TargetRegistrationsPerInterval"),
    ("max_regs_per_block", "MaxRegistrationsPerBlock"),
    ("serving_rate_limit", "ServingRateLimit"),
    (
        "commit_reveal_weights_enabled",
        "CommitRevealWeightsEnabled",
    ),
    ("commit_reveal_period", "RevealPeriodEpochs"),
    ("liquid_alpha_enabled", "LiquidAlphaOn"),
    ("bonds_moving_avg", "BondsMovingAverage"),
    ("network_registered_at", "NetworkRegisteredAt"),
    ("last_step", "LastMechansimStepBlock"),
    ("transfers_enabled", "TransferToggle"),
    ("bonds_reset_enabled", "BondsResetOn"),
    ("activity_cutoff_factor", "ActivityCutoffFactorMilli"),
];

/// Fields that `get_subnet_hyperparams_v3` lists, with the variant that each is.
const LISTED: [(&str, &str); 15] = [
    ("kappa", "U16"),
    ("immunity_period", "U16"),
    ("min_allowed_weights", "U16"),
    ("max_weights_limit", "U16"),
    ("tempo", "U16"),
    ("weights_version", "U64"),
    ("weights_rate_limit", "U64"),
    ("activity_cutoff", "U64"),
    ("activity_cutoff_factor", "U32"),
    ("registration_allowed", "Bool"),
    ("max_validators", "U16"),
    ("commit_reveal_period", "U64"),
    ("commit_reveal_weights_enabled", "Bool"),
    ("bonds_moving_avg", "U64"),
    ("serving_rate_limit", "U64"),
];

/// A field of a metagraph, of hyperparameters, or of a subnet's state; `None` if the double does not know it.
pub(super) fn field(
    storage: &Storage,
    (netuid, mecid): (u16, u8),
    name: &str,
) -> Option<Value<()>> {
    let keys = [Key::U16(netuid)];
    if let Some((_, stored)) = PLAIN.iter().find(|(field, _)| *field == name) {
        return plain(storage, netuid, stored);
    }
    let index = [Key::U16(storage_index(netuid, mecid))];
    let hotkeys = || hotkeys(storage, netuid);
    let alphas = || {
        hotkeys()
            .into_iter()
            .map(|who| subnet::alpha(storage, netuid, who))
    };
    let stakes = || {
        hotkeys()
            .into_iter()
            .map(|who| subnet::stake(storage, netuid, who))
    };
    Some(match name {
        "netuid" => number(netuid),
        // A constant since before the oldest runtime here, whatever storage still has.
        "max_weights_limit" => number(u16::MAX),
        "block" => number(block_number(storage)),
        "owner_hotkey" => Value::from_bytes(get::<[u8; 32]>(storage, "SubnetOwnerHotkey", &keys)),
        "owner_coldkey" | "owner" => {
            Value::from_bytes(get::<[u8; 32]>(storage, "SubnetOwner", &keys))
        }
        "blocks_since_last_step" => {
            let last: u64 = get(storage, "LastMechansimStepBlock", &keys);
            number(block_number(storage).saturating_sub(last))
        }
        "activity_cutoff" => number(epoch::activity_cutoff(storage, netuid)),
        "hotkeys" => list(hotkeys().iter().map(Value::from_bytes)),
        "coldkeys" => {
            list(hotkeys().into_iter().map(|who| {
                Value::from_bytes(get::<[u8; 32]>(storage, "Owner", &[Key::Account(who)]))
            }))
        }
        "identities" => list(hotkeys().iter().map(|_| Value::unnamed_variant("None", []))),
        "axons" => list(hotkeys().iter().map(|_| axon())),
        "active" => list(
            get::<Vec<bool>>(storage, "Active", &keys)
                .into_iter()
                .map(Value::bool),
        ),
        "validator_permit" => {
            let permits: Vec<bool> = get(storage, "ValidatorPermit", &keys);
            list(permits.into_iter().map(Value::bool))
        }
        "last_update" => numbers(get::<Vec<u64>>(storage, "LastUpdate", &index)),
        "incentives" => numbers(get::<Vec<u16>>(storage, "Incentive", &index)),
        "dividends" => numbers(get::<Vec<u16>>(storage, "Dividends", &keys)),
        "consensus" => numbers(get::<Vec<u16>>(storage, "Consensus", &keys)),
        "trust" | "rank" => numbers(hotkeys().iter().map(|_| 0_u16)),
        "emission" => numbers(get::<Vec<u64>>(storage, "Emission", &keys)),
        "block_at_registration" => numbers((0..subnet::size(storage, netuid)).map(|uid| {
            get::<u64>(
                storage,
                "BlockAtRegistration",
                &[Key::U16(netuid), Key::U16(uid)],
            )
        })),
        "alpha_stake" => numbers(alphas()),
        "tao_stake" => numbers(
            hotkeys()
                .into_iter()
                .map(|who| subnet::alpha(storage, 0, who)),
        ),
        "total_stake" => numbers(stakes()),
        "tao_dividends_per_hotkey" | "alpha_dividends_per_hotkey" => list(
            hotkeys()
                .iter()
                .map(|who| Value::unnamed_composite([Value::from_bytes(who), Value::u128(0)])),
        ),
        "alpha_low" => number(get::<(u16, u16)>(storage, "AlphaValues", &keys).0),
        "alpha_high" => number(get::<(u16, u16)>(storage, "AlphaValues", &keys).1),
        "yuma_version" => number(2_u16),
        "subnet_is_active" => Value::bool(true),
        _ => return None,
    })
}

/// A field of `NeuronInfoLite`.
pub(super) fn of_neuron(storage: &Storage, netuid: u16, uid: u16, name: &str) -> Option<Value<()>> {
    let keys = [Key::U16(netuid)];
    let at = usize::from(uid);
    let slot = [Key::U16(netuid), Key::U16(uid)];
    let hotkey: [u8; 32] = get(storage, "Keys", &slot);
    let coldkey: [u8; 32] = get(storage, "Owner", &[Key::Account(hotkey)]);
    let of_16 = |item| number(*get::<Vec<u16>>(storage, item, &keys).get(at).unwrap_or(&0));
    let flag = |item| {
        Value::bool(
            *get::<Vec<bool>>(storage, item, &keys)
                .get(at)
                .unwrap_or(&false),
        )
    };
    Some(match name {
        "hotkey" => Value::from_bytes(hotkey),
        "coldkey" => Value::from_bytes(coldkey),
        "uid" => number(uid),
        "netuid" => number(netuid),
        // A constant since before the oldest runtime here, whatever storage still has.
        "max_weights_limit" => number(u16::MAX),
        "active" => flag("Active"),
        "validator_permit" => flag("ValidatorPermit"),
        "stake" => list([Value::unnamed_composite([
            Value::from_bytes(coldkey),
            number(subnet::alpha(storage, netuid, hotkey)),
        ])]),
        "incentive" => of_16("Incentive"),
        "consensus" => of_16("Consensus"),
        "validator_trust" => of_16("ValidatorTrust"),
        "dividends" => of_16("Dividends"),
        "last_update" => number(subnet::last_update(storage, netuid, uid)),
        "pruning_score" => number(u16::MAX),
        "weights" => {
            let weights: Vec<(u16, u16)> = get(storage, "Weights", &slot);
            let shown = weights.into_iter().filter(|(_, value)| *value > 0);
            list(shown.map(|(uid, value)| Value::unnamed_composite([number(uid), number(value)])))
        }
        _ => return None,
    })
}

/// Names and values that the newest form of the hyperparameters lists. Those that the double does not model are not in the list.
pub(super) fn hyperparameters(storage: &Storage, netuid: u16) -> Value<()> {
    list(LISTED.iter().filter_map(|(name, variant)| {
        let value = field(storage, (netuid, 0), name)?;
        Some(Value::named_composite([
            ("name", Value::from_bytes(name.as_bytes())),
            ("value", Value::unnamed_variant(*variant, [value])),
        ]))
    }))
}

fn plain(storage: &Storage, netuid: u16, stored: &'static str) -> Option<Value<()>> {
    if !storage.has(item(stored)) {
        return None;
    }
    let runtime = storage.runtime();
    let bytes = storage.raw(&runtime.key(item(stored), &[Key::U16(netuid)]));
    let bytes = bytes.as_deref().or(runtime.default_bytes(item(stored)))?;
    Some(runtime.decode_value(item(stored), bytes).remove_context())
}

fn get<V: DecodeAsType>(storage: &Storage, name: &'static str, keys: &[Key]) -> V {
    storage.get(item(name), keys)
}

fn block_number(storage: &Storage) -> u64 {
    let number: u32 = storage.get(("System", "Number"), &[]);
    u64::from(number)
}

fn hotkeys(storage: &Storage, netuid: u16) -> Vec<[u8; 32]> {
    let slot = |uid| [Key::U16(netuid), Key::U16(uid)];
    let uids = 0..subnet::size(storage, netuid);
    uids.map(|uid| get(storage, "Keys", &slot(uid))).collect()
}

fn axon() -> Value<()> {
    let names = [
        "block",
        "version",
        "ip",
        "port",
        "ip_type",
        "protocol",
        "placeholder1",
        "placeholder2",
    ];
    Value::named_composite(names.map(|name| (name, Value::u128(0))))
}

fn number(number: impl Into<u128>) -> Value<()> {
    Value::u128(number.into())
}

fn numbers<N: Into<u128>>(numbers: impl IntoIterator<Item = N>) -> Value<()> {
    list(numbers.into_iter().map(|n| Value::u128(n.into())))
}

fn list(values: impl IntoIterator<Item = Value<()>>) -> Value<()> {
    Value::unnamed_composite(values)
}
