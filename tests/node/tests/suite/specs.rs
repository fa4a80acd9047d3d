//! Everything that changes weights, under each recorded runtime, and the events that it leaves, decoded by that runtime's metadata.

use crate::commits::World;
use crate::signer::{call, list, number};
use gradus_node::{Key, Spec};
use parity_scale_codec::Encode;
use scale_value::{At, Composite, Value, ValueDef};

/// Names of a block's events, from the last one's storage, all of whose bytes are read.
fn events(world: &World) -> Vec<String> {
    let storage = world.chain.storage();
    let runtime = storage.runtime();
    let key = runtime.key(("System", "Events"), &[]);
    let bytes = storage.raw(&key).expect("events");
    let entry = runtime.metadata().pallet_by_name("System").expect("it is");
    let entry = entry.storage().and_then(|s| s.entry_by_name("Events"));
    let id = entry.expect("an item").value_ty();
    let mut rest = &bytes[..];
    let types = runtime.metadata().types();
    let records = scale_value::scale::decode_as_type(&mut rest, id, types).expect("they decode");
    assert_eq!(rest.len(), 0);
    let ValueDef::Composite(Composite::Unnamed(records)) = records.value else {
        panic!("a list");
    };
    records.iter().map(name).collect()
}

/// As in `SubtensorModule.WeightsSet`.
fn name(record: &Value<u32>) -> String {
    let variant = |value: &Value<u32>| match &value.value {
        ValueDef::Variant(variant) => (variant.name.clone(), variant.values.clone()),
        _ => panic!("a variant"),
    };
    let (pallet, inner) = variant(record.at("event").expect("an event"));
    let inner = inner.values().next().expect("a pallet's event").clone();
    format!("{pallet}.{}", variant(&inner).0)
}

const PAID: &str = "TransactionPayment.TransactionFeePaid";
const SUCCESS: &str = "System.ExtrinsicSuccess";

#[test]
fn a_timelocked_commit_opens_under_every_runtime() {
    for spec in [Spec::V365, Spec::V439, Spec::V461] {
        let mut world = World::of(spec, |_| {});
        let now: u64 = world.chain.storage().get(("Timestamp", "Now"), &[]);
        let round = world.chain.drand().newest_round(now + 60_000);
        let commit = world.locked(round, &world.payload(world.alice.account()));
        assert_eq!(world.dispatch(&world.commit(&commit, round, 4)), None);
        let committed = "SubtensorModule.TimelockedWeightsCommitted";
        assert_eq!(events(&world), [SUCCESS, committed, PAID, SUCCESS]);
        while world.weights().is_empty() && world.chain.best_number() < 60 {
            world.chain.produce_block();
        }
        assert_eq!(world.weights(), [(1, 16384), (2, 65535)], "{spec:?}");
        let (set, revealed) = (
            "SubtensorModule.WeightsSet",
            "SubtensorModule.TimelockedWeightsRevealed",
        );
        assert_eq!(events(&world), [set, revealed, SUCCESS]);
    }
}

#[test]
fn a_hash_commit_is_shown_under_every_runtime() {
    for spec in [Spec::V365, Spec::V439, Spec::V461] {
        let mut world = World::of(spec, |_| {});
        let (uids, values, salt) = ([1_u16], [9_u16], [4_u16]);
        let of = (
            world.alice.account(),
            56_u16,
            &uids[..],
            &values[..],
            &salt[..],
            7_u64,
        );
        let hash = sp_crypto_hashing::blake2_256(&of.encode());
        let fields = [
            ("netuid", number(56)),
            ("commit_hash", Value::from_bytes(hash)),
        ];
        let commit = call(&world.chain, "commit_weights", &fields);
        assert_eq!(world.dispatch(&commit), None);
        let committed = "SubtensorModule.WeightsCommitted";
        assert_eq!(events(&world), [SUCCESS, committed, PAID, SUCCESS]);
        let fields = [
            ("netuid", number(56)),
            ("uids", list(&uids)),
            ("values", list(&values)),
            ("salt", list(&salt)),
            ("version_key", number(7)),
        ];
        let reveal = call(&world.chain, "reveal_weights", &fields);
        world.chain.produce_to(24);
        assert_eq!(world.dispatch(&reveal), None, "{spec:?}");
        let (set, revealed) = (
            "SubtensorModule.WeightsSet",
            "SubtensorModule.WeightsRevealed",
        );
        assert_eq!(events(&world), [SUCCESS, set, revealed, PAID, SUCCESS]);
        assert_eq!(world.weights(), [(1, 65535)]);
    }
}

#[test]
fn a_failed_call_leaves_the_pallets_error_and_nothing_else() {
    for spec in [Spec::V365, Spec::V439, Spec::V461] {
        let mut world = World::of(spec, |_| {});
        let weights = crate::signer::set_weights(&world.chain, &[1], &[1]);
        let failed = world.dispatch(&weights);
        assert_eq!(failed.as_deref(), Some("CommitRevealEnabled"));
        assert_eq!(events(&world), [SUCCESS, PAID, "System.ExtrinsicFailed"]);
        assert_eq!(world.weights(), []);
        let account = [Key::Account(world.alice.account())];
        let key = world
            .chain
            .storage()
            .runtime()
            .key(("System", "Account"), &account);
        // The nonce is used up all the same.
        let stored = world.chain.storage().raw(&key).expect("an account");
        assert_eq!(stored[..4], [1, 0, 0, 0]);
    }
}
