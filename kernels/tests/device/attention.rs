//! Attention on every GPU against its definition, and the bits of queries in different company.

use crate::streams;
use gradus_kernels::attention::device::{DeviceQkv, DeviceSegments, attention, prepare};
use gradus_kernels::attention::{AttentionShape, Qkv, Segment, reference};
use gradus_kernels::device::{DeviceRows, DeviceRowsMut, Stream, aligned_stride};
use half::bf16;

/// What nobody may write over.
const POISON: bf16 = bf16::from_bits(0x7fc1);

#[derive(Clone)]
pub(crate) struct Case {
    shape: AttentionShape,
    rows: usize,
    stride: usize,
    data: Vec<bf16>,
}

impl Case {
    pub(crate) fn new(num_heads: usize, num_kv_heads: usize, head_dim: usize, rows: usize) -> Self {
        let stride = aligned_stride((num_heads + 2 * num_kv_heads) * head_dim);
        let mut state = (head_dim * 1000 + rows) as u64;
        let data = (0..rows * stride).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bf16::from_f32((state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
        });
        Self {
            shape: AttentionShape {
                num_heads,
                num_kv_heads,
                head_dim,
                scale: 3.0 * (head_dim as f32).powf(-0.5),
                window: None,
                soft_cap: None,
            },
            rows,
            stride,
            data: data.collect(),
        }
    }

    fn windowed(mut self, window: usize) -> Self {
        self.shape.window = Some(window);
        self
    }

    pub(crate) fn capped(mut self, cap: f32) -> Self {
        self.shape.soft_cap = Some(cap);
        self
    }

    pub(crate) fn width(&self) -> usize {
        self.shape.num_heads * self.shape.head_dim
    }

    fn offsets(&self) -> (usize, usize) {
        let k = self.width();
        (k, k + self.shape.num_kv_heads * self.shape.head_dim)
    }

    /// The same with these rows only.
    pub(crate) fn with_rows(&self, rows: impl Iterator<Item = usize>) -> Self {
        let mut out = self.clone();
        out.data.clear();
        out.rows = 0;
        for row in rows {
            out.data
                .extend(&self.data[row * self.stride..(row + 1) * self.stride]);
            out.rows += 1;
        }
        out
    }

    /// `[rows, width]`, poison where nothing was written.
    fn run(&self, stream: &Stream, segments: &[Segment]) -> Vec<bf16> {
        let (width, (k, v)) = (self.width(), self.offsets());
        let stride = aligned_stride(width) + 8;
        let data = stream.upload("qkv", &self.data).unwrap();
        let mut out = stream
            .upload("out", &vec![POISON; self.rows * stride])
            .unwrap();
        let cols = v + self.shape.num_kv_heads * self.shape.head_dim;
        let rows = DeviceRows::new(data.view(), self.rows, cols, self.stride).unwrap();
        let segments = DeviceSegments::new(stream, segments).unwrap();
        let into = DeviceRowsMut::new(out.view_mut(), self.rows, width, stride).unwrap();
        attention(
            stream,
            &self.shape,
            DeviceQkv { rows, k, v },
            &segments,
            into,
        )
        .unwrap();
        let out = stream.download(out.view()).unwrap();
        let past = out
            .chunks(stride)
            .flat_map(|row| &row[width..])
            .find(|v| v.to_bits() != POISON.to_bits());
        assert_eq!(past, None, "columns past {width} were written");
        out.chunks(stride)
            .flat_map(|row| row[..width].to_vec())
            .collect()
    }

    pub(crate) fn bits(&self, stream: &Stream, segments: &[Segment]) -> Vec<u16> {
        self.run(stream, segments)
            .iter()
            .map(|v| v.to_bits())
            .collect()
    }

    pub(crate) fn check(&self, stream: &Stream, segments: &[Segment]) {
        let (k, v) = self.offsets();
        let data: Vec<f32> = self.data.iter().map(|v| v.to_f32()).collect();
        let qkv = Qkv {
            data: &data,
            stride: self.stride,
            k,
            v,
        };
        let want = reference::attention(&self.shape, qkv, segments, self.rows);
        let got = self.run(stream, segments);
        let width = self.width();
        let mut owned = vec![false; self.rows];
        for row in segments.iter().flat_map(Segment::queries) {
            owned[row] = true;
        }
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let at = format!("{:?}: row {}, column {}", self.shape, i / width, i % width);
            if !owned[i / width] {
                assert_eq!(got.to_bits(), POISON.to_bits(), "{at}: not a query's");
                continue;
            }
            // Values are below 1: weights rounded to bf16 err by 2^-9 of their sum, the result by 2^-9 of itself.
            let error = (got.to_f64() - want).abs();
            assert!(
                error <= 3e-3 + 2e-3 * want.abs(),
                "{at}: {got}, expected {want}"
            );
        }
    }
}

