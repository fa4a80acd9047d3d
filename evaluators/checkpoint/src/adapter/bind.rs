//! An adapter matched to its base: every tensor has a module, every module its tensors, every shape fits.

mod error;
mod saved;

use std::collections::BTreeMap;

pub use error::BindAdapterError;

use super::keys::{Key, Role};
use super::{Adapter, AdapterConfig};
use crate::checkpoint::{Checkpoint, EMBEDDING};
use crate::tensor::TensorInfo;

/// LoRA on one linear module: `y = W x + b + scale * (B (A x) + bias)`, and with a magnitude `m` (DoRA)
/// `y = m / |W + scale B A|_row * (W x + scale * B (A x)) + b`.
#[derive(Clone, Debug)]
pub struct LoraModule {
    /// Rows of A, columns of B.
    pub rank: usize,
    /// alpha / rank, or alpha / sqrt(rank).
    pub scale: f64,
    /// `[rank, in_features]`
    pub a: TensorInfo,
    /// `[out_features, rank]`
    pub b: TensorInfo,
    /// `[out_features]`, scaled like the product.
    pub bias: Option<TensorInfo>,
    /// `[out_features]`, DoRA.
    pub magnitude: Option<TensorInfo>,
}

/// LoRA on the embedding: row v is `W[v] + scale * B A[:, v]`.
#[derive(Clone, Debug)]
pub struct EmbeddingLora {
    /// Module path.
    pub module: String,
    /// Rows of A, columns of B.
    pub rank: usize,
    /// alpha / rank, or alpha / sqrt(rank).
    pub scale: f64,
    /// `[rank, vocab]`
    pub a: TensorInfo,
    /// `[hidden, rank]`
    pub b: TensorInfo,
}

/// An adapter that fits its base.
#[derive(Clone, Debug)]
pub struct BoundAdapter {
    /// Factors by module path, such as `model.layers.3.self_attn.q_proj` or `lm_head`.
    pub modules: BTreeMap<String, LoraModule>,
    /// LoRA on the embedding. It does not touch a tied head.
    pub embedding: Option<EmbeddingLora>,
    /// Whole parameters by name; each replaces the base's.
    ///
    /// For a tied base this already says what happens to the head: with `lm_head.weight` here, that is the head; without it
    /// the head stays the base's embedding even if `model.embed_tokens.weight` is replaced.
    pub saved: BTreeMap<String, TensorInfo>,
    /// Rows of embedding and head with this adapter.
    pub vocab_rows: usize,
}

#[derive(Default)]
struct Parts<'a> {
    by_role: BTreeMap<Role, &'a TensorInfo>,
}

impl<'a> Parts<'a> {
    fn get(&self, role: Role) -> Option<&'a TensorInfo> {
        self.by_role.get(&role).copied()
    }
}

impl Adapter {
    /// Matches the adapter to a base.
    ///
    /// # Errors
    /// [`BindAdapterError`] names the module and what is wrong with it.
    pub fn bind(&self, base: &Checkpoint) -> Result<BoundAdapter, BindAdapterError> {
        if self.tensors.is_empty() {
            return Err(BindAdapterError::Empty);
        }
        let binder = Binder {
            base,
            config: &self.config,
            base_modules: Modules::of(base),
        };
        let mut parts: BTreeMap<String, Parts<'_>> = BTreeMap::new();
        let mut plain: BTreeMap<String, &TensorInfo> = BTreeMap::new();
        for (Key { module, role }, tensor) in &self.tensors {
            if tensor.dtype.param_bytes().is_none() {
                return Err(BindAdapterError::Dtype {
                    tensor: tensor.name.clone(),
                    dtype: tensor.dtype,
                });
            }
            let module = base.canonical(module);
            let other = match role {
                Role::Plain => plain.insert(module.clone(), tensor),
                role => parts
                    .entry(module.clone())
                    .or_default()
                    .by_role
                    .insert(*role, tensor),
            };
            if let Some(other) = other {
                let (first, second) = (other.name.clone(), tensor.name.clone());
                return Err(BindAdapterError::Twice {
                    what: format!("{role:?}"),
                    module,
                    first,
                    second,
                });
            }
        }
        binder.bind(&parts, &plain)
    }
}

