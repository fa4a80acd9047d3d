//! What the layers of one image may unpack to together, when several are applied at once. A layer gets what most layers need; one that needs
//! more is applied again when it is alone, with all that is left.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    left: u64,
    reserved: u64,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
    used: u64,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Budget {
        Budget {
            state: Mutex::new(State {
                left: bytes,
                reserved: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// What a layer of `size` bytes most likely needs, `limit` at most. Waits until there is as much, or until nobody else has any.
    pub(super) fn share(&self, size: u64, limit: u64) -> Share<'_> {
        let likely = size.saturating_mul(16).max(256 << 20).min(limit);
        self.take(limit, |free, alone| alone || free >= likely, likely)
    }

    /// All that is left, `limit` at most, when nobody else has any.
    pub(super) fn whole(&self, limit: u64) -> Share<'_> {
        self.take(limit, |_, alone| alone, u64::MAX)
    }

    fn take(&self, limit: u64, enough: impl Fn(u64, bool) -> bool, wish: u64) -> Share<'_> {
        let mut state = self.lock();
        loop {
            let free = state.left.saturating_sub(state.reserved);
            if enough(free, state.reserved == 0) {
                let bytes = wish.min(limit).min(free);
                // Holding nothing would look as if nobody was there.
                state.reserved += bytes.max(1);
                return Share {
                    budget: self,
                    bytes,
                    used: 0,
                };
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share<'_> {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// So much of it is gone for good; what is used past the share counts, too.
    pub(super) fn used(mut self, bytes: u64) {
        self.used = bytes;
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.reserved = state.reserved.saturating_sub(self.bytes.max(1));
        state.left = state.left.saturating_sub(self.used);
        drop(state);
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_what_is_left() {
        let budget = Budget::new(1 << 30);
        let first = budget.share(10, u64::MAX);
        let second = budget.share(1 << 25, u64::MAX);
        assert_eq!((first.bytes(), second.bytes()), (256 << 20, 512 << 20));
        second.used(100 << 20);
        first.used(24 << 20);
        assert_eq!(budget.whole(u64::MAX).bytes(), (1 << 30) - (124 << 20));
        assert_eq!(budget.whole(5).bytes(), 5);
    }

    #[test]
    fn a_share_waits_for_others_and_gets_the_rest_when_alone() {
        let budget = Budget::new(300 << 20);
        let first = budget.share(1, u64::MAX);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| budget.share(1, u64::MAX).bytes());
            first.used(200 << 20);
            assert_eq!(second.join().expect("it got one"), 100 << 20);
        });
    }
}
