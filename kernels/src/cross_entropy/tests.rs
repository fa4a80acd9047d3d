use super::*;
use crate::params::ParamDtype;
use crate::simd::Isa;
use crate::testing::{bytes_of, random};

/// Models, targets and slabs of one test.
struct Case {
    rows: usize,
    hidden: usize,
    vocab: usize,
    x: Vec<Vec<f32>>,
    weights: Vec<u8>,
    targets: Vec<Target>,
}

impl Case {
    fn new(rows: usize, hidden: usize, vocab: usize, models: usize) -> Self {
        let scale = |v: Vec<f32>| v.into_iter().map(|v| 4.0 * v).collect();
        Self {
            rows,
            hidden,
            vocab,
            x: (0..models)
                .map(|i| scale(random(rows * hidden, 7 + i as u64)))
                .collect(),
            weights: bytes_of(&random(vocab * hidden, 3), ParamDtype::Bf16),
            // Two targets at row 0, none at row 1, one elsewhere; first and last token included.
            targets: (0..rows as u32)
                .filter(|&r| r != 1)
                .map(|row| Target {
                    row,
                    token: row * 97 % vocab as u32,
                })
                .chain([Target {
                    row: 0,
                    token: vocab as u32 - 1,
                }])
                .collect(),
        }
    }

    fn weights(&self) -> Params<'_> {
        Params::new(&self.weights, ParamDtype::Bf16, self.vocab, self.hidden).unwrap()
    }

    /// Sums of every model after slabs of `slab` tokens.
    fn run(&self, cpu: &Cpu, transform: LogitTransform, kl: bool, slab: usize) -> Vec<HeadSums> {
        let rows: Vec<HeadRows> = self
            .x
            .iter()
            .map(|x| HeadRows::pack(cpu, x, self.rows, self.hidden))
            .collect();
        let mut sums: Vec<HeadSums> = self
            .x
            .iter()
            .map(|_| HeadSums::new(self.rows, &self.targets).unwrap())
            .collect();
        for first in (0..self.vocab).step_by(slab) {
            let weights = self
                .weights()
                .slice_rows(first..self.vocab.min(first + slab));
            let models: Vec<HeadModel<'_>> = rows
                .iter()
                .map(|rows| HeadModel {
                    rows,
                    weights,
                    lora: None,
                    bias: None,
                    transform,
                })
                .collect();
            absorb(cpu, kl, &models, &mut sums).unwrap();
        }
        sums
    }

    fn logits(&self, model: usize, transform: LogitTransform) -> Vec<f64> {
        reference::logits(&self.x[model], &self.weights(), transform)
    }
}

fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!(
        (got - want).abs() <= tolerance,
        "{what}: {got}, expected {want}"
    );
}

#[test]
fn nll_matches_reference() {
    let transforms = [
        LogitTransform::default(),
        LogitTransform {
            scale: 0.25,
            soft_cap: None,
            round_to_bf16: false,
        },
        LogitTransform {
            scale: 1.0,
            soft_cap: Some(3.0),
            round_to_bf16: false,
        },
    ];
    for (rows, hidden, vocab) in [(3, 5, 7), (100, 64, 256), (97, 300, 1003), (2, 16, 257)] {
        let case = Case::new(rows, hidden, vocab, 1);
        for transform in transforms {
            let logits = case.logits(0, transform);
            for isa in Isa::available() {
                let cpu = Cpu::with_isa(2, isa).unwrap();
                let sums = case.run(&cpu, transform, false, 512);
                for (target, nll) in case.targets.iter().zip(sums[0].nll()) {
                    let row = &logits[target.row as usize * vocab..][..vocab];
                    let want = reference::logsumexp(row) - row[target.token as usize];
                    // f32 rounding of this row's logits.
                    let largest = row.iter().fold(0.0f64, |m, x| m.max(x.abs()));
                    close(
                        nll,
                        want,
                        1e-5 + 8e-7 * largest,
                        &format!("{isa:?} {rows}x{hidden}x{vocab} {target:?}"),
                    );
                }
            }
        }
    }
}