/// Modules of a base that can be adapted, and the shape of their weights.
struct Modules {
    linear: BTreeMap<String, (usize, usize)>,
    embedding: String,
}

impl Modules {
    fn of(base: &Checkpoint) -> Modules {
        let embedding = EMBEDDING.trim_end_matches(".weight").to_owned();
        let mut linear = BTreeMap::new();
        for tensor in base.tensors() {
            if let ([out, inner], Some(module)) =
                (&tensor.shape[..], tensor.name.strip_suffix(".weight"))
                && module != embedding
            {
                linear.insert(module.to_owned(), (*out, *inner));
            }
        }
        if let Ok(head) = base.expect_head() {
            linear.insert("lm_head".to_owned(), (head.num_rows(), head.row_elements()));
        }
        Modules { linear, embedding }
    }
}

struct Binder<'a> {
    base: &'a Checkpoint,
    config: &'a AdapterConfig,
    base_modules: Modules,
}

impl Binder<'_> {
    fn bind(
        &self,
        parts: &BTreeMap<String, Parts<'_>>,
        plain: &BTreeMap<String, &TensorInfo>,
    ) -> Result<BoundAdapter, BindAdapterError> {
        let (saved, vocab_rows) = self.saved(parts, plain)?;
        let mut modules = BTreeMap::new();
        let mut embedding = None;
        for (module, parts) in parts {
            let named = |role| parts.get(role).map(|t| t.name.clone());
            let some_tensor = || {
                parts
                    .by_role
                    .values()
                    .next()
                    .map(|t| t.name.clone())
                    .unwrap_or_default()
            };
            if *module == self.base_modules.embedding {
                if let Some(tensor) = named(Role::LoraA).or(named(Role::LoraB)) {
                    let module = module.clone();
                    return Err(BindAdapterError::Wrapping {
                        tensor,
                        module,
                        named: "linear",
                        found: "an embedding",
                    });
                }
                embedding = Some(self.embedding(module, parts, vocab_rows)?);
            } else if let Some(&(out, inner)) = self.base_modules.linear.get(module) {
                if let Some(tensor) = named(Role::EmbeddingA).or(named(Role::EmbeddingB)) {
                    let module = module.clone();
                    return Err(BindAdapterError::Wrapping {
                        tensor,
                        module,
                        named: "an embedding",
                        found: "linear",
                    });
                }
                let out = if module == "lm_head" { vocab_rows } else { out };
                modules.insert(module.clone(), self.linear(module, parts, out, inner)?);
            } else {
                return Err(BindAdapterError::NoModule {
                    tensor: some_tensor(),
                    module: module.clone(),
                });
            }
            match self.is_target(module) {
                Some(true) => {}
                Some(false) => {
                    return Err(BindAdapterError::NotTargeted {
                        module: module.clone(),
                    });
                }
                None => {
                    return Err(BindAdapterError::NoTargets {
                        module: module.clone(),
                    });
                }
            }
        }
        let all = self
            .base_modules
            .linear
            .keys()
            .chain([&self.base_modules.embedding]);
        for module in all {
            if !parts.contains_key(module)
                && self.is_text(module)
                && self.is_target(module) == Some(true)
            {
                return Err(BindAdapterError::NoTensors {
                    module: module.clone(),
                });
            }
        }
        Ok(BoundAdapter {
            modules,
            embedding,
            saved,
            vocab_rows,
        })
    }

    /// Modules outside the language model (a vision tower) are of no interest to a text score.
    fn is_text(&self, module: &str) -> bool {
        module == "lm_head"
            || module.starts_with("model.layers.")
            || *module == self.base_modules.embedding
    }

    fn is_target(&self, module: &str) -> Option<bool> {
        let is_head = module == "lm_head";
        let is_linear = *module != self.base_modules.embedding;
        let verdict = self.config.is_target(module, is_head, is_linear);
        match (
            self.base.config().is_multimodal,
            module.strip_prefix("model."),
        ) {
            // The reference sees the wrapper's names.
            (true, Some(rest)) if verdict == Some(false) => {
                self.config
                    .is_target(&format!("model.language_model.{rest}"), is_head, is_linear)
            }
            _ => verdict,
        }
    }

    fn linear(
        &self,
        module: &str,
        parts: &Parts<'_>,
        out: usize,
        inner: usize,
    ) -> Result<LoraModule, BindAdapterError> {
        let (a, b) = pair(
            module,
            parts,
            Role::LoraA,
            Role::LoraB,
            ["lora_A", "lora_B"],
        )?;
        let rank = self.config.rank(module);
        self.check_rank(module, a, rank)?;
        shape("lora_A", module, a, &[rank, inner])?;
        shape("lora_B", module, b, &[out, rank])?;
        let (bias, magnitude) = (parts.get(Role::LoraBias), parts.get(Role::Magnitude));
        let switch = |on: bool, present: bool, what, absent, field| match (on, present) {
            (true, false) => Err(BindAdapterError::Switch {
                module: module.to_owned(),
                what: absent,
                field,
                value: true,
            }),
            (false, true) => Err(BindAdapterError::Switch {
                module: module.to_owned(),
                what,
                field,
                value: false,
            }),
            _ => Ok(()),
        };
        switch(
            self.config.lora_bias,
            bias.is_some(),
            "a lora_B.bias",
            "no lora_B.bias",
            "lora_bias",
        )?;
        let (has, lacks) = ("a lora_magnitude_vector", "no lora_magnitude_vector");
        switch(
            self.config.use_dora,
            magnitude.is_some(),
            has,
            lacks,
            "use_dora",
        )?;
        for (what, tensor) in [("lora_B.bias", bias), ("lora_magnitude_vector", magnitude)] {
            if let Some(tensor) = tensor {
                shape(what, module, tensor, &[out])?;
            }
        }
        Ok(LoraModule {
            rank,
            scale: self.config.scale(module),
            a: a.clone(),
            b: b.clone(),
            bias: bias.cloned(),
            magnitude: magnitude.cloned(),
        })
    }

    fn embedding(
        &self,
        module: &str,
        parts: &Parts<'_>,
        vocab_rows: usize,
    ) -> Result<EmbeddingLora, BindAdapterError> {
        if self.config.use_dora {
            return Err(BindAdapterError::DoraEmbedding {
                module: module.to_owned(),
            });
        }
        let (a, b) = pair(
            module,
            parts,
            Role::EmbeddingA,
            Role::EmbeddingB,
            ["lora_embedding_A", "lora_embedding_B"],
        )?;
        let rank = self.config.rank(module);
        self.check_rank(module, a, rank)?;
        shape("lora_embedding_A", module, a, &[rank, vocab_rows])?;
        shape(
            "lora_embedding_B",
            module,
            b,
            &[self.base.config().hidden_size, rank],
        )?;
        let scale = self.config.scale(module);
        Ok(EmbeddingLora {
            module: module.to_owned(),
            rank,
            scale,
            a: a.clone(),
            b: b.clone(),
        })
    }

    fn check_rank(
        &self,
        module: &str,
        a: &TensorInfo,
        rank: usize,
    ) -> Result<(), BindAdapterError> {
        match a.shape[..] {
            [found, _] if found == rank => Ok(()),
            _ => Err(BindAdapterError::Rank {
                module: module.to_owned(),
                found: a.shape.clone(),
                rank,
            }),
        }
    }
}

fn pair<'a>(
    module: &str,
    parts: &Parts<'a>,
    a: Role,
    b: Role,
    names: [&'static str; 2],
) -> Result<(&'a TensorInfo, &'a TensorInfo), BindAdapterError> {
    let half = |present, missing| BindAdapterError::HalfPair {
        module: module.to_owned(),
        present,
        missing,
    };
    match (parts.get(a), parts.get(b)) {
        (Some(a), Some(b)) => Ok((a, b)),
        (Some(_), None) => Err(half(names[0], names[1])),
        (None, Some(_)) => Err(half(names[1], names[0])),
        (None, None) => Err(half("other tensors", names[0])),
    }
}

fn shape(
    what: &'static str,
    module: &str,
    tensor: &TensorInfo,
    expected: &[usize],
) -> Result<(), BindAdapterError> {
    if tensor.shape == expected {
        return Ok(());
    }
    let (module, found, expected) = (module.to_owned(), tensor.shape.clone(), expected.to_vec());
    Err(BindAdapterError::Shape {
        what,
        module,
        found,
        expected,
    })
}
