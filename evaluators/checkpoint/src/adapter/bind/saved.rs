//! Whole parameters that an adapter brings, and what they replace.

use std::collections::BTreeMap;

use super::{BindAdapterError, Binder, Parts, shape};
use crate::adapter::keys::Role;
use crate::checkpoint::{EMBEDDING, HEAD};
use crate::tensor::TensorInfo;

impl Binder<'_> {
    /// Whole parameters: of saved modules, and any other parameter of the base that the file brings.
    pub(super) fn saved(
        &self,
        parts: &BTreeMap<String, Parts<'_>>,
        plain: &BTreeMap<String, &TensorInfo>,
    ) -> Result<(BTreeMap<String, TensorInfo>, usize), BindAdapterError> {
        let mut given: BTreeMap<String, &TensorInfo> = BTreeMap::new();
        for (module, parts) in parts {
            for (role, end) in [(Role::BaseWeight, "weight"), (Role::BaseBias, "bias")] {
                let Some(tensor) = parts.get(role) else {
                    continue;
                };
                if !parts
                    .by_role
                    .keys()
                    .any(|r| !matches!(r, Role::BaseWeight | Role::BaseBias))
                {
                    let (tensor, module) = (tensor.name.clone(), module.clone());
                    return Err(BindAdapterError::Wrapping {
                        tensor,
                        module,
                        named: "adapted",
                        found: "not",
                    });
                }
                given.insert(format!("{module}.{end}"), tensor);
            }
        }
        for (name, tensor) in plain {
            let module = name
                .rsplit_once('.')
                .map_or(name.as_str(), |(module, _)| module);
            if parts.contains_key(module) {
                let (tensor, module) = (tensor.name.clone(), module.to_owned());
                return Err(BindAdapterError::Wrapping {
                    tensor,
                    module,
                    named: "not adapted",
                    found: "adapted",
                });
            }
            given.insert(name.clone(), tensor);
        }
        let tied = self.base.is_tied();
        let mut vocab = [None, None];
        for (name, tensor) in &given {
            let is_vocab = [EMBEDDING, HEAD].iter().position(|n| n == name);
            let known = match is_vocab {
                Some(0) => self.base.expect_embedding().ok(),
                Some(_) => self.base.expect_head().ok(),
                None => self.base.tensor(name),
            };
            let Some(known) = known else {
                let name = name.clone();
                return Err(BindAdapterError::NoParameter {
                    tensor: tensor.name.clone(),
                    name,
                });
            };
            let mut expected = known.shape.clone();
            if let (Some(which), [rows, _]) = (is_vocab, &tensor.shape[..]) {
                vocab[which] = Some(*rows);
                expected[0] = (*rows).max(1);
            }
            shape("the saved weight", name, tensor, &expected)?;
        }
        let mut saved: BTreeMap<String, TensorInfo> = given
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.renamed(name)))
            .collect();
        if tied {
            self.tie(&given, &mut saved);
        }
        self.check_saved(&saved)?;
        let rows = |name: &str, base: Option<&TensorInfo>| match saved.get(name) {
            Some(tensor) => Some(tensor.num_rows()),
            None => base.map(TensorInfo::num_rows),
        };
        let embedding = rows(EMBEDDING, self.base.expect_embedding().ok());
        let head = rows(HEAD, self.base.expect_head().ok());
        match (embedding, head) {
            (Some(embedding), Some(head)) if embedding != head => {
                Err(BindAdapterError::VocabSizes { embedding, head })
            }
            (rows, _) => Ok((saved, rows.unwrap_or(self.base.config().vocab_size))),
        }
    }

    /// Where embedding and head are one tensor, a replacement that is not a module of its own replaces it for both; of two
    /// such, the head's comes last.
    fn tie(&self, given: &BTreeMap<String, &TensorInfo>, saved: &mut BTreeMap<String, TensorInfo>) {
        let shared = |name: &str| {
            given
                .get(name)
                .copied()
                .filter(|_| !self.is_saved_module(name))
        };
        let Some(tensor) = shared(HEAD).or_else(|| shared(EMBEDDING)) else {
            return;
        };
        for name in [EMBEDDING, HEAD] {
            if !(given.contains_key(name) && self.is_saved_module(name)) {
                saved.insert(name.to_owned(), tensor.renamed(name));
            }
        }
    }

    /// Whether a parameter belongs to a module that modules_to_save replaces: peft compares the end of every module path.
    fn is_saved_module(&self, parameter: &str) -> bool {
        let ends = |path: &str| {
            self.config
                .modules_to_save
                .iter()
                .any(|m| path.ends_with(m.as_str()))
        };
        parameter
            .match_indices('.')
            .any(|(at, _)| ends(&parameter[..at]))
    }

    fn check_saved(&self, saved: &BTreeMap<String, TensorInfo>) -> Result<(), BindAdapterError> {
        if self.config.modules_to_save.is_empty() {
            return Ok(());
        }
        let names = self
            .base
            .tensors()
            .map(|t| t.name.as_str())
            .chain([EMBEDDING, HEAD]);
        for name in names {
            if self.is_saved_module(name) && !saved.contains_key(name) {
                return Err(BindAdapterError::NotSaved {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}
