use super::*;
use crate::simd::Isa;
use crate::testing::{random, within};

/// Rows of queries, keys and values for `rows` rows.
struct Case {
    shape: AttentionShape,
    data: Vec<f32>,
    stride: usize,
    rows: usize,
}

impl Case {
    fn new(num_heads: usize, num_kv_heads: usize, head_dim: usize, rows: usize) -> Self {
        let stride = (num_heads + 2 * num_kv_heads) * head_dim;
        Self {
            shape: AttentionShape {
                num_heads,
                num_kv_heads,
                head_dim,
                scale: 3.0 * (head_dim as f32).powf(-0.5),
                window: None,
                soft_cap: None,
            },
            data: random(rows * stride, rows as u64),
            stride,
            rows,
        }
    }

    fn qkv(&self) -> Qkv<'_> {
        let k = self.shape.num_heads * self.shape.head_dim;
        let v = k + self.shape.num_kv_heads * self.shape.head_dim;
        Qkv {
            data: &self.data,
            stride: self.stride,
            k,
            v,
        }
    }

    fn run(&self, cpu: &Cpu, segments: &[Segment]) -> Vec<f32> {
        let mut out = vec![0.0; self.rows * self.shape.num_heads * self.shape.head_dim];
        attention(cpu, &self.shape, self.qkv(), segments, &mut out).unwrap();
        out
    }

    fn check(&self, segments: &[Segment], what: &str) {
        let want = reference::attention(&self.shape, self.qkv(), segments, self.rows);
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(2, isa).unwrap();
            within(
                &self.run(&cpu, segments),
                &want,
                2e-6,
                1e-6,
                &format!("{what} {isa:?}"),
            );
        }
    }
}

fn alone(lengths: &[usize]) -> Vec<Segment> {
    let mut start = 0;
    lengths
        .iter()
        .map(|n| {
            start += n;
            Segment::alone(start - n..start)
        })
        .collect()
}

#[test]
fn ragged_rows_and_heads_match_reference() {
    for (heads, kv, d) in [
        (4, 2, 16),
        (7, 1, 20),
        (3, 3, 36),
        (14, 2, 64),
        (2, 1, 300),
        (5, 5, 1),
    ] {
        let case = Case::new(heads, kv, d, 1 + 2 + 17 + 40);
        case.check(
            &alone(&[1, 2, 17, 40]),
            &format!("{heads}/{kv} heads of {d}"),
        );
    }
}

#[test]
fn rows_longer_than_every_block_match_reference() {
    for (window, soft_cap) in [
        (None, None),
        (Some(16), None),
        (Some(300), Some(0.7)),
        (Some(1), None),
    ] {
        let mut case = Case::new(2, 1, 8, 5 + 700);
        case.shape.window = window;
        case.shape.soft_cap = soft_cap;
        case.check(
            &alone(&[5, 700]),
            &format!("window {window:?} cap {soft_cap:?}"),
        );
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company_and_on_every_set() {
    for window in [None, Some(270)] {
        let mut case = Case::new(6, 2, 24, 650);
        case.shape.window = window;
        let mut first: Option<Vec<u32>> = None;
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(1, isa).unwrap();
            let whole = case.run(&cpu, &alone(&[30, 600, 20]));
            let single = case.run(&cpu, &[Segment::alone(30..630)]);
            let width = 6 * 24;
            assert_eq!(
                whole[30 * width..630 * width],
                single[30 * width..630 * width]
            );
            let bits: Vec<u32> = whole.iter().map(|v| v.to_bits()).collect();
            assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits, "{isa:?}");
        }
    }
}

#[test]
fn a_shared_prefix_gives_the_same_bits_as_its_copies() {
    let cpu = Cpu::new(2).unwrap();
    for window in [None, Some(33), Some(290)] {
        let (prefix, one, two) = (270, 40, 25);
        let mut case = Case::new(4, 2, 12, prefix + one + two);
        case.shape.window = window;
        let width = 4 * 12;
        let own = [prefix..prefix + one, prefix + one..prefix + one + two];
        let mut segments = vec![Segment::alone(0..prefix)];
        segments.extend(own.iter().map(|own| Segment {
            keys: vec![0..prefix, own.clone()],
        }));
        let shared = case.run(&cpu, &segments);
        for own in own {
            let mut copy = Case::new(4, 2, 12, prefix + own.len());
            copy.shape.window = window;
            copy.data = case.data[..prefix * case.stride].to_vec();
            copy.data
                .extend(&case.data[own.start * case.stride..own.end * case.stride]);
            let out = copy.run(&cpu, &[Segment::alone(0..copy.rows)]);
            assert_eq!(
                out[prefix * width..],
                shared[own.start * width..own.end * width]
            );
        }
        case.check(&segments, "shared prefix");
    }
}

#[test]
fn nan_reaches_every_later_query_and_no_earlier_one() {
    let cpu = Cpu::new(1).unwrap();
    let mut case = Case::new(1, 1, 4, 10);
    let (k, stride) = (case.qkv().k, case.stride);
    case.data[6 * stride + k] = f32::NAN;
    let out = case.run(&cpu, &alone(&[10]));
    for row in 0..10 {
        assert_eq!(out[row * 4].is_nan(), row >= 6, "row {row}");
    }
}

#[test]
fn bad_shapes_are_named() {
    let cpu = Cpu::new(1).unwrap();
    let case = Case::new(4, 2, 8, 6);
    let mut out = vec![0.0; 6 * 32];
    let mut shape = case.shape;
    shape.num_kv_heads = 3;
    assert!(matches!(
        attention(&cpu, &shape, case.qkv(), &alone(&[6]), &mut out),
        Err(AttentionError::Heads { .. })
    ));
    let short = &mut out[..5];
    assert_eq!(
        attention(&cpu, &case.shape, case.qkv(), &alone(&[6]), short)
            .unwrap_err()
            .to_string(),
        "attention over 6 rows: out has 5 values, expected at least 192"
    );
    let twice = [Segment::alone(0..4), Segment::alone(3..6)];
    assert_eq!(
        attention(&cpu, &case.shape, case.qkv(), &twice, &mut out),
        Err(AttentionError::Overlap { row: 3 })
    );
    assert_eq!(
        attention(&cpu, &case.shape, case.qkv(), &[], &mut out),
        Ok(())
    );
}
