use super::*;
use crate::testing::{random, within};
use serde_json::Value;

/// What transformers 5.17 computes in double precision; see the script beside the file.
const GOLDEN: &str = include_str!("../../../tests/golden/rope/rope.json");

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect()
}

fn scaling_of(case: &Value) -> RopeScaling {
    let parameters = &case["rope_parameters"];
    let number = |name: &str| parameters[name].as_f64();
    let length = |value: &Value| usize::try_from(value.as_u64().expect("a length")).unwrap();
    let original = || length(&parameters["original_max_position_embeddings"]);
    match parameters["rope_type"].as_str().unwrap() {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear {
            factor: number("factor").unwrap(),
        },
        "dynamic" => RopeScaling::Dynamic {
            factor: number("factor").unwrap(),
            max_positions: length(&case["max_position_embeddings"]),
        },
        "llama3" => RopeScaling::Llama3 {
            factor: number("factor").unwrap(),
            low_freq_factor: number("low_freq_factor").unwrap(),
            high_freq_factor: number("high_freq_factor").unwrap(),
            original_max_positions: original(),
        },
        "yarn" => RopeScaling::Yarn {
            factor: number("factor").unwrap(),
            original_max_positions: original(),
            beta_fast: number("beta_fast").unwrap_or(32.0),
            beta_slow: number("beta_slow").unwrap_or(1.0),
            truncate: parameters["truncate"].as_bool().unwrap_or(true),
            attention_factor: case["attention_factor"].as_f64().unwrap(),
        },
        "longrope" => RopeScaling::LongRope {
            short_factor: numbers(&parameters["short_factor"]),
            long_factor: numbers(&parameters["long_factor"]),
            original_max_positions: original(),
            attention_factor: case["attention_factor"].as_f64().unwrap(),
        },
        other => panic!("no such scaling: {other}"),
    }
}

