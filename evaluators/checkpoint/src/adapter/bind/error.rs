//! Why an adapter does not fit a base.

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
        "tensors for {module}, but target_modules in adapter_config.json is empty, and what peft then adapts depends on its version\nhelp: list the modules in target_modules"
    )]
    NoTargets { module: String },
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
