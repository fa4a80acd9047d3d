//! Sets through the engine, chunk by chunk.

use super::candidates::owner;
use super::outcome::{outcome, overflows, score};
use super::{Request, Set, Setup, failure};
use crate::engine::{
    Against, CpuExecutor, Group, Member, MemberError, Monitor, PassError, RowResult, order,
    run_chunk,
};
use crate::error::{EvaluateError, chain};
use crate::evaluation::{CandidateOutcome, CandidateResult, Event, Failure, Observer};
use crate::plan::{Plan, PlannedSet};
use gradus_kernels::linear::{Output, PackedWeights, RowPanels, product};
use gradus_kernels::{Cpu, Params};
use gradus_tasks::Owner;
use std::time::Instant;

/// Rows' numbers of one candidate, as far as they are known.
enum Numbers {
    Rows(Vec<RowResult>),
    Failed(Failure),
}

/// Passes progress on, and the wish to stop.
struct Progress<'a> {
    observer: &'a dyn Observer,
    flops_total: f64,
    flops_done: f64,
    /// What may be done before the chunk in work is done.
    flops_limit: f64,
    rows_done: usize,
    rows_total: usize,
    tokens_total: f64,
}

impl Progress<'_> {
    fn report(&self) {
        let fraction = if self.flops_total > 0.0 {
            (self.flops_done / self.flops_total).min(1.0)
        } else {
            1.0
        };
        self.observer.on_event(Event::Progress {
            fraction,
            rows_done: self.rows_done,
            rows_total: self.rows_total,
            tokens_done: fraction * self.tokens_total,
            tokens_total: self.tokens_total,
        });
    }
}

impl Monitor for Progress<'_> {
    fn step(&mut self, flops: f64) -> Result<(), PassError> {
        self.flops_done = (self.flops_done + flops).min(self.flops_limit);
        if self.observer.cancelled() {
            return Err(PassError::Cancelled);
        }
        self.report();
        Ok(())
    }
}

impl Setup {
    /// Runs every set; one outcome per candidate, in order.
    pub(super) fn run(
        self,
        request: &Request<'_>,
        plan: &Plan,
        observer: &dyn Observer,
    ) -> Result<Vec<CandidateOutcome>, EvaluateError> {
        let members = |set: &PlannedSet| set.shared_candidates + set.full_candidates;
        let mut progress = Progress {
            observer,
            flops_total: plan.flops,
            flops_done: 0.0,
            flops_limit: 0.0,
            rows_done: 0,
            rows_total: self
                .sets
                .iter()
                .zip(&plan.sets)
                .map(|(set, planned)| set.entrants.len() * planned.rows)
                .sum(),
            tokens_total: plan
                .sets
                .iter()
                .map(|s| (s.tokens_computed * members(s)) as f64)
                .sum(),
        };
        let mut results: Vec<Option<CandidateResult>> = self
            .entrants
            .iter()
            .map(|entrant| {
                entrant
                    .failure()
                    .map(|f| CandidateResult::Failed(f.clone()))
            })
            .collect();
        for (set, planned) in self.sets.iter().zip(&plan.sets) {
            let (numbers, base) = self.run_set(set, planned, &mut progress)?;
            for (&entrant, numbers) in set.entrants.iter().zip(numbers) {
                results[entrant] = Some(match numbers {
                    Numbers::Failed(failure) => CandidateResult::Failed(failure),
                    Numbers::Rows(rows) => score(
                        request,
                        &self.entrants[entrant],
                        set,
                        &rows,
                        base.as_deref(),
                    ),
                });
            }
        }
        if progress.rows_done < progress.rows_total {
            // Pairs that were cut away altogether are in no chunk.
            progress.rows_done = progress.rows_total;
            progress.report();
        }
        Ok(self
            .entrants
            .iter()
            .zip(results)
            .map(|(entrant, result)| {
                outcome(
                    entrant,
                    result.expect("every entrant is in a set or has failed"),
                )
            })
            .collect())
    }

