//! Which values of `[bracket]` make sense. The bounds are also what makes a tournament end: see each.

use super::{
    BracketRules, EnvironmentBracket, FamilyTasks, ImageBossTasks, ImageModels, KlTaskRules,
    LastKnockout, Lineage, SizeRange, SmallFieldRules, StartPoint,
};
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// A field, what it is, what is allowed.
pub(in crate::rules) type OutOfRange = (&'static str, String, &'static str);

const TASKS: RangeInclusive<usize> = 1..=16;
const CONTESTANTS: RangeInclusive<usize> = 2..=1000;

impl BracketRules {
    /// The first field whose value makes no sense.
    pub(in crate::rules) fn out_of_range(&self) -> Option<OutOfRange> {
        self.fractions()
            .or_else(|| self.rounds())
            .or_else(|| self.text_tasks())
            .or_else(|| self.image_tasks())
            .or_else(|| match &self.environment {
                EnvironmentBracket::None {} => None,
                EnvironmentBracket::Groups(groups) => groups.out_of_range(),
            })
    }

    fn fractions(&self) -> Option<OutOfRange> {
        let shares = &self.text.pair_tasks;
        let mut fields = vec![
            (
                "bracket.failed_trainings_review_above",
                self.failed_trainings_review_above,
            ),
            (
                "bracket.text.large_probability",
                self.text.large_probability,
            ),
            ("bracket.text.pair_tasks.instruct", shares.instruct),
            ("bracket.text.pair_tasks.dpo", shares.dpo),
            ("bracket.text.pair_tasks.grpo", shares.grpo),
        ];
        if let KlTaskRules::Drawn { probability, .. } = self.kl_tasks {
            fields.push(("bracket.kl_tasks.probability", probability));
        }
        for (field, value) in fields {
            if !(0.0..=1.0).contains(&value) {
                return Some((field, value.to_string(), "0 to 1"));
            }
        }
        if shares.instruct + shares.dpo + shares.grpo <= 0.0 {
            return Some(("bracket.text.pair_tasks", "0".to_owned(), "a sum above 0"));
        }
        if let KlTaskRules::Drawn {
            round_min,
            coef_min,
            coef_max,
            ..
        } = self.kl_tasks
        {
            if !(1..=1000).contains(&round_min) {
                return count(
                    "bracket.kl_tasks.round_min",
                    round_min as usize,
                    "1 to 1000",
                );
            }
            if !(coef_min > 0.0 && coef_min <= coef_max && coef_max <= 1000.0) {
                return Some((
                    "bracket.kl_tasks.coef_min, bracket.kl_tasks.coef_max",
                    format!("{coef_min}, {coef_max}"),
                    "above 0, in order, up to 1000",
                ));
            }
        }
        None
    }

    fn rounds(&self) -> Option<OutOfRange> {
        if !(2..=1000).contains(&self.rounds_max) {
            return count("bracket.rounds_max", self.rounds_max as usize, "2 to 1000");
        }
        // Below 2 a pair would be a group; past 1000 nobody has played.
        if !CONTESTANTS.contains(&self.knockout.contestants_max) {
            let found = self.knockout.contestants_max;
            return count("bracket.knockout.contestants_max", found, "2 to 1000");
        }
        let groups = &self.groups;
        if !CONTESTANTS.contains(&groups.size_expected) {
            return count(
                "bracket.groups.size_expected",
                groups.size_expected,
                "2 to 1000",
            );
        }
        if !(2..=groups.size_expected).contains(&groups.size_min) {
            return count(
                "bracket.groups.size_min",
                groups.size_min,
                "2 to size_expected",
            );
        }
        if !TASKS.contains(&groups.tasks) {
            return count("bracket.groups.tasks", groups.tasks, "1 to 16");
        }
        // Fewer go on than came: a single group has more than `contestants_max` contestants, and several have `size_min`
        // or more each, on average.
        if !(1..groups.size_min).contains(&groups.advance)
            || groups.advance > self.knockout.contestants_max
        {
            return count(
                "bracket.groups.advance",
                groups.advance,
                "1 to what a knockout takes, and fewer than size_min",
            );
        }
        if let SmallFieldRules::OneGroup {
            entrants_min,
            entrants_max,
            tasks,
            advance,
        } = self.small_field
        {
            if !CONTESTANTS.contains(&entrants_min) {
                return count(
                    "bracket.small_field.entrants_min",
                    entrants_min,
                    "2 to 1000",
                );
            }
            if !(entrants_min..=1000).contains(&entrants_max) {
                return count(
                    "bracket.small_field.entrants_max",
                    entrants_max,
                    "entrants_min to 1000",
                );
            }
            if !TASKS.contains(&tasks) {
                return count("bracket.small_field.tasks", tasks, "1 to 16");
            }
            if !(1..entrants_min).contains(&advance) {
                return count(
                    "bracket.small_field.advance",
                    advance,
                    "1 to below entrants_min",
                );
            }
        }
        None
    }

