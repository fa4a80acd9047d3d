//! The shapes that are measured unless others are named.
//!
//! They are those of models that are evaluated: SmolLM2-135M (576 wide, 9:3 heads of 64), a 100M Llama (768), Qwen2.5-0.5B
//! (896, 14:2 heads of 64), Llama-3.2-1B (2048, 32:8 heads of 64), Gemma-2-2B (2304, 8:4 heads of 256), Llama-3.1-8B (4096,
//! 32:8 heads of 128); and some that divide nothing.

use super::Shape;

/// What a GPU is asked: as many rows as a chunk has, since a row alone does not fill it.
const GPU: &[&str] = &[
    "linear:8192x4096x4096",
    "linear:8192x6144x4096",
    "linear:8192x28672x4096",
    "linear:8192x4096x14336",
    "linear:8192x4096x4096,rank=16",
    "linear:8192x28672x4096,rank=16",
    "linear:8192x4096x14336,rank=64",
    "linear:8192x28672x4096,gate=silu",
    "linear:8192x9728x896",
    "linear:8192x896x4864",
    "linear:37x2048x2048",
    "linear:1000x1003x397",
    "cross_entropy:16384x131072x4096",
    "cross_entropy:4096x128256x4096",
    "cross_entropy:4096x151936x1536",
    "cross_entropy:16384x151936x896",
    "cross_entropy:4096x49152x576",
    "cross_entropy:16384x256000x2304,cap=30",
    "kl:4096x151936x896",
    "kl:16384x131072x4096,shared",
    "kl:16384x256000x2304,cap=30,shared",
    "attention:32x8x128,lengths=4*2048",
    "attention:32x8x128,lengths=2*4096",
    "attention:32x8x128,lengths=1*8192",
    "attention:14x2x64,lengths=16*512",
    "attention:12x2x128,lengths=4*2048",
    "attention:9x3x64,lengths=37+700+5+301+96+512+130",
    "attention:8x4x256,cap=50,lengths=4*1024,window=512",
    "rms_norm:8192x4096",
    "rms_norm:8192x896",
    "rms_norm:8192x4096,group=128",
    "add_normed:8192x4096",
    "layer_norm:8192x4096",
    "rope:8192x32x128",
    "rope:8192x14x64",
    "activation:8192x14336",
    "activation:8192x4864",
    "activation:8192x9216,kind=gelu_tanh",
    "embedding:8192x128256x4096",
    "gather:4096x8192x4096",
    "dora_scale:4096x4096x16",
];

const CPU: &[&str] = &[
    "linear:512x2048x2048",
    "linear:512x151936x896",
    "linear:512x32000x768",
    "linear:512x49152x576",
    "linear:512x960x576",
    "linear:512x576x576",
    "linear:512x3072x576",
    "linear:512x576x1536",
    "linear:512x1152x896",
    "linear:512x9728x896",
    "linear:512x896x4864",
    "linear:4096x2048x2048",
    "linear:37x2048x2048",
    "linear:512x1003x397",
    "cross_entropy:512x151936x896",
    "cross_entropy:512x32000x768",
    "cross_entropy:512x49152x576",
    "cross_entropy:2048x49152x576",
    "kl:512x49152x576",
    "attention:9x3x64,lengths=4*512",
    "attention:9x3x64,lengths=16*128",
    "attention:9x3x64,lengths=37+700+5+301+96+512+130",
    "attention:14x2x64,lengths=1*4096",
    "attention:32x8x64,lengths=4*512",
    "attention:16x8x128,lengths=2*1024,window=512",
    "attention:8x4x256,cap=50,lengths=2*1024",
    "lora:192x960x576x16",
    "lora:192x576x1536x16",
    "lora:192x2048x2048x16",
    "lora:192x2048x2048x64",
    "rms_norm:192x576",
    "rms_norm:192x896",
    "rms_norm:192x2048",
    "rms_norm:192x1024,group=128",
    "rope:192x12x64",
    "rope:192x40x64",
    "rope:192x8x256",
    "rope:192x7x20",
    "activation:192x1536",
    "activation:192x4864",
    "activation:192x1536,kind=gelu",
    "activation:192x1536,kind=gelu_tanh",
    "activation:192x9216,kind=gelu_tanh",
    "soft_cap:4096",
    "soft_cap:65536",
    "embedding:192x49152x576",
    "embedding:192x151936x896",
];

/// Every family once, at sizes that take no time and divide nothing: whether all of it works.
const TINY: &[&str] = &[
    "linear:37x67x40",
    "linear:33x70x64,rank=5",
    "linear:200x300x72",
    "linear:37x66x40,gate=silu",
    "cross_entropy:5x301x48",
    "cross_entropy:5x301x40,cap=30",
    "kl:3x130x40",
    "kl:3x130x48,shared",
    "kl:3x130x40,cap=30,shared",
    "attention:4x2x64,lengths=37+5+1",
    "attention:4x2x128,cap=50,lengths=37+150",
    "attention:2x1x256,cap=50,lengths=37+150",
    "lora:19x50x33x4",
    "rms_norm:5x97",
    "rms_norm:5x96,group=32",
    "add_normed:5x97",
    "layer_norm:5x97",
    "rope:5x3x64",
    "activation:5x67",
    "activation:3x24,kind=gelu_tanh",
    "soft_cap:4096",
    "embedding:7x50x33",
    "gather:7x50x40",
    "dora_scale:37x40x5",
];

fn parsed(texts: &[&str]) -> Vec<Shape> {
    let parse = |text: &&str| text.parse().expect("written by hand, read by a test");
    texts.iter().map(parse).collect()
}

/// The shapes of a CPU, or of a GPU.
#[must_use]
pub fn defaults(gpu: bool) -> Vec<Shape> {
    parsed(if gpu { GPU } else { CPU })
}

/// Every family at sizes that take no time.
#[must_use]
pub fn tiny() -> Vec<Shape> {
    parsed(TINY)
}
