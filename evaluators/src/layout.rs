//! Rows to packed tokens: shared prefixes once, no padding, only what a label needs.
//!
//! Rows are cut after the last token whose hidden state anything reads, sorted, and merged where they begin alike:
//!
//! ```text
//! row 0   a b c d e f          segment 0   a b c d          (shared)
//! row 1   a b c d x y          segment 1           e f      keys: segments 0, 1
//! row 2   a b c                segment 2           x y      keys: segments 0, 2
//! ```
//!
//! A row that begins another one, as row 2 does, has no tokens of its own. Segments end only after a stretch that is
//! worth it, so that a row passes through few of them whatever the rows are.

use gradus_kernels::attention::Segment;
use gradus_kernels::cross_entropy::Target;
use gradus_kernels::rope::LengthClass;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// Tokens that rows must share before the shared part becomes a segment of its own.
const SHARED_TOKENS_MIN: usize = 16;

/// One row to be scored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Ascending indices (from 1) of the tokens whose negative log-likelihood is wanted.
    pub scored: Vec<u32>,
    /// Ascending indices of the positions whose KL against the base is wanted.
    pub kl: Vec<u32>,
}

impl Row {
    /// Tokens whose hidden states are needed: up to the last position that something reads.
    pub(crate) fn needed(&self) -> usize {
        let scored = self.scored.last().map_or(0, |&t| t as usize);
        let kl = self.kl.last().map_or(0, |&p| p as usize + 1);
        scored.max(kl)
    }
}

/// Rows packed for one pass through the model.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Indices of the rows in the caller's list.
    pub(crate) rows: Vec<usize>,
    /// Tokens of all segments, and their positions in their rows.
    pub(crate) ids: Vec<u32>,
    pub(crate) positions: Vec<u32>,
    /// All queries of all segments.
    pub(crate) segments: Vec<Segment>,
    /// The same with only the queries that the head needs.
    pub(crate) last_segments: Vec<Segment>,
    /// Tokens by length class of their rows, one list per rotary embedding.
    pub(crate) classes: Vec<Vec<(Range<usize>, LengthClass)>>,
    /// Tokens whose final hidden state is needed, ascending.
    pub(crate) head_tokens: Vec<usize>,
    /// Likelihoods wanted, at rows of `head_tokens`.
    pub(crate) targets: Vec<Target>,
    /// Per row: its targets, and its KL positions as rows of `head_tokens`.
    pub(crate) outputs: Vec<RowOutputs>,
}

/// Where a row's numbers come from.
#[derive(Debug, Default)]
pub(crate) struct RowOutputs {
    pub(crate) targets: Range<usize>,
    pub(crate) kl: Vec<u32>,
}

/// Rows in the order in which chunks take them: alike ones next to each other.
#[derive(Debug)]
pub(crate) struct RowOrder<'a> {
    rows: &'a [Row],
    classes: Vec<Vec<LengthClass>>,
    order: Vec<usize>,
    next: usize,
}

impl<'a> RowOrder<'a> {
    /// Sorts `rows`; `classes` gives a row's length class for each rotary embedding, by its length.
    pub(crate) fn new(rows: &'a [Row], classes: impl Fn(usize) -> Vec<LengthClass>) -> Self {
        let classes: Vec<_> = rows.iter().map(|r| classes(r.ids.len())).collect();
        let mut order: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].needed() > 0).collect();
        order.sort_by(|&a, &b| {
            (&classes[a], &rows[a].ids[..rows[a].needed()], a).cmp(&(
                &classes[b],
                &rows[b].ids[..rows[b].needed()],
                b,
            ))
        });
        Self {
            rows,
            classes,
            order,
            next: 0,
        }
    }

    /// Rows that need anything at all.
    pub(crate) fn num_rows(&self) -> usize {
        self.order.len()
    }

    /// Tokens of the longest row.
    pub(crate) fn longest(&self) -> usize {
        self.rows.iter().map(Row::needed).max().unwrap_or(0)
    }

    /// Tokens in all after sharing.
    pub(crate) fn total_tokens(&self) -> usize {
        (0..self.order.len()).map(|i| self.new_tokens(i, 0)).sum()
    }

    /// Tokens that the `i`-th row adds to a chunk that starts at `first`.
    fn new_tokens(&self, i: usize, first: usize) -> usize {
        let needed = |i: usize| &self.rows[self.order[i]].ids[..self.rows[self.order[i]].needed()];
        let own = needed(i);
        if i == first || self.classes[self.order[i]] != self.classes[self.order[i - 1]] {
            return own.len();
        }
        let before = needed(i - 1);
        let shared = common(own, before);
        if shared == before.len() || shared >= SHARED_TOKENS_MIN {
            own.len() - shared
        } else {
            own.len()
        }
    }

    /// The rows of `chunk`, one of this order's, in smaller chunks.
    pub(crate) fn split(&self, chunk: &Chunk, tokens: usize) -> Vec<Chunk> {
        let mut part = Self {
            rows: self.rows,
            classes: self.classes.clone(),
            order: chunk.rows.clone(),
            next: 0,
        };
        std::iter::from_fn(|| part.next_chunk(tokens)).collect()
    }

    /// The next rows that fit in `tokens` (one at least), packed.
    pub(crate) fn next_chunk(&mut self, tokens: usize) -> Option<Chunk> {
        let first = self.next;
        let mut taken = 0;
        while self.next < self.order.len() {
            let new = self.new_tokens(self.next, first);
            if self.next > first && taken + new > tokens {
                break;
            }
            taken += new;
            self.next += 1;
        }
        if self.next == first {
            return None;
        }
        // What neighbours share is an estimate: a run of three or more shares what its least alike pair does.
        loop {
            let chunk = Chunk::pack(self.rows, &self.classes, &self.order[first..self.next]);
            if chunk.tokens() <= tokens || self.next == first + 1 {
                return Some(chunk);
            }
            self.next -= 1;
        }
    }
}

