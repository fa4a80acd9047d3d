use super::*;
use crate::Hash;
use crate::node::call::CALL_SHAPES;
use crate::node::{
    CapabilityError, Era, ExtrinsicContext, MetadataError, Unsigned, WeightsCall, items,
};
use crate::signer::SignRequest;
use crate::{AccountId, hex};

fn set(mechanism: Option<u8>) -> WeightsCall {
    WeightsCall::Set {
        netuid: 56,
        mechanism,
        uids: vec![0, 7],
        values: vec![65_535, 1],
        version_key: 61_000,
    }
}

#[test]
fn every_call_and_item_is_there_in_three_specs_but_what_the_oldest_lacks() {
    for (spec_version, _) in METADATA {
        let capabilities = capabilities(spec_version);
        let missing: Vec<&str> = capabilities
            .missing()
            .iter()
            .map(|missing| missing.name.as_str())
            .collect();
        let expected: &[&str] = match spec_version {
            365 => &[
                "SubtensorModule.LastEpochBlock",
                "SubtensorModule.PendingEpochAt",
                "SubtensorModule.SubnetEpochIndex",
                "SubtensorModule.ActivityCutoffFactorMilli",
            ],
            _ => &[],
        };
        assert_eq!(missing, expected, "{spec_version}");
    }
    let oldest = capabilities(365);
    let error = oldest.storage_key(items::LAST_EPOCH_BLOCK, &[&[56, 0]]);
    assert!(matches!(error, Err(CapabilityError::ItemMissing { .. })));
}

#[test]
fn a_call_has_the_same_bytes_in_three_specs() {
    let calls = [
        set(None),
        set(Some(1)),
        WeightsCall::Commit {
            netuid: 56,
            mechanism: None,
            commit_hash: Hash([7; 32]),
        },
        WeightsCall::Commit {
            netuid: 56,
            mechanism: Some(1),
            commit_hash: Hash([7; 32]),
        },
        WeightsCall::Reveal {
            netuid: 56,
            mechanism: None,
            uids: vec![1],
            values: vec![2],
            salt: vec![3, 4],
            version_key: 5,
        },
        WeightsCall::Reveal {
            netuid: 56,
            mechanism: Some(1),
            uids: vec![1],
            values: vec![2],
            salt: vec![3, 4],
            version_key: 5,
        },
        WeightsCall::CommitTimelocked {
            netuid: 56,
            mechanism: None,
            commit: vec![9; 295],
            reveal_round: 1_000,
            commit_reveal_version: 4,
        },
        WeightsCall::CommitTimelocked {
            netuid: 56,
            mechanism: Some(0),
            commit: vec![9; 295],
            reveal_round: 1_000,
            commit_reveal_version: 4,
        },
    ];
    assert_eq!(calls.len(), CALL_SHAPES.len());
    // The same by another client, call and message of each.
    let recorded: Vec<Vec<&str>> = include_str!("../../../tests/golden/own-calls.txt")
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(recorded.len(), 2 * 3 * CALL_SHAPES.len());
    let context = ExtrinsicContext {
        nonce: 7,
        era: Era::Immortal,
        birth_hash: Hash([1; 32]),
        genesis: Hash([1; 32]),
        tip: 0,
    };
    let of = |spec| capabilities(spec);
    let specs = [of(365), of(439), of(461)];
    for (call, (name, _)) in calls.iter().zip(CALL_SHAPES) {
        assert_eq!(call.name(), name);
        let bytes = specs[0].call_data(call).expect("a known shape");
        for capabilities in &specs {
            assert_eq!(capabilities.call_data(call).as_ref(), Ok(&bytes), "{name}");
            // What the metadata make of the bytes: all of them, as this call.
            let runtime = capabilities.runtime();
            let spec = runtime.version().spec_version.to_string();
            let of_other = |words: &[&str]| {
                let mut lines = recorded.iter();
                let line = lines.find(|line| line[..line.len() - 1] == *words);
                line.and_then(|line| line.last().copied())
                    .expect("recorded")
            };
            assert_eq!(hex::encode(&bytes), of_other(&[&spec, name]));
            let unsigned = Unsigned::new(capabilities, call, &context).expect("known");
            let request = SignRequest::new(AccountId([0; 32]), unsigned.payload());
            let message = hex::encode(&request.expect("not too long").message());
            assert_eq!(message, of_other(&[&spec, name, "message"]));
            let call_ty = runtime.metadata().outer_enums().call_enum_ty();
            let value = runtime.decode_value(call_ty, &bytes).expect("a call");
            let (pallet, inner) = value.variant().expect("a pallet");
            assert_eq!(pallet, "SubtensorModule");
            let inner = inner.list().expect("one call")[0]
                .variant()
                .expect("a call");
            assert_eq!(inner.0, name);
        }
    }
}

