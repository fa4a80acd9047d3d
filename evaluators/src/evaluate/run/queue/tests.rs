use super::*;
use crate::layout::Row;
use gradus_kernels::rope::LengthClass;
use std::time::Duration;

/// Rows of ten tokens that share nothing.
fn rows(count: u32) -> Vec<Row> {
    let row = |i| Row {
        ids: (10 * i..10 * i + 11).collect(),
        scored: vec![10],
        kl: Vec::new(),
    };
    (0..count).map(row).collect()
}

fn queue(rows: &[Row], tokens: usize, workers: usize) -> Queue<'_> {
    let order = RowOrder::new(rows, |_| vec![LengthClass::Base]);
    Queue::new(order, tokens, workers)
}

fn error() -> DeviceError {
    DeviceError::NoDriver
}

#[test]
fn who_waits_gets_the_chunk_of_an_executor_that_is_lost() {
    let rows = rows(2);
    let queue = queue(&rows, 20, 2);
    let lost = queue.take().unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let chunk = queue.take()?;
            queue.done(&chunk);
            Some(chunk.rows)
        });
        // All is taken: the other one waits by now. Should it not, it gets the chunk all the same.
        std::thread::sleep(Duration::from_millis(100));
        let rows = lost.rows.clone();
        queue.lost(lost, error());
        assert_eq!(other.join().unwrap(), Some(rows));
    });
    assert!(queue.take().is_none());
    queue.finish().unwrap();
}

#[test]
fn the_last_executor_takes_the_run_with_it_and_one_of_two_does_not() {
    let rows = rows(1);
    let alone = queue(&rows, 10, 1);
    let chunk = alone.take().unwrap();
    alone.lost(chunk, error());
    assert!(alone.take().is_none());
    assert!(matches!(alone.finish(), Err(EvaluateError::Device(_))));

    let none = queue(&rows, 10, 2);
    none.absent(error());
    let chunk = none.take().expect("the other one goes on");
    none.lost(chunk, error());
    assert!(none.take().is_none());
    assert!(matches!(none.finish(), Err(EvaluateError::Device(_))));

    let absent = queue(&rows, 10, 1);
    absent.absent(error());
    assert!(matches!(absent.finish(), Err(EvaluateError::Device(_))));
}

#[test]
fn a_chunk_that_is_too_large_comes_in_pieces_as_do_all_that_follow_and_a_single_row_ends_the_run() {
    let rows = rows(9);
    let queue = queue(&rows, 40, 1);
    let chunk = queue.take().unwrap();
    assert_eq!(chunk.rows.len(), 4);
    queue.too_large(chunk, error());
    let mut seen = Vec::new();
    while let Some(chunk) = queue.take() {
        assert!(chunk.rows.len() <= 2, "{:?}", chunk.rows);
        let (done, all) = queue.done(&chunk);
        seen.extend(chunk.rows);
        assert_eq!((done, all), (seen.len(), 9));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..9).collect::<Vec<_>>());
    queue.finish().unwrap();

    let single = super::Queue::new(
        RowOrder::new(&rows[..1], |_| vec![LengthClass::Base]),
        40,
        1,
    );
    let chunk = single.take().unwrap();
    single.too_large(chunk, error());
    assert!(single.take().is_none());
    assert!(matches!(single.finish(), Err(EvaluateError::Device(_))));
}

#[test]
#[should_panic(expected = "1 of 2 rows are computed")]
fn rows_that_nobody_computed_are_no_result() {
    let rows = rows(2);
    let queue = queue(&rows, 10, 1);
    let chunk = queue.take().unwrap();
    queue.done(&chunk);
    let _ = queue.finish();
}

#[test]
fn nobody_waits_for_a_worker_that_panics() {
    let rows = rows(1);
    let queue = queue(&rows, 10, 2);
    queue.take().unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| queue.take().is_none());
        std::thread::sleep(Duration::from_millis(50));
        let panics = scope.spawn(|| {
            let _guard = queue.guard();
            std::panic::resume_unwind(Box::new("a fault of ours"));
        });
        assert!(panics.join().is_err());
        assert!(other.join().unwrap());
    });
    let rows = self::rows(2);
    let queue = self::queue(&rows, 10, 2);
    queue.take().unwrap();
    let over = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = queue.guard();
        std::panic::resume_unwind(Box::new("a fault of ours"));
    }));
    assert!(over.is_err() && queue.take().is_none(), "a chunk is left");
}
