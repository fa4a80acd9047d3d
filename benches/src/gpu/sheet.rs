//! What vendors say of their GPUs: dense bf16 with f32 sums, and device memory. A second column, never the limit.

use crate::result::Datasheet;

/// A part of the name, TFLOP/s, GB/s; the first that fits.
const SHEETS: [(&str, f64, f64); 11] = [
    ("H200", 989.4, 4800.0),
    ("H100 PCIe", 756.0, 2039.0),
    ("H100 NVL", 835.0, 3938.0),
    ("H100", 989.4, 3352.0),
    ("A100-SXM4-40GB", 312.0, 1555.0),
    ("A100", 312.0, 2039.0),
    ("L40S", 362.0, 864.0),
    ("RTX 4090", 165.2, 1008.0),
    ("RTX 3090", 71.0, 936.0),
    ("RTX A6000", 154.8, 768.0),
    ("L4", 121.0, 300.0),
];

/// Of the GPU called `name`, if it is known; of a MIG instance vendors say nothing.
pub(super) fn of(name: &str) -> Option<Datasheet> {
    if name.contains(" MIG ") {
        return None;
    }
    let (_, tflop_s, gb_s) = SHEETS.iter().find(|(part, ..)| name.contains(part))?;
    Some(Datasheet {
        gflop_s: tflop_s * 1e3,
        gb_s: *gb_s,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_more_special_name_wins_and_others_are_unknown() {
        assert_eq!(super::of("NVIDIA H100 80GB HBM3").unwrap().gb_s, 3352.0);
        assert_eq!(super::of("NVIDIA H100 PCIe").unwrap().gb_s, 2039.0);
        assert_eq!(super::of("NVIDIA L40S").unwrap().gb_s, 864.0);
        assert!(super::of("Emulated").is_none());
        assert!(super::of("NVIDIA H100 80GB HBM3 MIG 1g.10gb").is_none());
    }
}