#[test]
fn every_scaling_equals_transformers_in_double_precision() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for case in golden["cases"].as_array().unwrap() {
        let tokens = usize::try_from(case["tokens"].as_u64().unwrap()).unwrap();
        let name = format!("{} with {tokens} tokens", case["name"]);
        kinds.insert(case["rope_parameters"]["rope_type"].to_string());
        let head_dim = usize::try_from(case["head_dim"].as_u64().unwrap()).unwrap();
        let rotary_dim = rotary_dim(head_dim, case["partial_rotary_factor"].as_f64().unwrap());
        let theta = case["rope_parameters"]["rope_theta"].as_f64().unwrap();
        let rope = Rope::new(theta, rotary_dim, scaling_of(case)).unwrap();

        let class = rope.class(tokens);
        let (got, want) = (rope.inv_freq(class), numbers(&case["inv_freq"]));
        assert_eq!(got.len(), want.len(), "{name}");
        for (got, want) in got.iter().zip(&want) {
            assert!(
                (got / want - 1.0).abs() < 1e-13,
                "{name}: {got}, expected {want}"
            );
        }
        let table = RopeTable::new(&rope, class, tokens);
        assert_eq!(
            (table.positions(), table.rotary_dim()),
            (tokens, rotary_dim)
        );
        for (i, position) in numbers(&case["positions"]).into_iter().enumerate() {
            let position = position as usize;
            // One rounding to f32 of values up to the attention factor.
            within(
                table.cos(position),
                &numbers(&case["cos"][i]),
                1e-9,
                6e-8,
                &name,
            );
            within(
                table.sin(position),
                &numbers(&case["sin"][i]),
                1e-9,
                6e-8,
                &name,
            );
        }
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

#[test]
fn a_class_is_a_property_of_the_row_alone() {
    let dynamic = RopeScaling::Dynamic {
        factor: 2.0,
        max_positions: 48,
    };
    let dynamic = Rope::new(1e4, 32, dynamic).unwrap();
    assert_eq!(dynamic.class(48), LengthClass::Base);
    assert_eq!(dynamic.class(49), LengthClass::Stretched(49));
    assert_ne!(dynamic.class(49), dynamic.class(50));
    let long = RopeScaling::LongRope {
        short_factor: vec![1.0; 16],
        long_factor: vec![2.0; 16],
        original_max_positions: 24,
        attention_factor: 1.0,
    };
    let long = Rope::new(1e4, 32, long).unwrap();
    assert_eq!(
        (long.class(24), long.class(25)),
        (LengthClass::Base, LengthClass::Long)
    );
    assert_eq!(long.class(25), long.class(4000));
    let plain = Rope::new(1e4, 32, RopeScaling::Linear { factor: 4.0 }).unwrap();
    assert_eq!(plain.class(1 << 20), LengthClass::Base);
}

const LAYOUTS: [RopeLayout; 2] = [RopeLayout::HalfSplit, RopeLayout::Interleaved];

/// (heads, head_dim, rotary_dim): ragged, partial, whole vectors.
const HEADS: [(usize, usize, usize); 7] = [
    (1, 2, 2),
    (7, 20, 20),
    (3, 36, 18),
    (2, 64, 64),
    (5, 80, 34),
    (1, 128, 128),
    (2, 30, 22),
];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn rotated_heads_match_reference_and_the_rest_is_kept() {
    let positions = [0, 3, 3, 900, 1];
    for isa in Isa::available() {
        for layout in LAYOUTS {
            for (heads, head_dim, rotary_dim) in HEADS {
                let rope = Rope::new(1e4, rotary_dim, RopeScaling::None).unwrap();
                let table = RopeTable::new(&rope, LengthClass::Base, 901);
                let inv_freq = rope.inv_freq(LengthClass::Base);
                let (cols, stride) = (heads * head_dim, heads * head_dim + 3);
                let x = random(positions.len() * stride, 1);
                let mut y = x.clone();
                let rows = RowsMut::new(&mut y, positions.len(), cols, stride).unwrap();
                rotate(isa, rows, head_dim, &table, &positions, layout).unwrap();
                for (row, &position) in positions.iter().enumerate() {
                    let (x, y) = (&x[row * stride..][..stride], &y[row * stride..][..stride]);
                    for (x, y) in x[..cols].chunks(head_dim).zip(y.chunks(head_dim)) {
                        let want = reference::rotate(x, &inv_freq, 1.0, position, layout);
                        // Two products of values up to 1 and factors rounded to f32.
                        let what = format!("{isa:?} {layout:?} {heads} x {head_dim}");
                        within(y, &want, 2.5e-7, 0.0, &what);
                        assert_eq!(
                            bits(&x[rotary_dim..]),
                            bits(&y[rotary_dim..]),
                            "{what}: not rotated"
                        );
                    }
                    assert_eq!(bits(&x[cols..]), bits(&y[cols..]), "values between rows");
                }
            }
        }
    }
}

#[test]
fn every_set_gives_the_same_bits() {
    for layout in LAYOUTS {
        for (heads, head_dim, rotary_dim) in HEADS {
            let rope = Rope::new(5e5, rotary_dim, RopeScaling::Linear { factor: 3.0 }).unwrap();
            let table = RopeTable::new(&rope, LengthClass::Base, 40);
            let x = random(2 * heads * head_dim, 2);
            let mut first = None;
            for isa in Isa::available() {
                let mut y = x.clone();
                let cols = heads * head_dim;
                let rows = RowsMut::new(&mut y, 2, cols, cols).unwrap();
                rotate(isa, rows, head_dim, &table, &[39, 7], layout).unwrap();
                assert_eq!(
                    first.get_or_insert_with(|| bits(&y)),
                    &bits(&y),
                    "{isa:?} {head_dim}"
                );
            }
        }
    }
}

#[test]
fn a_token_has_the_same_bits_whatever_its_neighbours() {
    let rope = Rope::new(1e4, 36, RopeScaling::None).unwrap();
    let table = RopeTable::new(&rope, LengthClass::Base, 64);
    let longer = RopeTable::new(&rope, LengthClass::Base, 200);
    let x = random(9 * 72, 3);
    let mut together = x.clone();
    let positions: Vec<u32> = (20..29).collect();
    let rows = RowsMut::new(&mut together, 9, 72, 72).unwrap();
    rotate(
        Isa::detect(),
        rows,
        36,
        &table,
        &positions,
        RopeLayout::HalfSplit,
    )
    .unwrap();
    for row in 0..9 {
        let mut alone = x[row * 72..][..72].to_vec();
        let view = RowsMut::new(&mut alone, 1, 72, 72).unwrap();
        let position = &positions[row..=row];
        rotate(
            Isa::detect(),
            view,
            36,
            &longer,
            position,
            RopeLayout::HalfSplit,
        )
        .unwrap();
        assert_eq!(bits(&alone), bits(&together[row * 72..][..72]), "row {row}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_named_and_change_nothing() {
    let rope = Rope::new(1e4, 8, RopeScaling::None).unwrap();
    let table = RopeTable::new(&rope, LengthClass::Base, 4);
    let mut x = [1.0; 16];
    let mut run = |head_dim, positions: &[u32]| {
        let rows = RowsMut::new(&mut x, 2, 8, 8).unwrap();
        rotate(
            Isa::detect(),
            rows,
            head_dim,
            &table,
            positions,
            RopeLayout::HalfSplit,
        )
    };
    let error = run(8, &[1, 4]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rope: row 1 is at position 4, but the table ends at 4"
    );
    assert_eq!(
        run(8, &[1]),
        Err(RotateError::Positions { rows: 2, found: 1 })
    );
    for head_dim in [0, 4, 6] {
        let error = RotateError::Heads {
            cols: 8,
            head_dim,
            rotary_dim: 8,
        };
        assert_eq!(run(head_dim, &[1, 2]), Err(error));
    }
    assert_eq!(x, [1.0; 16]);
}

#[test]
fn parameters_that_describe_no_rotation_are_refused() {
    let refused = |theta, dim, scaling| Rope::new(theta, dim, scaling).unwrap_err().to_string();
    for dim in [0, 1, 7] {
        assert!(refused(1e4, dim, RopeScaling::None).contains("rotary_dim is"));
    }
    for theta in [0.0, 1.0, -3.0, f64::NAN, f64::INFINITY] {
        assert!(refused(theta, 8, RopeScaling::None).contains("theta is"));
    }
    assert_eq!(
        refused(1e4, 8, RopeScaling::Linear { factor: 0.0 }),
        "rope: factor is 0, expected a positive number"
    );
    let dynamic = RopeScaling::Dynamic {
        factor: 2.0,
        max_positions: 8,
    };
    assert!(refused(1e4, 2, dynamic).contains("at least 4"));
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 4.0,
        high_freq_factor: 4.0,
        original_max_positions: 8192,
    };
    assert!(refused(1e4, 8, llama3).contains("high_freq_factor"));
    let long = RopeScaling::LongRope {
        short_factor: vec![1.0; 4],
        long_factor: vec![1.0; 3],
        original_max_positions: 24,
        attention_factor: 1.0,
    };
    assert_eq!(
        refused(1e4, 8, long),
        "rope: long_factor has 3 factors, but rotary_dim = 8 has 4 pairs"
    );
}