    fn text_tasks(&self) -> Option<OutOfRange> {
        const SIZES: &str = "above 0, in order, up to 10000";
        let sizes = |field, range: SizeRange| {
            let fits = range.params_b_min > 0.0
                && range.params_b_min <= range.params_b_max
                && range.params_b_max <= 10_000.0;
            (!fits).then(|| {
                let found = format!("{} to {}", range.params_b_min, range.params_b_max);
                (field, found, SIZES)
            })
        };
        let text = &self.text;
        let refused = sizes("bracket.text.group_models", text.group_models)
            .or_else(|| sizes("bracket.text.models", text.models))
            .or_else(|| sizes("bracket.text.large_models", text.large_models));
        if refused.is_some() {
            return refused;
        }
        if let LastKnockout::Instruct { model } = &text.last_knockout
            && !named(model)
        {
            return Some(("bracket.text.last_knockout.model", model.clone(), NAME));
        }
        let boss = &text.boss_tasks;
        for (field, found) in [
            ("bracket.text.boss_tasks.instruct", boss.instruct),
            ("bracket.text.boss_tasks.dpo", boss.dpo),
            ("bracket.text.boss_tasks.grpo", boss.grpo),
        ] {
            if found > 16 {
                return count(field, found, "0 to 16");
            }
        }
        for Lineage { lineage, seed } in &boss.continuous_sft {
            if !(named(lineage) && named(seed)) {
                let found = format!("{lineage}: {seed}");
                return Some(("bracket.text.boss_tasks.continuous_sft", found, NAME));
            }
        }
        let tasks = boss.instruct + boss.dpo + boss.grpo + boss.continuous_sft.len();
        if !TASKS.contains(&tasks) {
            return count("bracket.text.boss_tasks", tasks, "1 to 16 in all");
        }
        None
    }

    fn image_tasks(&self) -> Option<OutOfRange> {
        if let ImageModels::OneFamily { families } = &self.image.round_one
            && (families.is_empty() || !families.iter().all(|family| named(family)))
        {
            let found = format!("{families:?}");
            return Some((
                "bracket.image.round_one.families",
                found,
                "one name or more",
            ));
        }
        let tasks = match &self.image.boss_tasks {
            ImageBossTasks::Any { tasks } => *tasks,
            ImageBossTasks::Families { families } => {
                let fits = |of: &&FamilyTasks| named(&of.family) && TASKS.contains(&of.tasks);
                if let Some(of) = families.iter().find(|of| !fits(of)) {
                    let found = format!("{}: {}", of.family, of.tasks);
                    let field = "bracket.image.boss_tasks.families";
                    return Some((field, found, "1 to 16 by family"));
                }
                families.iter().map(|of| of.tasks).sum()
            }
        };
        (!TASKS.contains(&tasks)).then(|| {
            let found = tasks.to_string();
            ("bracket.image.boss_tasks", found, "1 to 16 in all")
        })
    }
}

impl super::EnvironmentGroups {
    fn out_of_range(&self) -> Option<OutOfRange> {
        let sizes = [self.size_min, self.small_size_max, self.size_max];
        if !(sizes.is_sorted() && sizes.iter().all(|size| CONTESTANTS.contains(size))) {
            return Some((
                "bracket.environment.size_min, small_size_max, size_max",
                format!("{sizes:?}"),
                "2 to 1000, in order",
            ));
        }
        if self.small_entrants_max > 1000 {
            let found = self.small_entrants_max;
            return count("bracket.environment.small_entrants_max", found, "0 to 1000");
        }
        if !(1..=64).contains(&self.environments_per_round) {
            let found = self.environments_per_round;
            return count(
                "bracket.environment.environments_per_round",
                found,
                "1 to 64",
            );
        }
        let known: HashSet<&String> = self.environments.iter().collect();
        let distinct = known.len() == self.environments.len();
        if !(2..=64).contains(&known.len()) || !distinct || !known.iter().all(|name| named(name)) {
            let found = format!("{:?}", self.environments);
            return Some((
                "bracket.environment.environments",
                found,
                "2 to 64 names, each once",
            ));
        }
        let starts: HashSet<StartPoint> = self.final_tasks.iter().copied().collect();
        if !TASKS.contains(&starts.len()) || starts.len() != self.final_tasks.len() {
            let found = format!("{:?}", self.final_tasks);
            return Some((
                "bracket.environment.final_tasks",
                found,
                "one or more, each once",
            ));
        }
        None
    }
}

const NAME: &str = "1 to 200 visible characters";

fn named(name: &str) -> bool {
    (1..=200).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn count(field: &'static str, found: usize, expected: &'static str) -> Option<OutOfRange> {
    Some((field, found.to_string(), expected))
}
