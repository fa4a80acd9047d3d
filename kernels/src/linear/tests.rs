use super::*;
use crate::params::ParamDtype;
use crate::testing::{bytes_of, random, within};

/// Shapes that divide nothing, and the tile's edges.
const SHAPES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (12, 32, 256),
    (13, 33, 257),
    (11, 31, 15),
    (25, 16, 600),
    (37, 1003, 64),
    (5, 47, 513),
    (200, 70, 40),
    (3, 640, 19),
];

#[test]
fn ragged_shapes_match_reference() {
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(2, isa).unwrap();
        for (m, n, k) in SHAPES {
            for dtype in [ParamDtype::Bf16, ParamDtype::F16, ParamDtype::F32] {
                let x = random(m * k, 1);
                let bytes = bytes_of(&random(n * k, 2), dtype);
                let w = Params::new(&bytes, dtype, n, k).unwrap();
                let bias = random(n, 3);
                let mut packed = PackedWeights::new();
                packed.pack(&cpu, w);
                let mut out = vec![f32::NAN; m * n];
                linear(&cpu, &x, m, &packed, Some(&bias), &mut out).unwrap();
                let want = reference::linear(&x, &w, Some(&bias));
                // f32 rounding of k products of values up to 1: partial sums of about sqrt(k), each rounded once.
                within(
                    &out,
                    &want,
                    8e-7 * (k as f64).sqrt() + 1e-6,
                    1e-6,
                    &format!("{isa:?} {m}x{n}x{k} {dtype:?}"),
                );
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_in_a_batch_and_on_every_set() {
    let (m, n, k) = (61, 97, 700);
    let x = random(m * k, 4);
    let bytes = bytes_of(&random(n * k, 5), ParamDtype::Bf16);
    let w = Params::new(&bytes, ParamDtype::Bf16, n, k).unwrap();
    let mut first: Option<Vec<u32>> = None;
    for isa in Isa::available() {
        for threads in [1, 3] {
            let cpu = Cpu::with_isa(threads, isa).unwrap();
            let mut packed = PackedWeights::new();
            packed.pack(&cpu, w);
            let mut whole = vec![0.0; m * n];
            linear(&cpu, &x, m, &packed, None, &mut whole).unwrap();
            for row in [0, 11, 12, 60] {
                let mut alone = vec![0.0; n];
                linear(&cpu, &x[row * k..][..k], 1, &packed, None, &mut alone).unwrap();
                assert_eq!(alone, whole[row * n..][..n], "row {row}");
            }
            let bits: Vec<u32> = whole.iter().map(|v| v.to_bits()).collect();
            assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits, "{isa:?}");
        }
    }
}

#[test]
fn stacked_weights_equal_their_parts() {
    let cpu = Cpu::new(1).unwrap();
    for parts in [[32, 64, 7], [5, 33, 40]] {
        let k = 50;
        let x = random(4 * k, 6);
        let stored: Vec<Vec<u8>> = parts
            .iter()
            .map(|&n| bytes_of(&random(n * k, n as u64), ParamDtype::Bf16))
            .collect();
        let views: Vec<Params<'_>> = parts
            .iter()
            .zip(&stored)
            .map(|(&n, b)| Params::new(b, ParamDtype::Bf16, n, k).unwrap())
            .collect();
        let mut packed = PackedWeights::new();
        packed.pack_stacked(&cpu, &views);
        let n = packed.out_features();
        let mut out = vec![0.0; 4 * n];
        linear(&cpu, &x, 4, &packed, None, &mut out).unwrap();
        for row in 0..4 {
            let want: Vec<f64> = views
                .iter()
                .flat_map(|w| reference::linear(&x[row * k..][..k], w, None))
                .collect();
            within(&out[row * n..][..n], &want, 1e-5, 1e-6, "stacked");
        }
    }
}

#[test]
fn wrong_lengths_are_named() {
    let cpu = Cpu::new(1).unwrap();
    let bytes = vec![0u8; 2 * 3 * 4];
    let mut packed = PackedWeights::new();
    packed.pack(&cpu, Params::new(&bytes, ParamDtype::Bf16, 3, 4).unwrap());
    let error = linear(&cpu, &[0.0; 7], 2, &packed, None, &mut [0.0; 6]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "linear [2, 4] x [3, 4]^T: x has 7 values, expected 8"
    );
    assert!(Params::new(&bytes, ParamDtype::Bf16, 3, 5).is_err());
    assert!(Params::new(&bytes, ParamDtype::Bf16, usize::MAX, 5).is_err());
}

#[test]
#[should_panic(expected = "another instruction set")]
fn rows_packed_for_another_set_are_refused() {
    let (cpu, x, w) = (Cpu::new(1).unwrap(), vec![1.0; 32], vec![1.0; 32]);
    let mut weights = PackedWeights::new();
    weights.pack(&cpu, Params::from_f32(&w, 2, 16));
    let mut panels = RowPanels::default();
    panels.pack(Isa::PORTABLE, &x, 2, 16, 16);
    assert_ne!(
        cpu.isa(),
        Isa::PORTABLE,
        "another instruction set is not here to be tested"
    );
    product(cpu.isa(), &panels, &weights, &mut [0.0; 4], 2, Output::Set);
}
