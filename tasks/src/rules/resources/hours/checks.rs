//! What hours must be like beyond types and ranges: bands that grow, a least that is not above its largest.

use super::{GrpoHours, HoursRules, ImageHours, LongerImage, RowBin, TextHours, Throughput};
use crate::rules::shape::{Broken, grows};

impl HoursRules {
    pub(in crate::rules) fn broken(&self) -> Option<Broken> {
        const ORDER: &str = "the least not above the largest";
        match &self.text {
            TextHours::ByRows { bins, .. } => {
                let sound =
                    |bin: &RowBin| bin.rows_min <= bin.rows_max && bin.hours_min <= bin.hours_max;
                if bins.is_empty() || !bins.iter().all(sound) {
                    return Some(("resources.hours.text.bins", format!("{bins:?}"), ORDER));
                }
            }
            TextHours::Throughput(rules) => {
                if let Some(broken) = rules.broken() {
                    return Some(broken);
                }
            }
        }
        if let GrpoHours::BySize { bands, above_hours } = &self.grpo {
            let pairs = bands.iter().map(|band| (band.billions_max, band.hours));
            if !grows(pairs, *above_hours) {
                return Some((
                    "resources.hours.grpo.bands",
                    format!("{bands:?}, above {above_hours}"),
                    "bands that grow in size and in hours, at least one, and more above",
                ));
            }
            if !matches!(self.text, TextHours::Throughput(_)) {
                return Some((
                    "resources.hours.grpo.rule",
                    "by_size".to_owned(),
                    "as_text, where resources.hours.text has no least and largest",
                ));
            }
        }
        match &self.image {
            ImageHours::Drawn {
                hours_min,
                hours_max,
            } if hours_min > hours_max => {
                let found = format!("{hours_min} to {hours_max}");
                Some(("resources.hours.image.hours_max", found, ORDER))
            }
            ImageHours::Interpolated {
                images_min,
                images_max,
                hours_min,
                hours_max,
                longer,
                ..
            } => {
                if images_min > images_max {
                    let found = format!("{images_min} to {images_max}");
                    return Some(("resources.hours.image.images_max", found, ORDER));
                }
                if hours_min > hours_max {
                    let found = format!("{hours_min} to {hours_max}");
                    return Some(("resources.hours.image.hours_max", found, ORDER));
                }
                let known = |model: &LongerImage| {
                    (1..=64).contains(&model.model_type.len())
                        && longer
                            .iter()
                            .filter(|other| other.model_type == model.model_type)
                            .count()
                            == 1
                };
                if longer.len() > 64 || !longer.iter().all(known) {
                    return Some((
                        "resources.hours.image.longer",
                        format!("{longer:?}"),
                        "at most 64 types, each once and of 1 to 64 bytes",
                    ));
                }
                None
            }
            ImageHours::Drawn { .. } => None,
        }
    }
}

impl Throughput {
    fn broken(&self) -> Option<Broken> {
        let bands = self
            .overhead_bands
            .iter()
            .map(|band| (band.billions_below, band.hours));
        if !grows(bands, self.overhead_above_hours) {
            return Some((
                "resources.hours.text.overhead_bands",
                format!(
                    "{:?}, above {}",
                    self.overhead_bands, self.overhead_above_hours
                ),
                "bands that grow in size and in hours, at least one, and more above",
            ));
        }
        for (field, least, largest) in [
            (
                "resources.hours.text.measured_max",
                self.measured_min,
                self.measured_max,
            ),
            (
                "resources.hours.text.hours_max",
                self.hours_min,
                self.hours_max,
            ),
        ] {
            if least > largest {
                return Some((
                    field,
                    format!("{least} to {largest}"),
                    "the least not above the largest",
                ));
            }
        }
        None
    }
}
