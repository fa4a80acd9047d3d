//! Weight files, taken apart and put together again, rightly or wrongly.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A stored tensor.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

/// All tensors of a safetensors file.
pub(super) struct Tensors(pub(super) BTreeMap<String, Stored>);

/// Header and data of a safetensors file.
pub(super) fn split(path: &Path) -> (Map<String, Value>, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
    (header, bytes[8 + len..].to_vec())
}

/// Writes header and data as they are.
pub(super) fn join(path: &Path, header: &Map<String, Value>, data: &[u8]) {
    let header = Value::Object(header.clone()).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(path, bytes).unwrap();
}

impl Tensors {
    pub(super) fn read(path: &Path) -> Self {
        let (header, data) = split(path);
        let tensor = |entry: &Value| {
            let numbers =
                |key: &str| -> Vec<usize> { serde_json::from_value(entry[key].clone()).unwrap() };
            let range = numbers("data_offsets");
            Stored {
                dtype: entry["dtype"].as_str().unwrap().to_owned(),
                shape: numbers("shape"),
                bytes: data[range[0]..range[1]].to_vec(),
            }
        };
        let named = header.iter().filter(|(name, _)| *name != "__metadata__");
        Self(
            named
                .map(|(name, entry)| (name.clone(), tensor(entry)))
                .collect(),
        )
    }

    pub(super) fn write(&self, path: &Path) {
        let (mut header, mut data) = (Map::new(), Vec::new());
        for (name, t) in &self.0 {
            let begin = data.len();
            data.extend(&t.bytes);
            header.insert(
                name.clone(),
                json!({"dtype": t.dtype, "shape": t.shape, "data_offsets": [begin, data.len()]}),
            );
        }
        join(path, &header, &data);
    }

    /// The tensor whose name ends so.
    pub(super) fn get(&mut self, suffix: &str) -> &mut Stored {
        let mut found = self.0.iter_mut().filter(|(name, _)| name.ends_with(suffix));
        let (_, tensor) = found.next().unwrap_or_else(|| panic!("a tensor {suffix}"));
        tensor
    }
}

impl Stored {
    fn element(&self) -> usize {
        if self.dtype == "F32" { 4 } else { 2 }
    }

    /// Writes one value.
    pub(super) fn set(&mut self, index: usize, value: f32) {
        let size = self.element();
        let bytes = match self.dtype.as_str() {
            "F32" => value.to_le_bytes().to_vec(),
            "BF16" => half::bf16::from_f32(value).to_le_bytes().to_vec(),
            other => panic!("{other} is not written by these tests"),
        };
        self.bytes[index * size..][..size].copy_from_slice(&bytes);
    }

    /// Writes the same value everywhere.
    pub(super) fn fill(&mut self, value: f32) {
        (0..self.bytes.len() / self.element()).for_each(|i| self.set(i, value));
    }

    /// Keeps `rows` rows, or adds copies of the last.
    pub(super) fn resize_rows(&mut self, rows: usize) {
        let row = self.bytes.len() / self.shape[0];
        let last = self.bytes[self.bytes.len() - row..].to_vec();
        self.bytes.truncate(rows * row);
        while self.bytes.len() < rows * row {
            self.bytes.extend(&last);
        }
        self.shape[0] = rows;
    }
}

/// Changes a weight file.
pub(super) fn edit(path: &Path, change: impl FnOnce(&mut Tensors)) {
    let mut tensors = Tensors::read(path);
    change(&mut tensors);
    tensors.write(path);
}

/// Changes a JSON file.
pub(super) fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}