/// Length of the common prefix.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Rows of `order` (sorted) that begin no other, and for every row the one whose path it takes.
fn cover(rows: &[Row], order: &[usize]) -> (Vec<usize>, Vec<(usize, usize)>) {
    let ids = |i: usize| &rows[i].ids[..rows[i].needed()];
    let (mut longest, mut covered) = (Vec::new(), Vec::new());
    for (i, &row) in order.iter().enumerate().rev() {
        let by = match order.get(i + 1) {
            Some(&next) if ids(next).starts_with(ids(row)) => *longest.last().unwrap_or(&row),
            _ => {
                longest.push(row);
                row
            }
        };
        covered.push((row, by));
    }
    longest.reverse();
    covered.reverse();
    (longest, covered)
}

/// A row's path: ranges of packed tokens, in order of position; what follows its last token is another row's.
type Path = Rc<[Range<usize>]>;

impl Chunk {
    fn pack(rows: &[Row], classes: &[Vec<LengthClass>], order: &[usize]) -> Self {
        let mut chunk = Self {
            classes: vec![Vec::new(); classes.first().map_or(0, Vec::len)],
            ..Self::default()
        };
        let mut paths: Vec<(usize, Path)> = Vec::with_capacity(order.len());
        let mut from = 0;
        while from < order.len() {
            let class = &classes[order[from]];
            let to = from
                + order[from..]
                    .iter()
                    .take_while(|&&i| &classes[i] == class)
                    .count();
            let start = chunk.ids.len();
            let (longest, covered) = cover(rows, &order[from..to]);
            let mut found = BTreeMap::new();
            chunk.merge(rows, &longest, 0, &[], &mut found);
            paths.extend(covered.iter().map(|(row, by)| (*row, found[by].clone())));
            for (list, class) in chunk.classes.iter_mut().zip(class) {
                list.push((start..chunk.ids.len(), *class));
            }
            from = to;
        }
        chunk.place_outputs(rows, &paths);
        chunk
    }

    /// Packs the rows `order` (sorted, none the beginning of another), which agree up to position `depth` and have
    /// `path` so far.
    fn merge(
        &mut self,
        rows: &[Row],
        order: &[usize],
        depth: usize,
        path: &[Range<usize>],
        paths: &mut BTreeMap<usize, Path>,
    ) {
        let ids = |i: usize| &rows[i].ids[..rows[i].needed()];
        let mut from = 0;
        while from < order.len() {
            if ids(order[from]).len() == depth {
                paths.insert(order[from], path.into());
                from += 1;
                continue;
            }
            // A run of rows in which neighbours share enough.
            let mut to = from + 1;
            let mut shared = ids(order[from]).len();
            while to < order.len() {
                let n = common(ids(order[to - 1]), ids(order[to]));
                if n < depth + SHARED_TOKENS_MIN {
                    break;
                }
                shared = shared.min(n);
                to += 1;
            }
            let first = order[from];
            let start = self.ids.len();
            self.ids.extend(&ids(first)[depth..shared]);
            self.positions.extend(depth as u32..shared as u32);
            let mut longer = path.to_vec();
            longer.push(start..self.ids.len());
            self.segments.push(Segment {
                keys: longer.clone(),
            });
            self.merge(rows, &order[from..to], shared, &longer, paths);
            from = to;
        }
    }

    /// Finds the tokens that the head needs, and what each row reads there.
    fn place_outputs(&mut self, rows: &[Row], paths: &[(usize, Path)]) {
        let place = |path: &Path, position: u32| {
            let mut left = position as usize;
            for range in path.iter() {
                if left < range.len() {
                    return range.start + left;
                }
                left -= range.len();
            }
            unreachable!("a row's path holds every position that it needs")
        };
        let mut tokens: Vec<usize> = paths
            .iter()
            .flat_map(|(row, path)| {
                let scored = rows[*row].scored.iter().map(|t| t - 1);
                scored
                    .chain(rows[*row].kl.iter().copied())
                    .map(move |p| place(path, p))
            })
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        let head_row = |token: usize| tokens.binary_search(&token).expect("collected above") as u32;
        for (row, path) in paths {
            let start = self.targets.len();
            self.targets
                .extend(rows[*row].scored.iter().map(|&t| Target {
                    row: head_row(place(path, t - 1)),
                    token: rows[*row].ids[t as usize],
                }));
            self.outputs.push(RowOutputs {
                targets: start..self.targets.len(),
                kl: rows[*row]
                    .kl
                    .iter()
                    .map(|&p| head_row(place(path, p)))
                    .collect(),
            });
            self.rows.push(*row);
        }
        for segment in &self.segments {
            let own = segment.queries();
            let from = tokens.partition_point(|&t| t < own.start);
            let to = tokens.partition_point(|&t| t < own.end);
            if from == to {
                continue;
            }
            let (first, last) = (tokens[from], tokens[to - 1] + 1);
            let mut keys = segment.keys.clone();
            keys.pop();
            if first > own.start {
                keys.push(own.start..first);
            }
            keys.push(first..last);
            self.last_segments.push(Segment { keys });
        }
        self.head_tokens = tokens;
    }

    /// Packed tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Pairs of a query and a key that a layer without a window has.
    pub(crate) fn attended(&self) -> f64 {
        self.positions.iter().map(|&p| f64::from(p) + 1.0).sum()
    }
}

#[cfg(test)]
mod tests;
