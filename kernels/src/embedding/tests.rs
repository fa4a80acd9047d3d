use super::*;
use crate::params::ParamDtype;
use crate::testing::{bytes_of, random, within};

const DTYPES: [ParamDtype; 3] = [ParamDtype::Bf16, ParamDtype::F16, ParamDtype::F32];

#[test]
fn ragged_widths_and_odd_addresses_match_reference() {
    for isa in Isa::available() {
        for dtype in DTYPES {
            for cols in [1, 15, 16, 17, 36, 576] {
                let vocab = 11;
                let mut bytes = vec![0u8];
                bytes.extend(bytes_of(&random(vocab * cols, 1), dtype));
                let table = Params::new(&bytes[1..], dtype, vocab, cols).unwrap();
                let ids = [10, 0, 3, 3, 7];
                for multiplier in [1.0, 5.5] {
                    let mut out = vec![f32::NAN; ids.len() * cols];
                    embedding(isa, table, &ids, multiplier, &mut out).unwrap();
                    let want = reference::embedding(&table, &ids, f64::from(multiplier));
                    // Widening is exact, the product is rounded once.
                    let rel = if multiplier == 1.0 { 0.0 } else { 6e-8 };
                    within(&out, &want, 0.0, rel, &format!("{isa:?} {dtype:?} {cols}"));
                }
            }
        }
    }
}

#[test]
fn every_set_gives_the_same_bits() {
    let (vocab, cols) = (5, 37);
    for dtype in DTYPES {
        let bytes = bytes_of(&random(vocab * cols, 2), dtype);
        let table = Params::new(&bytes, dtype, vocab, cols).unwrap();
        let mut first = None;
        for isa in Isa::available() {
            let mut out = vec![0.0; 2 * cols];
            embedding(isa, table, &[4, 1], 33.941_124, &mut out).unwrap();
            let bits: Vec<u32> = out.iter().map(|v| v.to_bits()).collect();
            assert_eq!(
                first.get_or_insert_with(|| bits.clone()),
                &bits,
                "{isa:?} {dtype:?}"
            );
        }
    }
}

#[test]
fn an_id_outside_the_table_is_named_and_nothing_is_written() {
    let bytes = vec![0u8; 4 * 3 * 2];
    let table = Params::new(&bytes, ParamDtype::Bf16, 4, 3).unwrap();
    let mut out = [7.0; 9];
    let error = embedding(Isa::detect(), table, &[1, 4, 9], 1.0, &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token 1 has id 4, but the embedding has 4 rows"
    );
    assert_eq!(out, [7.0; 9]);
    let error = embedding(Isa::detect(), table, &[u32::MAX], 1.0, &mut out[..3]).unwrap_err();
    assert!(matches!(
        error,
        EmbeddingError::Id {
            token_idx: 0,
            id: u32::MAX,
            rows: 4
        }
    ));
    let error = embedding(Isa::detect(), table, &[1, 2], 1.0, &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "embedding 2 tokens of 3 values: out has 9 values"
    );
}

#[test]
fn no_tokens_and_no_columns_are_nothing_to_do() {
    let table = Params::new(&[], ParamDtype::F32, 3, 0).unwrap();
    embedding(Isa::detect(), table, &[2, 1], 1.0, &mut []).unwrap();
    embedding(Isa::detect(), table, &[], 1.0, &mut []).unwrap();
}