pub(crate) fn alone(lengths: &[usize]) -> Vec<Segment> {
    let mut start = 0;
    let next = |n: &usize| {
        start += n;
        Segment::alone(start - n..start)
    };
    lengths.iter().map(next).collect()
}

#[test]
fn every_head_size_matches_reference() {
    for stream in streams() {
        for (heads, kv, d) in [
            (5, 5, 1),
            (4, 2, 7),
            (2, 1, 16),
            (7, 1, 20),
            (2, 2, 40),
            (4, 1, 64),
            (3, 1, 72),
            (2, 1, 80),
            (2, 2, 96),
            (7, 1, 128),
            (2, 2, 131),
            (2, 1, 192),
            (2, 1, 256),
        ] {
            Case::new(heads, kv, d, 1 + 2 + 70).check(&stream, &alone(&[1, 2, 70]));
        }
    }
}

#[test]
fn rows_of_every_length_match_reference() {
    for stream in streams() {
        let lengths = [1, 63, 64, 65, 1, 1, 1, 300];
        let rows = lengths.iter().sum();
        Case::new(2, 1, 64, rows).check(&stream, &alone(&lengths));
        Case::new(1, 1, 128, rows).check(&stream, &alone(&lengths));
        let many = [1; 150];
        Case::new(4, 1, 64, 150).check(&stream, &alone(&many));
    }
}

#[test]
fn windows_and_caps_match_reference() {
    for stream in streams() {
        for window in [1, 5, 64, 100, 1000] {
            Case::new(2, 1, 64, 310)
                .windowed(window)
                .check(&stream, &alone(&[10, 300]));
            Case::new(1, 1, 18, 150)
                .windowed(window)
                .check(&stream, &alone(&[150]));
        }
        for window in [5, 100] {
            Case::new(1, 1, 256, 150)
                .windowed(window)
                .check(&stream, &alone(&[150]));
        }
        for cap in [0.1, 2.0, 50.0] {
            Case::new(2, 1, 64, 100)
                .capped(cap)
                .check(&stream, &alone(&[100]));
            Case::new(2, 1, 9, 100)
                .windowed(70)
                .capped(cap)
                .check(&stream, &alone(&[100]));
        }
    }
}