#[test]
fn kl_matches_reference() {
    let case = Case::new(100, 40, 531, 3);
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(2, isa).unwrap();
        let sums = case.run(&cpu, LogitTransform::default(), true, 256);
        let base = case.logits(0, LogitTransform::default());
        for model in [1, 2] {
            let own = case.logits(model, LogitTransform::default());
            for (row, kl) in sums[model].kl(&sums[0]).into_iter().enumerate() {
                let at = row * case.vocab..(row + 1) * case.vocab;
                let want = reference::kl(&own[at.clone()], &base[at]);
                close(
                    kl,
                    want,
                    1e-5 * want + 1e-6,
                    &format!("model {model} row {row}"),
                );
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_slabs_threads_company_or_set() {
    let case = Case::new(131, 70, 1300, 3);
    let bits = |sums: &HeadSums| -> Vec<u64> { sums.nll().iter().map(|v| v.to_bits()).collect() };
    let one = Cpu::with_isa(1, Isa::PORTABLE).unwrap();
    let want = case.run(&one, LogitTransform::default(), false, 1300);
    for isa in Isa::available() {
        for (threads, slab, kl) in [(1, 256, false), (3, 768, true), (2, 1280, false)] {
            let cpu = Cpu::with_isa(threads, isa).unwrap();
            let got = case.run(&cpu, LogitTransform::default(), kl, slab);
            for model in 0..3 {
                assert_eq!(
                    bits(&got[model]),
                    bits(&want[model]),
                    "{isa:?} {threads} {slab} {kl}"
                );
            }
        }
    }
    // One row alone.
    let mut alone = Case::new(1, 70, 1300, 1);
    alone.x[0] = case.x[0][130 * 70..].to_vec();
    alone.targets = vec![Target {
        row: 0,
        token: 130 * 97 % 1300,
    }];
    let got = alone.run(&one, LogitTransform::default(), false, 1300);
    let at = case.targets.iter().position(|t| t.row == 130).unwrap();
    assert_eq!(got[0].nll()[0].to_bits(), want[0].nll()[at].to_bits());
}

#[test]
fn a_low_rank_head_and_own_weights_match_reference() {
    let (rows, hidden, vocab, rank) = (9, 24, 300, 3);
    let case = Case::new(rows, hidden, vocab, 2);
    let cpu = Cpu::new(1).unwrap();
    let low: Vec<f32> = random(rows * rank, 20);
    let b = bytes_of(&random(vocab * rank, 21), ParamDtype::F32);
    let own = bytes_of(&random(vocab * hidden, 22), ParamDtype::F16);
    let bias = random(vocab, 23);
    let b = Params::new(&b, ParamDtype::F32, vocab, rank).unwrap();
    let own = Params::new(&own, ParamDtype::F16, vocab, hidden).unwrap();
    let (x0, x1) = (
        HeadRows::pack(&cpu, &case.x[0], rows, hidden),
        HeadRows::pack(&cpu, &case.x[1], rows, hidden),
    );
    let low_rows = HeadRows::pack(&cpu, &low, rows, rank);
    // Each model has a transform of its own.
    let capped = LogitTransform {
        scale: 0.5,
        soft_cap: Some(3.0),
        round_to_bf16: false,
    };
    let models = [
        HeadModel {
            rows: &x0,
            weights: case.weights(),
            lora: Some((&low_rows, b)),
            bias: None,
            transform: LogitTransform::default(),
        },
        HeadModel {
            rows: &x1,
            weights: own,
            lora: None,
            bias: Some(&bias),
            transform: capped,
        },
    ];
    let mut sums = [
        HeadSums::new(rows, &case.targets).unwrap(),
        HeadSums::new(rows, &case.targets).unwrap(),
    ];
    absorb(&cpu, false, &models, &mut sums).unwrap();
    let base = case.logits(0, LogitTransform::default());
    let delta = crate::linear::reference::linear(&low, &b, None);
    let first: Vec<f64> = base.iter().zip(delta).map(|(a, b)| a + b).collect();
    let second = crate::linear::reference::linear(&case.x[1], &own, Some(&bias));
    let second = second.into_iter().map(|x| 3.0 * (x * 0.5 / 3.0).tanh());
    let second: Vec<f64> = second.collect();
    for (logits, sums) in [first, second].iter().zip(&sums) {
        for (target, nll) in case.targets.iter().zip(sums.nll()) {
            let row = &logits[target.row as usize * vocab..][..vocab];
            close(
                nll,
                reference::logsumexp(row) - row[target.token as usize],
                2e-5,
                "own head",
            );
        }
    }
}

#[test]
fn bf16_logits_are_rounded_before_the_loss() {
    let case = Case::new(5, 33, 77, 1);
    let transform = LogitTransform {
        round_to_bf16: true,
        ..LogitTransform::default()
    };
    let cpu = Cpu::new(1).unwrap();
    let exact = case.run(&cpu, LogitTransform::default(), false, 256)[0].nll();
    let rounded = case.run(&cpu, transform, false, 256)[0].nll();
    let logits = case.logits(0, transform);
    for ((target, got), exact) in case.targets.iter().zip(rounded).zip(exact) {
        let row = &logits[target.row as usize * 77..][..77];
        // A logit may sit on a rounding boundary that f32 and f64 see differently: one bf16 step of a value below 64.
        close(
            got,
            reference::logsumexp(row) - row[target.token as usize],
            0.26,
            "rounded",
        );
        assert!((got - exact).abs() < 0.26);
    }
}

#[test]
fn nan_and_infinite_rows_are_not_finite() {
    let mut case = Case::new(4, 16, 300, 1);
    case.x[0][0] = f32::NAN;
    case.x[0][2 * 16] = f32::INFINITY;
    let cpu = Cpu::new(1).unwrap();
    let nll = case.run(&cpu, LogitTransform::default(), false, 256)[0].nll();
    for (target, nll) in case.targets.iter().zip(nll) {
        assert_eq!(nll.is_finite(), target.row == 3, "{target:?}: {nll}");
    }
}

#[test]
fn bad_slabs_are_named() {
    assert_eq!(
        HeadSums::new(2, &[Target { row: 2, token: 0 }]).err(),
        Some(HeadError::Row { row: 2, rows: 2 })
    );
    let case = Case::new(4, 16, 300, 1);
    let cpu = Cpu::new(1).unwrap();
    let rows = HeadRows::pack(&cpu, &case.x[0], 4, 16);
    let mut sums = [HeadSums::new(4, &case.targets).unwrap()];
    let model = |range| HeadModel {
        rows: &rows,
        weights: case.weights().slice_rows(range),
        lora: None,
        bias: None,
        transform: LogitTransform::default(),
    };
    absorb(&cpu, false, &[model(0..100)], &mut sums).unwrap();
    let error = absorb(&cpu, false, &[model(100..300)], &mut sums).unwrap_err();
    assert_eq!(
        error.to_string(),
        "head slab at token 100: model 0's first token's place in its block is 100, expected 0"
    );
    let nll = sums[0].nll();
    assert!(
        nll.last().unwrap().is_nan(),
        "a token that never went by has no likelihood"
    );
}

#[test]
#[should_panic(expected = "another instruction set")]
fn rows_packed_for_another_set_are_refused() {
    let case = Case::new(4, 16, 300, 1);
    let rows = HeadRows::pack(&Cpu::with_isa(1, Isa::PORTABLE).unwrap(), &case.x[0], 4, 16);
    let mut sums = [HeadSums::new(4, &case.targets).unwrap()];
    let model = HeadModel {
        rows: &rows,
        weights: case.weights(),
        lora: None,
        bias: None,
        transform: LogitTransform::default(),
    };
    let best = Cpu::new(1).unwrap();
    assert_ne!(
        best.isa(),
        Isa::PORTABLE,
        "another instruction set is not here to be tested"
    );
    let _ = absorb(&best, false, &[model], &mut sums);
}
