//! Shapes: what a type is on the wire, without the names that do not change it.
//!
//! A composite of one field is that field, so `NetUid { u16 }` and `u16` have one shape, `u16`. Fields' names are kept where there are several,
//! since their order is what tells them apart. Shapes are texts: they are compared, and shown when they differ.

use super::metadata::Runtime;
use scale_info::{Field, PortableRegistry, TypeDef, form::PortableForm};

/// How deep types may be nested: calls of weights are four deep.
const DEPTH_MAX: usize = 24;
/// The longest shape, in bytes; nothing that is compared has more than a few hundred.
const SHAPE_BYTES_MAX: usize = 4_096;

impl Runtime {
    /// The shape of a call's arguments, `name: shape, …`; `None` if the runtime lacks the call.
    pub fn call_shape(&self, pallet: &str, call: &str) -> Option<String> {
        let (_, variant) = self.call(pallet, call)?;
        let mut shape = Writer::new(self.types());
        shape.named(&variant.fields, 0);
        Some(shape.finish())
    }

    /// The shape of a type.
    pub fn shape(&self, type_id: u32) -> String {
        let mut shape = Writer::new(self.types());
        shape.write(type_id, 0);
        shape.finish()
    }

    /// The shape of a storage item, `[Hasher key, …] -> value`, with a question mark where there may be none; `None` if the runtime lacks it.
    pub fn storage_shape(&self, pallet: &str, item: &str) -> Option<String> {
        let pallet = self.metadata().pallet_by_name(pallet)?;
        let entry = pallet.storage()?.entry_by_name(item)?;
        let keys: Vec<String> = entry
            .keys()
            .map(|key| format!("{:?} {}", key.hasher, self.shape(key.key_id)))
            .collect();
        let optional = if entry.default_value().is_none() {
            "?"
        } else {
            ""
        };
        Some(format!(
            "[{}] -> {}{optional}",
            keys.join(", "),
            self.shape(entry.value_ty())
        ))
    }
}

struct Writer<'a> {
    types: &'a PortableRegistry,
    text: String,
}

impl<'a> Writer<'a> {
    fn new(types: &'a PortableRegistry) -> Self {
        let text = String::new();
        Self { types, text }
    }

    fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, text: &str) {
        if self.text.len() + text.len() <= SHAPE_BYTES_MAX {
            self.text.push_str(text);
        }
    }

    fn write(&mut self, type_id: u32, depth: usize) {
        let Some(found) = self.types.resolve(type_id) else {
            return self.push("nothing");
        };
        if depth > DEPTH_MAX || self.text.len() >= SHAPE_BYTES_MAX - 64 {
            return self.push("…");
        }
        let name = found.path.segments.last().map(String::as_str);
        match &found.type_def {
            TypeDef::Composite(composite) => match composite.fields.as_slice() {
                [] => self.push("()"),
                [field] => self.write(field.ty.id, depth + 1),
                fields if fields.iter().all(|field| field.name.is_none()) => {
                    self.push("(");
                    self.list(fields.iter().map(|field| field.ty.id), depth);
                    self.push(")");
                }
                fields => {
                    self.push("{");
                    self.named(fields, depth);
                    self.push("}");
                }
            },
            // 255 variants, one for each first byte.
            TypeDef::Variant(_) if name == Some("Era") => self.push("Era"),
            TypeDef::Variant(variant) if name == Some("Option") => {
                self.push("Option<");
                let some = variant.variants.iter().find(|variant| variant.index == 1);
                if let Some(field) = some.and_then(|some| some.fields.first()) {
                    self.write(field.ty.id, depth + 1);
                }
                self.push(">");
            }
            TypeDef::Variant(variant) => {
                self.push("enum{");
                for (position, variant) in variant.variants.iter().enumerate() {
                    if position > 0 {
                        self.push("|");
                    }
                    self.push(&format!("{}={}(", variant.name, variant.index));
                    self.list(variant.fields.iter().map(|field| field.ty.id), depth);
                    self.push(")");
                }
                self.push("}");
            }
            TypeDef::Sequence(sequence) => {
                self.push("Vec<");
                self.write(sequence.type_param.id, depth + 1);
                self.push(">");
            }
            TypeDef::Array(array) => {
                self.push("[");
                self.write(array.type_param.id, depth + 1);
                self.push(&format!(";{}]", array.len));
            }
            TypeDef::Tuple(tuple) => {
                self.push("(");
                self.list(tuple.fields.iter().map(|field| field.id), depth);
                self.push(")");
            }
            TypeDef::Primitive(primitive) => {
                self.push(&format!("{primitive:?}").to_lowercase());
            }
            TypeDef::Compact(compact) => {
                self.push("Compact<");
                self.write(compact.type_param.id, depth + 1);
                self.push(">");
            }
            TypeDef::BitSequence(_) => self.push("bits"),
        }
    }

    fn list(&mut self, types: impl Iterator<Item = u32>, depth: usize) {
        for (position, type_id) in types.enumerate() {
            if position > 0 {
                self.push(", ");
            }
            self.write(type_id, depth + 1);
        }
    }

    fn named(&mut self, fields: &[Field<PortableForm>], depth: usize) {
        for (position, field) in fields.iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            self.push(field.name.as_deref().unwrap_or("_"));
            self.push(": ");
            self.write(field.ty.id, depth + 1);
        }
    }
}
