//! The tasks of a round, drawn where the rules draw.

use super::{EnvironmentPlan, ModelPlan, Plan};
use crate::rules::{
    BracketRules, EnvironmentGroups, ImageBossTasks, ImageModels, KlTaskRules, LastKnockout,
    SizeRange, SmallFieldRules, StartPoint, TaskKind,
};
use crate::tournament::draw::Draw;
use crate::tournament::state::RoundKind;
use crate::weights::TournamentType;

/// What planning a round looks at.
pub(in crate::tournament) struct Planning<'a> {
    pub rules: &'a BracketRules,
    pub tournament_type: TournamentType,
    pub seed: u64,
    pub round: u32,
    pub kind: RoundKind,
    /// Groups or pairs.
    pub places: usize,
    /// The number that the next task gets.
    pub next_task: u32,
    /// The model of the first round's environment tasks, once there is one.
    pub first_model: Option<&'a str>,
    /// Rules of environment tournaments and the environment that the final alone has.
    pub environments: Option<(&'a EnvironmentGroups, &'a str)>,
}

impl Planning<'_> {
    /// Tasks of the round, with their places from 1, in the order of their numbers.
    pub(in crate::tournament) fn round(mut self) -> Vec<(u32, Plan)> {
        let mut planned = Vec::new();
        let first = self.next_task;
        for place in 1..=self.places as u32 {
            for plan in self.place() {
                planned.push((place, plan));
                self.next_task = first + planned.len() as u32;
            }
        }
        planned
    }

    fn place(&self) -> Vec<Plan> {
        match (self.tournament_type, self.kind) {
            (TournamentType::Text, RoundKind::Boss) => self.text_boss(),
            (TournamentType::Text, RoundKind::LastKnockout) => {
                vec![match &self.rules.text.last_knockout {
                    LastKnockout::LikeOthers {} => self.text_pair(),
                    LastKnockout::Instruct { model } => {
                        let model = model.clone();
                        text(TaskKind::Instruct, ModelPlan::Model { model })
                    }
                }]
            }
            (TournamentType::Text, RoundKind::Knockout) => vec![self.text_pair()],
            (TournamentType::Text, _) => {
                let plan = text(TaskKind::Instruct, size(self.rules.text.group_models));
                vec![plan; self.group_tasks()]
            }
            (TournamentType::Image, RoundKind::Boss) => self.image_boss(),
            (TournamentType::Image, RoundKind::Group | RoundKind::SmallField) => {
                vec![self.image(); self.group_tasks()]
            }
            (TournamentType::Image, _) => vec![self.image()],
            (TournamentType::Environment, RoundKind::EnvironmentFinal) => self.final_tasks(),
            (TournamentType::Environment, _) => self.environment_group(),
        }
    }

    fn group_tasks(&self) -> usize {
        match (self.kind, self.rules.small_field) {
            (RoundKind::SmallField, SmallFieldRules::OneGroup { tasks, .. }) => tasks,
            _ => self.rules.groups.tasks,
        }
    }

    fn text_pair(&self) -> Plan {
        let shares = &self.rules.text.pair_tasks;
        let total = shares.instruct + shares.dpo + shares.grpo;
        let (instruct, dpo) = (shares.instruct / total, shares.dpo / total);
        let drawn = self.draw("pair_task").fraction();
        let kind = if drawn < instruct {
            TaskKind::Instruct
        } else if drawn < instruct + dpo {
            TaskKind::Dpo
        } else {
            TaskKind::Grpo
        };
        self.with_kl(text(kind, size(self.rules.text.models)))
    }

    fn with_kl(&self, mut plan: Plan) -> Plan {
        if let Plan::Text {
            kind: TaskKind::Instruct,
            kl_coef,
            ..
        } = &mut plan
            && let KlTaskRules::Drawn {
                round_min,
                probability,
                coef_min,
                coef_max,
            } = self.rules.kl_tasks
            && self.round >= round_min
        {
            let mut draw = self.draw("kl_task");
            if draw.fraction() < probability {
                *kl_coef = Some(coef_min + (coef_max - coef_min) * draw.fraction());
            }
        }
        plan
    }

    fn text_boss(&self) -> Vec<Plan> {
        let boss = &self.rules.text.boss_tasks;
        let mut kinds = vec![TaskKind::Instruct; boss.instruct];
        kinds.extend(vec![TaskKind::Dpo; boss.dpo]);
        kinds.extend(vec![TaskKind::Grpo; boss.grpo]);
        let mut plans = self.boss_tasks(&kinds);
        plans.extend(boss.continuous_sft.iter().map(|of| {
            let seed = of.seed.clone();
            let mut plan = text(TaskKind::Chat, ModelPlan::Lineage { seed });
            if let Plan::Text { lineage, .. } = &mut plan {
                *lineage = Some(of.lineage.clone());
            }
            plan
        }));
        plans
    }

    /// Tasks of a text tournament's boss round, also those that stand in for drawn ones.
    pub(in crate::tournament) fn boss_tasks(&self, kinds: &[TaskKind]) -> Vec<Plan> {
        let rules = &self.rules.text;
        let plan = |(kind, number): (&TaskKind, u32)| {
            let task = Planning {
                next_task: number,
                ..*self
            };
            let large = task.draw("large_model").fraction() < rules.large_probability;
            let models = if large {
                rules.large_models
            } else {
                rules.models
            };
            task.with_kl(text(*kind, size(models)))
        };
        kinds.iter().zip(self.next_task..).map(plan).collect()
    }

    fn image(&self) -> Plan {
        let model = match &self.rules.image.round_one {
            ImageModels::OneFamily { families } if self.round == 1 => {
                // One for all groups: the round draws it, not the task.
                let family = Draw::new(self.seed, "image_family", self.round)
                    .one(families)
                    .cloned();
                family.map_or(ModelPlan::Any {}, |family| ModelPlan::Family { family })
            }
            _ => ModelPlan::Any {},
        };
        Plan::Image { model }
    }

    fn image_boss(&self) -> Vec<Plan> {
        match &self.rules.image.boss_tasks {
            ImageBossTasks::Any { tasks } => {
                let model = ModelPlan::Any {};
                vec![Plan::Image { model }; *tasks]
            }
            ImageBossTasks::Families { families } => families
                .iter()
                .flat_map(|of| {
                    let family = of.family.clone();
                    let model = ModelPlan::Family { family };
                    vec![Plan::Image { model }; of.tasks]
                })
                .collect(),
        }
    }

    fn environment_group(&self) -> Vec<Plan> {
        let Some((groups, last)) = self.environments else {
            return Vec::new();
        };
        let (start, model) = match self.first_model {
            Some(model) if self.round > 1 => {
                let model = model.to_owned();
                (StartPoint::Continuation, ModelPlan::Model { model })
            }
            _ => (StartPoint::Default, ModelPlan::Any {}),
        };
        vec![Plan::Environment {
            start,
            model,
            environments: self.some_environments(groups, last),
            shared: true,
        }]
    }

    fn final_tasks(&self) -> Vec<Plan> {
        let Some((groups, last)) = self.environments else {
            return Vec::new();
        };
        let first_model = || match self.first_model {
            Some(model) => ModelPlan::Model {
                model: model.to_owned(),
            },
            None => ModelPlan::Any {},
        };
        let plan = |start: &StartPoint| {
            let some = self.some_environments(groups, last);
            let (model, environments) = match start {
                StartPoint::PreviousWinner => {
                    let environment = last.to_owned();
                    (
                        ModelPlan::PreviousWinner {},
                        EnvironmentPlan::Only { environment },
                    )
                }
                StartPoint::FromScratch => {
                    let other = self.first_model.map(str::to_owned);
                    let model = other.map_or(ModelPlan::Any {}, |than| ModelPlan::Other { than });
                    (model, some)
                }
                StartPoint::Continuation | StartPoint::Default => (first_model(), some),
            };
            Plan::Environment {
                start: *start,
                model,
                environments,
                shared: false,
            }
        };
        groups.final_tasks.iter().map(plan).collect()
    }

    fn some_environments(&self, groups: &EnvironmentGroups, last: &str) -> EnvironmentPlan {
        let of: Vec<String> = groups
            .environments
            .iter()
            .filter(|name| *name != last)
            .cloned()
            .collect();
        let count = groups.environments_per_round * self.round as usize;
        EnvironmentPlan::Some {
            count: count.min(of.len()),
            of,
        }
    }

    fn draw(&self, purpose: &str) -> Draw {
        Draw::new(self.seed, purpose, self.next_task)
    }
}

fn text(kind: TaskKind, model: ModelPlan) -> Plan {
    Plan::Text {
        kind,
        model,
        kl_coef: None,
        lineage: None,
    }
}

fn size(range: SizeRange) -> ModelPlan {
    ModelPlan::Size {
        params_b_min: range.params_b_min,
        params_b_max: range.params_b_max,
    }
}
