//! config.json and the shard index. What is accepted can be computed with: nothing zero, nothing infinite, lengths agree.
#![no_main]

use gradus_checkpoint::checkpoint::parse_index;
use gradus_checkpoint::{ModelConfig, RopeConfig, RopeKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    if let Ok(shards) = parse_index(json) {
        assert!(
            shards
                .keys()
                .all(|name| !name.contains('/') && name.ends_with(".safetensors"))
        );
    }
    let Ok(config) = ModelConfig::parse(json) else {
        return;
    };
    assert!(config.num_heads.is_multiple_of(config.num_kv_heads));
    assert_eq!(config.layers.len(), config.num_layers);
    assert!(config.layers.iter().all(|layer| layer.window != Some(0)));
    let widths = [
        config.vocab_size,
        config.hidden_size,
        config.intermediate_size,
        config.head_dim,
        config.num_layers,
    ];
    assert!(
        widths.iter().all(|n| (1..=1 << 24).contains(n)),
        "{config:?}"
    );
    assert!(config.num_heads * config.head_dim <= 1 << 24, "{config:?}");
    assert!(config.max_position_embeddings > 0);
    let numbers = [
        config.rms_norm_eps,
        config.embedding_multiplier,
        config.residual_multiplier,
        config.logits_scaling,
    ];
    assert!(numbers.iter().all(|x| x.is_finite()) && config.logits_scaling != 0.0);
    let optional = [
        config.attention_scale,
        config.attn_logit_softcap,
        config.final_logit_softcap,
    ];
    assert!(optional.iter().flatten().all(|x| x.is_finite()));
    check_rope(&config.rope, config.head_dim);
    if let Some(rope) = &config.local_rope {
        check_rope(rope, config.head_dim);
    }
    if cfg!(feature = "canary") {
        assert!(config.head_dim != 14, "canary");
    }
});

fn check_rope(rope: &RopeConfig, head_dim: usize) {
    assert!(rope.theta.is_finite() && rope.theta > 1.0);
    assert!(rope.rotary_dim.is_multiple_of(2) && (1..=head_dim).contains(&rope.rotary_dim));
    match &rope.kind {
        RopeKind::LongRope {
            short,
            long,
            attention_factor,
            ..
        } => {
            assert!(
                attention_factor.is_finite()
                    && short.len() == long.len()
                    && short.len() * 2 == rope.rotary_dim
            );
            assert!(short.iter().chain(long).all(|x| x.is_finite() && *x > 0.0));
        }
        RopeKind::Yarn {
            factor,
            attention_factor,
            ..
        } => assert!(factor.is_finite() && attention_factor.is_finite()),
        _ => {}
    }
}
