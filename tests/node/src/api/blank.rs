//! Values that say nothing: zeros, empty vectors, `None`, the first variant.

use crate::runtime::Runtime;
use scale_info::{TypeDef, TypeDefPrimitive};
use scale_value::Value;

/// A value of a type that says nothing.
pub(super) fn value(runtime: &Runtime, type_id: u32) -> Value<()> {
    let types = runtime.metadata().types();
    let resolved = types.resolve(type_id).expect("a type of the metadata");
    match &resolved.type_def {
        TypeDef::Composite(composite) => {
            let named = composite.fields.iter().all(|field| field.name.is_some());
            let values = composite.fields.iter();
            if named && !composite.fields.is_empty() {
                return Value::named_composite(values.map(|field| {
                    let name = field.name.clone().expect("all are named");
                    (name, value(runtime, field.ty.id))
                }));
            }
            Value::unnamed_composite(values.map(|field| value(runtime, field.ty.id)))
        }
        TypeDef::Variant(variants) => {
            let none = variants.variants.iter().find(|v| v.name == "None");
            let first = none.or(variants.variants.first()).expect("a variant");
            let fields = first.fields.iter().map(|field| value(runtime, field.ty.id));
            Value::unnamed_variant(first.name.clone(), fields)
        }
        TypeDef::Sequence(_) => Value::unnamed_composite([]),
        TypeDef::Array(array) => {
            let element = value(runtime, array.type_param.id);
            Value::unnamed_composite((0..array.len).map(|_| element.clone()))
        }
        TypeDef::Tuple(tuple) => {
            Value::unnamed_composite(tuple.fields.iter().map(|field| value(runtime, field.id)))
        }
        TypeDef::Primitive(TypeDefPrimitive::Bool) => Value::bool(false),
        TypeDef::Primitive(TypeDefPrimitive::Str) => Value::string(""),
        TypeDef::Primitive(_) => Value::u128(0),
        TypeDef::Compact(compact) => value(runtime, compact.type_param.id),
        TypeDef::BitSequence(_) => unreachable!("no API of the double has bits"),
    }
}

/// Types of a structure's fields, in order.
pub(super) fn field_types(runtime: &Runtime, type_id: u32) -> Vec<u32> {
    match &resolve(runtime, type_id) {
        TypeDef::Composite(composite) => composite.fields.iter().map(|f| f.ty.id).collect(),
        _ => Vec::new(),
    }
}

/// The type inside an `Option`.
pub(super) fn some_type(runtime: &Runtime, type_id: u32) -> Option<u32> {
    match &resolve(runtime, type_id) {
        TypeDef::Variant(variants) => {
            let some = variants.variants.iter().find(|v| v.name == "Some")?;
            Some(some.fields.first()?.ty.id)
        }
        _ => None,
    }
}

/// The type of a vector's elements.
pub(super) fn element_type(runtime: &Runtime, type_id: u32) -> Option<u32> {
    match &resolve(runtime, type_id) {
        TypeDef::Sequence(sequence) => Some(sequence.type_param.id),
        _ => None,
    }
}

fn resolve(runtime: &Runtime, type_id: u32) -> TypeDef<scale_info::form::PortableForm> {
    let types = runtime.metadata().types();
    let resolved = types.resolve(type_id).expect("a type of the metadata");
    resolved.type_def.clone()
}
