//! Reads the next piece while the last one is being used.

use std::sync::mpsc::sync_channel;

/// Runs `jobs` in order on a thread of their own, at most one finished piece ahead of `consume`, which may stop early.
pub(crate) fn read_ahead<T: Send, J: FnOnce() -> T + Send, R>(
    jobs: impl Iterator<Item = J> + Send,
    consume: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    std::thread::scope(|scope| {
        // Rendezvous: the piece that waits to be taken is the one ahead.
        let (send, receive) = sync_channel(0);
        scope.spawn(move || {
            for job in jobs {
                if send.send(job()).is_err() {
                    break;
                }
            }
        });
        let result = consume(&mut receive.iter());
        drop(receive);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::read_ahead;

    #[test]
    fn pieces_come_in_order_and_the_reader_stops_with_the_consumer() {
        let all = read_ahead((0..5).map(|i| move || i * i), |pieces| {
            pieces.collect::<Vec<_>>()
        });
        assert_eq!(all, [0, 1, 4, 9, 16]);
        let first = read_ahead((0..1_000_000).map(|i| move || i), |pieces| pieces.next());
        assert_eq!(first, Some(0));
    }
}