    /// Numbers of every entrant of `set`, and of the base if it was run.
    fn run_set(
        &self,
        set: &Set,
        planned: &PlannedSet,
        progress: &mut Progress<'_>,
    ) -> Result<(Vec<Numbers>, Option<Vec<RowResult>>), EvaluateError> {
        let mut numbers: Vec<Numbers> = set
            .entrants
            .iter()
            .map(|_| Numbers::Rows(vec![RowResult::default(); set.rows.len()]))
            .collect();
        let mut base_rows = self
            .needs_base
            .then(|| vec![RowResult::default(); set.rows.len()]);

        // The base's group: the base itself if it is needed, then adapters. Then one group for each full candidate.
        let mut shared: Vec<usize> = Vec::new();
        let mut members: Vec<Member> = self.needs_base.then(Member::plain).into_iter().collect();
        for (place, &i) in set.entrants.iter().enumerate() {
            if let Some(member) = self.entrants[i].member(&self.base) {
                shared.push(place);
                members.push(member);
            }
        }
        let mut first_rope = 0;
        let mut base_group = (!members.is_empty()).then(|| {
            first_rope = self.base.model.ropes().count();
            Group {
                model: self.base.model.clone(),
                members,
                first_rope: 0,
            }
        });
        let mut full: Vec<(usize, Group)> = Vec::new();
        for (place, &i) in set.entrants.iter().enumerate() {
            if let Some(model) = self.entrants[i].full_model() {
                full.push((
                    place,
                    Group {
                        model: model.clone(),
                        members: vec![Member::plain()],
                        first_rope,
                    },
                ));
                first_rope += model.ropes().count();
            }
        }

        let loads = self.loads(set);
        let mut order = order(&self.models(set), &set.rows);
        let mut executor = CpuExecutor::new(&self.cpu);
        let (rows_before, mut rows) = (progress.rows_done, 0);
        while let Some(chunk) = order.next_chunk(planned.tokens_in_flight) {
            progress.flops_limit += loads.iter().map(|load| load.flops(&chunk)).sum::<f64>();
            let mut base_head = None;
            if let Some(group) = &mut base_group {
                let against = if self.needs_kl {
                    Against::First
                } else {
                    Against::Nothing
                };
                let pass =
                    run_chunk(&mut executor, group, &chunk, &against, progress).map_err(stopped)?;
                let offset = usize::from(self.needs_base);
                if let Some(error) = group.members[..offset]
                    .iter()
                    .find_map(|m| m.failure.as_ref())
                {
                    return Err(EvaluateError::BaseFailed {
                        reason: chain(error),
                    });
                }
                for (member, results) in pass.results.into_iter().enumerate() {
                    let Some(results) = results else { continue };
                    match (member.checked_sub(offset), &mut base_rows) {
                        (None, Some(rows)) => place_rows(rows, &chunk.rows, results),
                        (Some(i), _) => {
                            place_numbers(&mut numbers[shared[i]], &chunk.rows, results)
                        }
                        (None, None) => {}
                    }
                }
                for (i, member) in group.members[offset..].iter().enumerate() {
                    if let Some(error) = &member.failure {
                        self.fail(
                            set,
                            shared[i],
                            owner(error.owner()),
                            error,
                            &mut numbers,
                            progress.observer,
                        );
                    }
                }
                base_head = pass.first.filter(|_| self.needs_kl);
            }
            for (place, group) in &mut full {
                if matches!(numbers[*place], Numbers::Failed(_)) {
                    continue;
                }
                let against = match &base_head {
                    Some(base) => Against::Base(base),
                    None => Against::Nothing,
                };
                match run_chunk(&mut executor, group, &chunk, &against, progress) {
                    Ok(pass) => {
                        if let Some(results) = pass.results.into_iter().next().flatten() {
                            place_numbers(&mut numbers[*place], &chunk.rows, results);
                        }
                        if let Some(error) = &group.members[0].failure {
                            self.fail(
                                set,
                                *place,
                                owner(error.owner()),
                                error,
                                &mut numbers,
                                progress.observer,
                            );
                        }
                    }
                    Err(
                        error @ (PassError::Cancelled | PassError::Base(_) | PassError::Device(_)),
                    ) => {
                        return Err(stopped(error));
                    }
                    Err(PassError::Weights(error)) => {
                        self.fail(
                            set,
                            *place,
                            owner(error.owner()),
                            &error,
                            &mut numbers,
                            progress.observer,
                        );
                    }
                }
            }
            // Both sides of a pair are rows here; sides that were cut away are in no chunk.
            rows += chunk.rows.len();
            progress.rows_done =
                rows_before + planned.rows * rows / order.num_rows() * set.entrants.len();
            progress.flops_done = progress.flops_limit;
            progress.report();
        }
        if let Some(row) = base_rows.iter().flatten().position(overflows) {
            let row = set.file_row(row);
            return Err(EvaluateError::BaseFailed {
                reason: format!("its loss of row {row} is not a number: its activations overflow"),
            });
        }
        Ok((numbers, base_rows))
    }

    /// Takes an entrant out.
    fn fail(
        &self,
        set: &Set,
        place: usize,
        owner: Owner,
        error: &dyn std::error::Error,
        numbers: &mut [Numbers],
        observer: &dyn Observer,
    ) {
        if matches!(numbers[place], Numbers::Failed(_)) {
            return;
        }
        let failure = failure(owner, error);
        let name = self.entrants[set.entrants[place]].name.clone();
        observer.on_event(Event::CandidateFailed {
            name,
            failure: failure.clone(),
        });
        numbers[place] = Numbers::Failed(failure);
    }
}

fn stopped(error: PassError) -> EvaluateError {
    match error {
        PassError::Cancelled => EvaluateError::Cancelled,
        PassError::Device(error) => EvaluateError::Device(error),
        PassError::Weights(MemberError::Read(error))
        | PassError::Base(MemberError::Read(error)) => EvaluateError::BaseWeights(error),
        PassError::Weights(error) | PassError::Base(error) => EvaluateError::BaseFailed {
            reason: chain(&error),
        },
    }
}

fn place_rows(all: &mut [RowResult], rows: &[usize], results: Vec<RowResult>) {
    for (&row, result) in rows.iter().zip(results) {
        all[row] = result;
    }
}

fn place_numbers(numbers: &mut Numbers, rows: &[usize], results: Vec<RowResult>) {
    if let Numbers::Rows(all) = numbers {
        place_rows(all, rows, results);
    }
}

/// FLOP/s of the matrix product on one thread, measured for a few hundredths of a second.
pub(super) fn product_rate(cpu: &Cpu) -> f64 {
    const SIZES: (usize, usize, usize) = (192, 512, 1024);
    let (rows, out, inner) = SIZES;
    let (x, w) = (vec![0.5; rows * inner], vec![0.25; out * inner]);
    let mut packed = PackedWeights::new();
    packed.pack(cpu, Params::from_f32(&w, out, inner));
    let mut panels = RowPanels::default();
    panels.pack(cpu.isa(), &x, rows, inner, inner);
    let mut y = vec![0.0; rows * out];
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let start = Instant::now();
        product(cpu.isa(), &panels, &packed, &mut y, out, Output::Set);
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (rows * out * inner) as f64 / best.max(1e-9)
}
