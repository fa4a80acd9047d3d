//! The families: sizes, options, and what each computes.

use super::{Family, Kind, Setting};

/// Functions of gates, as kernels are called.
const ACTIVATIONS: &[&str] = &["silu", "gelu", "gelu_tanh"];

const fn count(name: &'static str) -> Setting {
    Setting {
        name,
        kind: Kind::Count,
    }
}

/// Every family that can be measured, on one device or another.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "linear",
        dims: &["rows", "out", "in"],
        options: &[
            count("rank"),
            Setting {
                name: "gate",
                kind: Kind::Word(ACTIVATIONS),
            },
        ],
        about: "y = x w^T, weights bf16; with rank, a low-rank addition (GPU); with gate, gate(half of y) * the other half (GPU)",
    },
    Family {
        name: "cross_entropy",
        dims: &["rows", "vocab", "hidden"],
        options: &[count("cap")],
        about: "head, log-sum-exp and target logits in one pass, of logits under a soft cap if there is one",
    },
    Family {
        name: "kl",
        dims: &["rows", "vocab", "hidden"],
        options: &[
            count("cap"),
            Setting {
                name: "shared",
                kind: Kind::Flag,
            },
        ],
        about: "the same for two models, with their divergence; shared: of one head's weights",
    },
    Family {
        name: "attention",
        dims: &["heads", "kv_heads", "head_dim"],
        options: &[
            Setting {
                name: "lengths",
                kind: Kind::Lengths,
            },
            count("window"),
            count("cap"),
        ],
        about: "causal attention over packed rows of these lengths (default 4*512)",
    },
    Family {
        name: "lora",
        dims: &["rows", "out", "in", "rank"],
        options: &[],
        about: "an adapter beside a product",
    },
    Family {
        name: "rms_norm",
        dims: &["rows", "cols"],
        options: &[count("group")],
        about: "RMS norm of rows, or of heads of `group` values",
    },
    Family {
        name: "rope",
        dims: &["rows", "heads", "head_dim"],
        options: &[],
        about: "rotation of heads in place",
    },
    Family {
        name: "activation",
        dims: &["rows", "cols"],
        options: &[Setting {
            name: "kind",
            kind: Kind::Word(ACTIVATIONS),
        }],
        about: "gated activation: kind(gate) * up (default silu)",
    },
    Family {
        name: "soft_cap",
        dims: &["values"],
        options: &[],
        about: "cap * tanh(x / cap) in place (CPU)",
    },
    Family {
        name: "embedding",
        dims: &["rows", "vocab", "cols"],
        options: &[],
        about: "rows of a table, widened",
    },
    Family {
        name: "add_normed",
        dims: &["rows", "cols"],
        options: &[],
        about: "hidden += norm(y) (GPU)",
    },
    Family {
        name: "layer_norm",
        dims: &["rows", "cols"],
        options: &[],
        about: "layer norm of rows (GPU)",
    },
    Family {
        name: "gather",
        dims: &["rows", "from", "cols"],
        options: &[],
        about: "rows of a bf16 matrix by number (GPU)",
    },
    Family {
        name: "dora_scale",
        dims: &["out", "in", "rank"],
        options: &[],
        about: "column scales of a weight-decomposed adapter (GPU)",
    },
];
