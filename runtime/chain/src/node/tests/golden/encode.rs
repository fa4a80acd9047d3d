//! JSON to SCALE, as the recorder did it.

use super::{address, bytes as hex_bytes};
use crate::AccountId;
use crate::node::Runtime;
use parity_scale_codec::{Compact, Encode};
use scale_info::{TypeDef, TypeDefPrimitive};
use serde_json::Value as Json;

/// SCALE of a JSON value by a type: what the recorder did, written once more.
pub(super) fn encode(runtime: &Runtime, type_id: u32, json: &Json, bytes: &mut Vec<u8>) {
    let found = runtime.types().resolve(type_id).expect("a type");
    if let Some(AccountId(key)) = address(json) {
        if let TypeDef::Variant(_) = found.type_def {
            bytes.push(0); // MultiAddress::Id
        }
        return bytes.extend(key);
    }
    match &found.type_def {
        TypeDef::Composite(composite) => {
            assert_eq!(composite.fields.len(), 1, "{json}");
            encode(runtime, composite.fields[0].ty.id, json, bytes);
        }
        TypeDef::Array(_) => bytes.extend(hex_bytes(json)),
        TypeDef::Sequence(sequence) => match json {
            Json::String(_) => hex_bytes(json).encode_to(bytes),
            _ => {
                let values = json.as_array().expect("a list");
                Compact(values.len() as u32).encode_to(bytes);
                for value in values {
                    encode(runtime, sequence.type_param.id, value, bytes);
                }
            }
        },
        TypeDef::Compact(_) => Compact(json.as_u64().expect("a number")).encode_to(bytes),
        TypeDef::Primitive(primitive) => {
            let number = json.as_u64().expect("a number");
            let width = match primitive {
                TypeDefPrimitive::U8 => 1,
                TypeDefPrimitive::U16 => 2,
                TypeDefPrimitive::U32 => 4,
                TypeDefPrimitive::U64 => 8,
                other => panic!("{other:?}"),
            };
            bytes.extend(&number.to_le_bytes()[..width]);
        }
        TypeDef::Variant(variants) => {
            let variant = match json.as_str() {
                Some(name) if found.path.segments.last().is_none_or(|own| own != "Option") => {
                    variants.variants.iter().find(|found| found.name == name)
                }
                _ => variants.variants.iter().find(|found| found.index == 1),
            };
            let variant = variant.expect("a variant");
            bytes.push(variant.index);
            if let Some(field) = variant.fields.first() {
                encode(runtime, field.ty.id, json, bytes);
            }
        }
        other => panic!("{other:?}"),
    }
}
