use super::*;
use crate::params::ParamDtype;
use crate::testing::{bytes_of, random, within};

fn stored(rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    bytes_of(&random(rows * cols, seed), ParamDtype::F32)
}

fn view(bytes: &[u8], rows: usize, cols: usize) -> Params<'_> {
    Params::new(bytes, ParamDtype::F32, rows, cols).unwrap()
}

#[test]
fn stacked_adapters_match_reference() {
    let (rows, input) = (29, 70);
    let x = random(rows * input, 1);
    // (out features, rank, offset, scale)
    for parts in [
        vec![(40, 4, 0, 2.0)],
        vec![(33, 5, 0, 0.5), (20, 16, 50, 1.5)],
        vec![(64, 64, 3, 1.0)],
    ] {
        let width = 80;
        let bytes: Vec<_> = parts
            .iter()
            .map(|&(out, rank, ..)| {
                (
                    stored(rank, input, rank as u64),
                    stored(out, rank, out as u64),
                )
            })
            .collect();
        let bias = random(64, 9);
        let views: Vec<LoraPart<'_>> = parts
            .iter()
            .zip(&bytes)
            .map(|(&(out, rank, offset, scale), (a, b))| LoraPart {
                a: view(a, rank, input),
                b: view(b, out, rank),
                scale,
                bias: (out == 20).then_some(&bias[..20]),
                offset,
            })
            .collect();
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(1, isa).unwrap();
            let packed = PackedLora::pack(&cpu, &views);
            let mut panels = RowPanels::default();
            panels.pack(isa, &x, rows, input, input);
            let start = random(rows * width, 4);
            let mut out = start.clone();
            packed.apply(isa, &panels, &mut LoraScratch::default(), &mut out, width);
            let mut want: Vec<f64> = start.iter().map(|&v| f64::from(v)).collect();
            for part in &views {
                let delta = reference::lora(&x, &part.a, &part.b, f64::from(part.scale));
                for (i, d) in delta.into_iter().enumerate() {
                    let (row, col) = (i / part.b.rows(), i % part.b.rows());
                    let bias = part
                        .bias
                        .map_or(0.0, |b| f64::from(part.scale) * f64::from(b[col]));
                    want[row * width + part.offset + col] += d + bias;
                }
            }
            within(&out, &want, 5e-5, 2e-6, &format!("{isa:?} {parts:?}"));
        }
    }
}

#[test]
fn dora_scale_is_magnitude_over_the_merged_norm() {
    let (out, input, rank) = (13, 37, 3);
    let (w, a, b) = (
        stored(out, input, 1),
        stored(rank, input, 2),
        stored(out, rank, 3),
    );
    let magnitude = random(out, 4);
    let cpu = Cpu::new(2).unwrap();
    let (w, a, b) = (
        view(&w, out, input),
        view(&a, rank, input),
        view(&b, out, rank),
    );
    let got = dora_scale(&cpu, w, a, b, 0.7, &magnitude);
    let want: Vec<f64> = (0..out)
        .map(|n| {
            let square: f64 = (0..input)
                .map(|k| {
                    let delta: f64 = (0..rank)
                        .map(|r| f64::from(b.get(n, r)) * f64::from(a.get(r, k)))
                        .sum();
                    (f64::from(w.get(n, k)) + f64::from(0.7f32) * delta).powi(2)
                })
                .sum();
            f64::from(magnitude[n]) / square.sqrt()
        })
        .collect();
    within(&got, &want, 1e-7, 1e-6, "dora");
}
