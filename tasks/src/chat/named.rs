//! Templates that a data set can name, as the reference names them. `templates/ORIGIN.md` says where they are from.

const NAMED: &[(&str, &str)] = &[
    ("alpaca", include_str!("templates/alpaca.jinja")),
    ("aya", include_str!("templates/aya.jinja")),
    ("chatml", include_str!("templates/chatml.jinja")),
    ("cohere", include_str!("templates/cohere.jinja")),
    ("command_a", include_str!("templates/command_a.jinja")),
    (
        "command_a_rag",
        include_str!("templates/command_a_rag.jinja"),
    ),
    (
        "command_a_tool_use",
        include_str!("templates/command_a_tool_use.jinja"),
    ),
    ("deepseek_v2", include_str!("templates/deepseek_v2.jinja")),
    ("deepseek_v3", include_str!("templates/deepseek_v3.jinja")),
    ("exaone", include_str!("templates/exaone.jinja")),
    ("exaone4", include_str!("templates/exaone4.jinja")),
    ("falcon_h1", include_str!("templates/falcon_h1.jinja")),
    ("gemma", include_str!("templates/gemma.jinja")),
    ("gemma3", include_str!("templates/gemma3.jinja")),
    ("gemma3n", include_str!("templates/gemma3n.jinja")),
    ("gemma4", include_str!("templates/gemma4.jinja")),
    (
        "gemma4_unified",
        include_str!("templates/gemma4_unified.jinja"),
    ),
    ("jamba", include_str!("templates/jamba.jinja")),
    ("llama3", include_str!("templates/llama3.jinja")),
    (
        "llama3_2_vision",
        include_str!("templates/llama3_2_vision.jinja"),
    ),
    ("llama4", include_str!("templates/llama4.jinja")),
    ("llava", include_str!("templates/llava.jinja")),
    ("metharme", include_str!("templates/metharme.jinja")),
    ("mistral_v1", include_str!("templates/mistral_v1.jinja")),
    ("mistral_v2v3", include_str!("templates/mistral_v2v3.jinja")),
    (
        "mistral_v3_tekken",
        include_str!("templates/mistral_v3_tekken.jinja"),
    ),
    (
        "mistral_v7_tekken",
        include_str!("templates/mistral_v7_tekken.jinja"),
    ),
    ("nemotron_h", include_str!("templates/nemotron_h.jinja")),
    ("phi_3", include_str!("templates/phi_3.jinja")),
    ("phi_35", include_str!("templates/phi_35.jinja")),
    ("phi_4", include_str!("templates/phi_4.jinja")),
    ("pixtral", include_str!("templates/pixtral.jinja")),
    ("qwen2_vl", include_str!("templates/qwen2_vl.jinja")),
    ("qwen3", include_str!("templates/qwen3.jinja")),
    ("qwen3_5", include_str!("templates/qwen3_5.jinja")),
    ("qwen_25", include_str!("templates/qwen_25.jinja")),
];

/// The template of this name.
pub fn named_template(name: &str) -> Option<&'static str> {
    NAMED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, source)| *source)
}

/// Every name.
pub fn template_names() -> Vec<&'static str> {
    NAMED.iter().map(|(name, _)| *name).collect()
}
