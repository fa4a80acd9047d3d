//! The functions from their definitions, f64.

use super::Activation;

/// `activation(gate) * up`.
#[must_use]
pub fn gated(kind: Activation, gate: f32, up: f32) -> f64 {
    let x = f64::from(gate);
    let activated = match kind {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => 0.5 * x * libm::erfc(-x / core::f64::consts::SQRT_2),
        Activation::GeluTanh => {
            let u = (2.0 / core::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            // 0.5 (1 + tanh(u)), in the form that keeps its digits where u is far below 0.
            x / (1.0 + (-2.0 * u).exp())
        }
    };
    activated * f64::from(up)
}

/// `cap tanh(x / cap)`.
#[must_use]
pub fn soft_cap(x: f32, cap: f32) -> f64 {
    let cap = f64::from(cap);
    cap * (f64::from(x) / cap).tanh()
}
