use super::*;

fn row(ids: &[u32], scored: &[u32]) -> Row {
    Row {
        ids: ids.to_vec(),
        scored: scored.to_vec(),
        kl: Vec::new(),
    }
}

fn chunks(rows: &[Row], tokens: usize) -> Vec<Chunk> {
    let mut order = RowOrder::new(rows, |_| vec![LengthClass::Base]);
    std::iter::from_fn(|| order.next_chunk(tokens)).collect()
}

/// The tokens that a target's row of the head sees, in order.
fn seen(chunk: &Chunk, head_row: u32) -> Vec<u32> {
    let token = chunk.head_tokens[head_row as usize];
    let segment = chunk
        .segments
        .iter()
        .find(|s| s.queries().contains(&token))
        .unwrap();
    segment
        .keys
        .iter()
        .cloned()
        .flatten()
        .take_while(|&t| t <= token)
        .map(|t| chunk.ids[t])
        .collect()
}

/// Every row's targets see exactly the row's tokens before them, and positions count from 0.
fn check(rows: &[Row], chunks: &[Chunk]) {
    let mut done = Vec::new();
    for chunk in chunks {
        for (&row, outputs) in chunk.rows.iter().zip(&chunk.outputs) {
            done.push(row);
            for (target, &t) in chunk.targets[outputs.targets.clone()]
                .iter()
                .zip(&rows[row].scored)
            {
                assert_eq!(seen(chunk, target.row), rows[row].ids[..t as usize]);
                assert_eq!(target.token, rows[row].ids[t as usize]);
            }
            for (&head_row, &p) in outputs.kl.iter().zip(&rows[row].kl) {
                assert_eq!(seen(chunk, head_row), rows[row].ids[..=p as usize]);
            }
        }
        for segment in &chunk.segments {
            let positions: Vec<u32> = segment
                .keys
                .iter()
                .cloned()
                .flatten()
                .map(|t| chunk.positions[t])
                .collect();
            assert!(positions.iter().copied().eq(0..positions.len() as u32));
        }
        for segment in &chunk.last_segments {
            assert!(segment.queries().all(|t| t < chunk.tokens()));
            let full = chunk
                .segments
                .iter()
                .find(|s| s.queries().contains(&segment.queries().start))
                .unwrap();
            let keys: Vec<usize> = segment.keys.iter().cloned().flatten().collect();
            assert!(
                full.keys
                    .iter()
                    .cloned()
                    .flatten()
                    .take(keys.len())
                    .eq(keys)
            );
        }
        for &token in &chunk.head_tokens {
            assert!(
                chunk
                    .last_segments
                    .iter()
                    .any(|s| s.queries().contains(&token))
            );
        }
    }
    done.sort_unstable();
    let want: Vec<usize> = (0..rows.len())
        .filter(|&i| !rows[i].scored.is_empty() || !rows[i].kl.is_empty())
        .collect();
    assert_eq!(done, want);
}

#[test]
fn rows_without_anything_in_common_are_packed_end_to_end() {
    let rows = [
        row(&[5, 6, 7], &[1, 2]),
        row(&[1, 2, 3, 4], &[3]),
        row(&[9, 9], &[]),
    ];
    let packed = chunks(&rows, 1000);
    assert_eq!(packed.len(), 1);
    assert_eq!(
        packed[0].tokens(),
        2 + 3,
        "the last token of a row predicts nothing"
    );
    check(&rows, &packed);
}

#[test]
fn a_long_prefix_is_packed_once_and_a_short_one_is_not() {
    let prompt: Vec<u32> = (100..140).collect();
    let with = |tail: &[u32]| [&prompt[..], tail].concat();
    let rows = [
        row(&with(&[1, 2, 3]), &[40, 41, 42]),
        row(&with(&[1, 9]), &[40, 41]),
        row(&with(&[7, 7, 7, 7]), &[40, 43]),
        row(&prompt[..10], &[9]),
    ];
    let packed = chunks(&rows, 1000);
    check(&rows, &packed);
    // The short row is a prefix of the others, and the second of the first: they cost nothing.
    assert_eq!(packed[0].tokens(), 40 + 2 + 3);
    let rows = [row(&[1, 2, 3, 4], &[3]), row(&[1, 2, 9, 9], &[3])];
    let packed = chunks(&rows, 1000);
    assert_eq!(packed[0].tokens(), 6);
    check(&rows, &packed);
}

#[test]
fn equal_rows_are_computed_once_and_all_answered() {
    let rows = vec![row(&[4, 5, 6, 7], &[1, 3]); 5];
    let packed = chunks(&rows, 1000);
    assert_eq!(packed[0].tokens(), 3);
    assert_eq!(packed[0].rows.len(), 5);
    check(&rows, &packed);
}

#[test]
fn chunks_hold_what_they_may_and_never_lose_a_row() {
    let mut rows = Vec::new();
    for i in 0..200u32 {
        let n = 1 + (i * 37) % 90;
        rows.push(Row {
            ids: (0..n)
                .map(|t| if t < 30 { i % 3 } else { (i * 31 + t) % 11 })
                .collect(),
            scored: (1..n).filter(|t| (t + i) % 3 != 0).collect(),
            kl: (0..n).filter(|t| (t * i) % 5 == 1).collect(),
        });
    }
    for limit in [1, 64, 300, 100_000] {
        let packed = chunks(&rows, limit);
        check(&rows, &packed);
        for chunk in &packed {
            assert!(
                chunk.tokens() <= limit || chunk.rows.len() == 1,
                "{} in {limit}",
                chunk.tokens()
            );
        }
    }
}

#[test]
fn rows_of_different_length_classes_share_nothing() {
    let rows = [row(&[1; 40], &[39]), row(&[1; 60], &[59])];
    let mut order = RowOrder::new(&rows, |n| {
        vec![if n > 50 {
            LengthClass::Long
        } else {
            LengthClass::Base
        }]
    });
    let chunk = order.next_chunk(1000).unwrap();
    assert_eq!(chunk.tokens(), 39 + 59);
    assert_eq!(
        chunk.classes[0],
        [(0..39, LengthClass::Base), (39..98, LengthClass::Long)]
    );
}

#[test]
fn rows_that_each_begin_the_next_do_not_make_paths_of_single_tokens() {
    let all: Vec<u32> = (0..400).map(|t| t * 7 % 50).collect();
    let rows: Vec<Row> = (2..400).map(|n| row(&all[..n], &[n as u32 - 1])).collect();
    let packed = chunks(&rows, 1 << 20);
    check(&rows, &packed);
    let longest = packed[0].segments.iter().map(|s| s.keys.len()).max();
    assert!(
        longest.unwrap() <= 400 / SHARED_TOKENS_MIN + 1,
        "{longest:?}"
    );
}