#[test]
fn a_call_of_another_shape_is_never_written() {
    for (from, to) in [
        // Two arguments change places; one argument's name and width change.
        (
            "netuid: u16, dests: Vec<u16>, weights: Vec<u16>, version_key: u64",
            "dests",
        ),
        (
            "netuid: u16, dests: Vec<u16>, weights: Vec<u16>, version_key: u64",
            "version_key",
        ),
    ] {
        let runtime = edited(461, |metadata| {
            let pallet = metadata
                .pallets
                .iter()
                .find(|pallet| pallet.name == "SubtensorModule")
                .expect("there");
            let calls = pallet.calls.as_ref().expect("it has calls").ty.id as usize;
            let scale_info::TypeDef::Variant(variants) =
                &mut metadata.types.types[calls].ty.type_def
            else {
                panic!("calls are variants");
            };
            let call = variants
                .variants
                .iter_mut()
                .find(|variant| variant.name == "set_weights")
                .expect("there");
            if to == "dests" {
                call.fields.swap(0, 1);
            } else {
                call.fields[3].ty = call.fields[0].ty;
            }
        });
        let changed = Capabilities::new(runtime).expect("items are as they were");
        let error = changed.call_data(&set(None)).expect_err("another shape");
        let CapabilityError::CallShape {
            call,
            expected,
            found,
            spec_version,
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!(
            (*call, *expected, *spec_version),
            ("set_weights", from, 461)
        );
        assert_ne!(found, from);
        let shown = error.to_string();
        assert!(
            shown.contains("set_weights") && shown.contains("461"),
            "{shown}"
        );
        assert!(changed.call_data(&set(Some(1))).is_ok());
    }
}

#[test]
fn a_runtime_without_what_everything_needs_is_refused_and_named() {
    let runtime = edited(461, |metadata| {
        for pallet in &mut metadata.pallets {
            if let Some(storage) = &mut pallet.storage {
                storage.entries.retain(|entry| entry.name != "LastUpdate");
            }
        }
    });
    let Err(error) = Capabilities::new(runtime) else {
        panic!("accepted");
    };
    let shown = error.to_string();
    assert!(shown.contains("SubtensorModule.LastUpdate"), "{shown}");
}

/// Metadata of version 15 with a change.
fn edited(
    spec_version: u32,
    edit: impl FnOnce(&mut frame_metadata::v15::RuntimeMetadataV15),
) -> Runtime {
    use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
    use parity_scale_codec::{Decode, Encode};
    let (_, bytes) = METADATA[if spec_version == 439 { 1 } else { 2 }];
    let mut decoded = RuntimeMetadataPrefixed::decode(&mut &*bytes).expect("recorded");
    let RuntimeMetadata::V15(metadata) = &mut decoded.1 else {
        panic!("version 15");
    };
    edit(metadata);
    let version = runtime(spec_version).version().clone();
    Runtime::decode(version, &decoded.encode()).expect("sound")
}

#[test]
fn hostile_metadata_are_an_error() {
    let version = runtime(461).version().clone();
    let decode = |bytes: &[u8]| Runtime::decode(version.clone(), bytes);
    let (_, whole) = METADATA[2];
    // The second: a length that is its own, which a decoder of metadata would follow for ever.
    for bytes in [
        &b""[..],
        &[0x10, 0, 0, 0],
        b"meta",
        b"meta\x0d",
        b"meta\xff",
        &whole[..1_000],
    ] {
        assert!(matches!(
            decode(bytes),
            Err(MetadataError::Malformed { .. })
        ));
    }
    for at in (5..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.to_vec();
        changed[at] ^= 0xff;
        if let Ok(runtime) = decode(&changed) {
            // Whatever it says now, nothing of it panics.
            if let Ok(capabilities) = Capabilities::new(runtime) {
                let _ = capabilities.call_data(&set(None));
            }
        }
    }
}

#[test]
fn a_type_that_contains_itself_ends_at_the_bound() {
    let mut position = 0;
    let runtime = edited(461, |metadata| {
        position = metadata.types.types.len() as u32;
        let mut own = metadata.types.types[0].clone();
        own.id = position;
        own.ty.type_def = scale_info::TypeDef::Tuple(scale_info::TypeDefTuple::new_portable([
            position.into(),
            position.into(),
        ]));
        metadata.types.types.push(own);
    });
    assert!(runtime.shape(position).len() < 5_000);
    let error = runtime.decode_value(position, &[0; 100]);
    assert_eq!(error, Err(crate::node::DecodeError::Bounds));
}
