//! Handing something to every node.

use super::Endpoints;
use crate::node::client::Node;
use crate::node::rpc::Wait;
use std::sync::mpsc;
use std::time::Instant;

impl Endpoints {
    /// Does something with every connected node at once, those that rest too; what they say until `enough` and a grace more, or the deadline of a
    /// question; and how many have not said anything by then.
    ///
    /// Who is silent goes on alone, on a connection of its own, and ends at that deadline at the latest: what was begun is not broken off because
    /// somebody else was quicker.
    pub(crate) fn with_each<R: Send + 'static>(
        &self,
        act: impl Fn(&Node) -> R + Clone + Send + 'static,
        enough: impl Fn(&[R]) -> bool,
    ) -> (Vec<R>, usize) {
        let begin = Instant::now();
        let deadline = begin + self.policy.question;
        let (sender, receiver) = mpsc::channel();
        let mut count = 0;
        for seat in self.connected() {
            let Some(node) = seat.node() else { continue };
            let node = node.within(&Wait::until(deadline));
            let (sender, act) = (sender.clone(), act.clone());
            count += 1;
            std::thread::spawn(move || {
                // Nobody may be waiting any more.
                let _ = sender.send(act(&node));
            });
        }
        drop(sender);
        let mut said = Vec::new();
        let mut closing: Option<Instant> = None;
        while said.len() < count {
            let end = closing.map_or(deadline, |closing| closing.min(deadline));
            let patience = end.saturating_duration_since(Instant::now());
            let Ok(word) = receiver.recv_timeout(patience) else {
                break;
            };
            said.push(word);
            if closing.is_none() && enough(&said) {
                closing = Some(self.closing(begin));
            }
        }
        let silent = count - said.len();
        (said, silent)
    }
}
