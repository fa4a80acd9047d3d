//! adapter_config.json. What is accepted gives every module a rank and a finite scale, in time linear in its name.
#![no_main]

use gradus_checkpoint::adapter::AdapterConfig;
use libfuzzer_sys::fuzz_target;

const MODULES: [&str; 5] = [
    "model.layers.0.self_attn.q_proj",
    "model.layers.11.mlp.down_proj",
    "lm_head",
    "model.embed_tokens",
    "model.layers.3.mlp.experts.7.up_proj.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fuzz_target!(|json: &[u8]| {
    let Ok((config, _notes)) = AdapterConfig::parse(json) else {
        return;
    };
    for module in MODULES {
        assert!(config.rank(module) > 0);
        assert!(config.scale(module).is_finite());
        config.is_target(module, module == "lm_head", module != "model.embed_tokens");
    }
    if cfg!(feature = "canary") {
        assert!(config.lora_rank != 7, "canary");
    }
});
