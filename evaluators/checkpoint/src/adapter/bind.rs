//! An adapter matched to its base: every tensor has a module, every module its tensors, every shape fits.

use std::collections::BTreeMap;

use super::keys::{Key, Role};
use super::{Adapter, AdapterConfig};
use crate::checkpoint::{Checkpoint, EMBEDDING, HEAD};
use crate::tensor::TensorInfo;
use crate::{Dtype, Owner};

/// Why an adapter does not fit a base.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum BindAdapterError {
    #[error(
        "{tensor} is for module {module}, which the base does not have\nhelp: the adapter was trained on another model, or on another version of it"
    )]
    NoModule { tensor: String, module: String },
    #[error(
        "{tensor} is for parameter {name}, which the base does not have\nhelp: the adapter was trained on another model, or on another version of it"
    )]
    NoParameter { tensor: String, name: String },
    #[error(
        "module {module} has {present} but no {missing}\nhelp: re-export the adapter: both halves are needed"
    )]
    HalfPair {
        module: String,
        present: &'static str,
        missing: &'static str,
    },
    #[error(
        "lora_A for {module} is {found:?}, but adapter_config.json says lora_rank = {rank}\nhelp: re-export the adapter, or correct r or rank_pattern"
    )]
    Rank {
        module: String,
        found: Vec<usize>,
        rank: usize,
    },
    #[error(
        "{what} for {module} is {found:?}, but the base makes it {expected:?}\nhelp: the adapter was trained on another model, or on another version of it"
    )]
    Shape {
        what: &'static str,
        module: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error(
        "{tensor} is stored as {dtype}; F32, F16 and BF16 can be evaluated\nhelp: save the adapter in one of these"
    )]
    Dtype { tensor: String, dtype: Dtype },
    #[error(
        "adapter_config.json targets {module}, but the file has no tensors for it\nhelp: re-export the adapter, or correct target_modules"
    )]
    NoTensors { module: String },
    #[error(
        "the file has LoRA tensors for {module}, which adapter_config.json does not target\nhelp: re-export the adapter, or correct target_modules"
    )]
    NotTargeted { module: String },
    #[error(
        "modules_to_save in adapter_config.json covers {name}, but the file does not have it\nhelp: re-export the adapter"
    )]
    NotSaved { name: String },
    #[error(
        "{tensor} is named as if {module} were {named}, but it is {found}\nhelp: re-export the adapter"
    )]
    Wrapping {
        tensor: String,
        module: String,
        named: &'static str,
        found: &'static str,
    },
    #[error("{module} has {what}, but adapter_config.json says {field} = {value}")]
    Switch {
        module: String,
        what: &'static str,
        field: &'static str,
        value: bool,
    },
    #[error("use_dora on the embedding {module} is not supported")]
    DoraEmbedding { module: String },
    #[error(
        "the adapter has {embedding} embedding rows and {head} head rows\nhelp: resize both to the same vocabulary"
    )]
    VocabSizes { embedding: usize, head: usize },
    #[error("two tensors of the adapter are {what} of {module}: {first} and {second}")]
    Twice {
        what: String,
        module: String,
        first: String,
        second: String,
    },
    #[error("the adapter has no tensors")]
    Empty,
}

impl BindAdapterError {
    /// Always the submission.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

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
            if self.is_target(module) == Some(false) {
                return Err(BindAdapterError::NotTargeted {
                    module: module.clone(),
                });
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

    /// Whole parameters: of saved modules, and any other parameter of the base that the file brings.
    fn saved(
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