/// Caps up to 64 have kernels of their own for the two largest sizes of heads.
#[test]
fn caps_of_wide_heads_match_reference() {
    for stream in streams() {
        for (heads, kv, d, window, cap, scale) in [
            (2, 1, 104, 1000, 50.0, None),
            (7, 1, 128, 33, 2.0, None),
            (2, 2, 128, 1000, 65.0, None),
            (2, 1, 136, 1000, 30.0, None),
            (2, 1, 256, 100, 50.0, None),
            (1, 1, 256, 1000, 0.1, None),
            // Scores that tanh takes to the cap, and past what their exponentials can be multiplied at.
            (1, 1, 128, 1000, 3.0, Some(40.0)),
            (1, 1, 256, 1000, 64.0, Some(900.0)),
        ] {
            let mut case = Case::new(heads, kv, d, 210).windowed(window).capped(cap);
            case.shape.scale = scale.unwrap_or(case.shape.scale);
            case.check(&stream, &alone(&[1, 9, 200]));
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company() {
    for stream in streams() {
        for (d, window, cap) in [
            (24, 1000, None),
            (64, 70, None),
            (64, 1000, None),
            (128, 70, None),
            (20, 70, None),
            (128, 1000, Some(50.0)),
            (256, 70, Some(50.0)),
        ] {
            let mut case = Case::new(6, 2, d, 250).windowed(window);
            case.shape.soft_cap = cap;
            let all = case.bits(&stream, &alone(&[30, 200, 20]));
            let single = case.with_rows(30..230).bits(&stream, &alone(&[200]));
            let width = case.width();
            assert_eq!(all[30 * width..230 * width], single, "{d}, window {window}");
        }
    }
}

#[test]
fn a_query_has_the_same_bits_whatever_is_asked_beside_it() {
    for stream in streams() {
        for (d, window, cap) in [
            (64, 1000, None),
            (96, 33, None),
            (128, 33, None),
            (192, 1000, None),
            (11, 33, None),
            (128, 1000, Some(50.0)),
            (256, 33, Some(50.0)),
        ] {
            let mut case = Case::new(3, 1, d, 210).windowed(window);
            case.shape.soft_cap = cap;
            let width = case.width();
            let all = case.bits(&stream, &alone(&[210]));
            // From other first queries, blocks are cut elsewhere, and see other tiles of keys.
            for first in [1, 37, 150, 209] {
                let some = [Segment {
                    keys: vec![0..first, first..210],
                }];
                let bits = case.bits(&stream, &some);
                assert_eq!(
                    bits[first * width..],
                    all[first * width..],
                    "{d}, from {first}"
                );
                assert!(bits[..first * width].iter().all(|&b| b == POISON.to_bits()));
            }
        }
    }
}

#[test]
fn a_shared_prefix_gives_the_same_bits_as_its_copies() {
    for stream in streams() {
        for (d, window) in [(64, 1000), (64, 33), (128, 150), (12, 33)] {
            let (prefix, one, two) = (135, 40, 25);
            let case = Case::new(4, 2, d, prefix + one + two).windowed(window);
            let width = case.width();
            let own = [prefix..prefix + one, prefix + one..prefix + one + two];
            let mut segments = vec![Segment::alone(0..prefix)];
            segments.extend(own.iter().map(|own| Segment {
                keys: vec![0..50, 50..prefix, own.clone()],
            }));
            case.check(&stream, &segments);
            let shared = case.bits(&stream, &segments);
            for own in own {
                let copy = case.with_rows((0..prefix).chain(own.clone()));
                let bits = copy.bits(&stream, &alone(&[prefix + own.len()]));
                assert_eq!(
                    bits[prefix * width..],
                    shared[own.start * width..own.end * width],
                    "{d}, window {window}"
                );
            }
        }
    }
}

#[test]
fn nan_reaches_every_later_query_and_no_other_segment() {
    for stream in streams() {
        for (d, cap) in [(64, None), (4, None), (128, Some(50.0))] {
            let mut case = Case::new(1, 1, d, 30);
            case.shape.soft_cap = cap;
            let (k, _) = case.offsets();
            case.data[16 * case.stride + k] = bf16::NAN;
            let out = case.run(&stream, &alone(&[10, 10, 10]));
            for row in 0..30 {
                let nan = out[row * d].is_nan();
                assert_eq!(nan, (16..20).contains(&row), "head size {d}, row {row}");
            }
        }
    }
}

#[test]
fn nothing_is_asked_and_wrong_arguments_are_named() {
    for stream in streams() {
        let case = Case::new(4, 2, 8, 6);
        assert!(case.run(&stream, &[]).iter().all(|v| v.is_nan()));
        let twice = [Segment::alone(0..4), Segment::alone(3..6)];
        let error = DeviceSegments::new(&stream, &twice)
            .unwrap_err()
            .to_string();
        assert!(error.contains("is 3, expected each row in one"), "{error}");

        let segments = DeviceSegments::new(&stream, &alone(&[6])).unwrap();
        let refused = |change: &dyn Fn(&mut AttentionShape)| {
            let mut shape = case.shape;
            change(&mut shape);
            prepare(&stream, &shape, 32, 48, &segments)
                .unwrap_err()
                .to_string()
        };
        for (error, part) in [
            (refused(&|s| s.num_kv_heads = 3), "multiple of the 3"),
            (refused(&|s| s.head_dim = 257), "head_dim is 257"),
            (refused(&|s| s.scale = -1.0), "scale is -1"),
            (refused(&|s| s.soft_cap = Some(0.0)), "soft_cap is 0"),
            (refused(&|s| s.window = Some(0)), "window is 0"),
        ] {
            assert!(error.contains(part), "{error}");
        }
        let data = stream.upload("qkv", &case.data).unwrap();
        let mut out = stream.upload("out", &[POISON; 6 * 32]).unwrap();
        let rows = DeviceRows::new(data.view(), 6, 64, 64).unwrap();
        for (cut, k, v, part) in [
            (6, 32, 56, "the end of the value heads is 72"),
            (5, 32, 48, "the rows of qkv is 5"),
        ] {
            let qkv = DeviceQkv {
                rows: rows.slice(0, cut),
                k,
                v,
            };
            let into = DeviceRowsMut::new(out.view_mut(), 6, 32, 32).unwrap();
            let error = attention(&stream, &case.shape, qkv, &segments, into).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

/// Bits of kernels whose threads meet.
pub(crate) fn sample(stream: &Stream) -> Vec<u32> {
    [
        (4, 2, 64, None),
        (1, 1, 128, None),
        (1, 1, 192, None),
        (2, 1, 10, None),
        (1, 1, 128, Some(50.0)),
        (2, 1, 256, Some(50.0)),
    ]
    .into_iter()
    .flat_map(|(heads, kv, d, cap)| {
        let mut case = Case::new(heads, kv, d, 150).windowed(100);
        case.shape.soft_cap = cap;
        case.bits(stream, &alone(&[20, 130]))
    })
    .map(u32::from)
    .collect()
}
