//! What happens to sums on a device: a kernel's argument, and which of the kernels that are compiled for some transforms takes it.

use super::LogitTransform;
use crate::device::check::refused;
use crate::device::{DeviceError, DeviceView};
use core::f64::consts::LOG2_E;

/// `HeadTransform` of `head.cuh`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Transform {
    column_scale: u64,
    bias: u64,
    scale: f32,
    soft_cap: f32,
    round_to_bf16: u32,
    cap_in: f32,
}
const _: () = assert!(
    size_of::<Transform>() == 32
        && core::mem::offset_of!(Transform, bias) == 8
        && core::mem::offset_of!(Transform, scale) == 16
        && core::mem::offset_of!(Transform, round_to_bf16) == 24
        && core::mem::offset_of!(Transform, cap_in) == 28
);

impl Transform {
    /// * `column_scale`, `bias`: a factor and an addend of each token's sum
    pub(super) fn new(
        op: &str,
        transform: LogitTransform,
        column_scale: Option<DeviceView<'_, f32>>,
        bias: Option<DeviceView<'_, f32>>,
    ) -> Result<Self, DeviceError> {
        let LogitTransform {
            scale, soft_cap, ..
        } = transform;
        if let Some(cap) = soft_cap.filter(|cap| cap.is_nan() || *cap <= 0.0) {
            return refused(op, "the soft cap", cap, "more than 0");
        }
        let cap_in = |cap| (2.0 * LOG2_E * f64::from(scale) / f64::from(cap)) as f32;
        Ok(Self {
            column_scale: column_scale.map_or(0, |view| view.ptr()),
            bias: bias.map_or(0, |view| view.ptr()),
            scale,
            soft_cap: soft_cap.unwrap_or(0.0),
            round_to_bf16: u32::from(transform.round_to_bf16),
            cap_in: soft_cap.map_or(0.0, cap_in),
        })
    }
}

/// `HeadKind` of `head.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Logits are sums times a scale.
    Scaled,
    /// Then a soft cap, whose exponentials f32 holds.
    Capped,
    /// Any transform.
    Any,
}

/// Largest soft cap of [`Kind::Capped`].
const CAP_MOST: f32 = 64.0;

impl Kind {
    /// * `has_vectors`: tokens have factors or addends of their own
    pub(super) fn of(transform: LogitTransform, has_vectors: bool) -> Self {
        match transform.soft_cap {
            _ if has_vectors || transform.round_to_bf16 => Kind::Any,
            None => Kind::Scaled,
            Some(cap) if cap <= CAP_MOST => Kind::Capped,
            Some(_) => Kind::Any,
        }
    }

    /// The kernel that takes a model and its base.
    pub(super) fn with(self, base: Self) -> Self {
        if self == base { self } else { Kind::Any }
    }

    /// Whether sums of such a model have the same bits from a kernel of kind `kernel`.
    pub(super) fn has_same_bits_in(self, kernel: Self) -> bool {
        self != Kind::Capped || kernel == Kind::Capped
    }
}
