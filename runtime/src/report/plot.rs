//! Axes and SVG elements.

use super::text::plain;
use std::fmt::Write;

/// A linear map from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// `from..to` onto `start..end`. An empty range is widened.
    pub(super) fn new(from: f64, to: f64, start: f64, end: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            from,
            to,
            start,
            end,
        }
    }

    /// Where `value` is drawn; what lies outside is held at the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let part = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        self.start + part * (self.end - self.start)
    }

    /// Round values inside the range, about `count` of them, with the digits that they need.
    pub(super) fn ticks(&self, count: usize) -> (Vec<f64>, usize) {
        let raw = (self.to - self.from) / count.max(1) as f64;
        let power = 10_f64.powf(raw.log10().floor());
        let step = power
            * [1.0, 2.0, 5.0, 10.0]
                .into_iter()
                .find(|m| m * power >= raw)
                .unwrap_or(10.0);
        let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (
            (first..=last.min(first + 50))
                .map(|i| i as f64 * step)
                .collect(),
            digits,
        )
    }
}

/// An SVG image under construction.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            body: String::new(),
            width,
            height,
        }
    }

    /// Closes the image. `about` says what it shows, for those who cannot see it; it must be escaped.
    pub(super) fn finish(self, about: &str) -> String {
        let Self {
            body,
            width,
            height,
        } = self;
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{about}\">{body}</svg>\n"
        )
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(super) fn rect(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        radius: f64,
    ) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>"
        ));
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.push(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
        ));
    }

    /// `text` must be escaped.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        ));
    }

    pub(super) fn path(
        &mut self,
        class: &str,
        points: impl Iterator<Item = (f64, f64)>,
        closed: bool,
    ) {
        let mut path = String::new();
        for (index, (x, y)) in points.enumerate() {
            write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' })
                .expect("a string grows");
        }
        if path.is_empty() {
            return;
        }
        if closed {
            path.push('Z');
        }
        self.push(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// Opens a group with a tooltip, which must be escaped.
    pub(super) fn open(&mut self, tooltip: &str) {
        self.push(format_args!("<g><title>{tooltip}</title>"));
    }

    pub(super) fn close(&mut self) {
        self.body.push_str("</g>");
    }

    /// Grid lines and numbers of a horizontal axis below `bottom`.
    pub(super) fn x_axis(&mut self, scale: &Scale, count: usize, top: f64, bottom: f64) {
        let (ticks, digits) = scale.ticks(count);
        for tick in ticks {
            let x = scale.at(tick);
            self.line("grid", (x, top), (x, bottom));
            self.text("tick mid", (x, bottom + 16.0), &plain(tick, digits));
        }
    }

    /// Grid lines and numbers of a vertical axis left of `left`.
    pub(super) fn y_axis(&mut self, scale: &Scale, count: usize, left: f64, right: f64) {
        let (ticks, digits) = scale.ticks(count);
        for tick in ticks {
            let y = scale.at(tick);
            self.line("grid", (left, y), (right, y));
            self.text("tick end", (left - 6.0, y + 4.0), &plain(tick, digits));
        }
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        self.body.write_fmt(element).expect("a string grows");
    }
}

/// At most `most` of sorted values, evenly spaced, with both ends.
pub(super) fn thinned(values: &[f64], most: usize) -> Vec<(f64, f64)> {
    let last = values.len().saturating_sub(1);
    let count = values.len().min(most);
    (0..count)
        .map(|i| {
            let index = if count > 1 { i * last / (count - 1) } else { 0 };
            let place = if last > 0 {
                index as f64 / last as f64
            } else {
                0.5
            };
            (place, values[index])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let (ticks, digits) = Scale::new(-0.013, 0.21, 0.0, 100.0).ticks(5);
        assert_eq!((ticks.len(), digits), (5, 2), "{ticks:?}");
        assert!(ticks.iter().all(|tick| (-0.013..=0.21).contains(tick)));
        let (ticks, digits) = Scale::new(5.0, 5.0, 0.0, 1.0).ticks(4);
        assert!(!ticks.is_empty() && digits == 1, "{ticks:?} {digits}");
        let (ticks, _) = Scale::new(0.0, 1e300, 0.0, 1.0).ticks(4);
        assert!(ticks.len() < 60);
    }

    #[test]
    fn what_lies_outside_is_held_at_the_edge() {
        let scale = Scale::new(0.0, 2.0, 10.0, 20.0);
        assert_eq!(
            (scale.at(1.0), scale.at(9.0), scale.at(-1.0)),
            (15.0, 20.0, 10.0)
        );
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let thin = thinned(&values, 7);
        assert_eq!(
            (thin.len(), thin[0], thin[6]),
            (7, (0.0, 0.0), (1.0, 999.0))
        );
        assert_eq!(thinned(&[3.0], 7), [(0.5, 3.0)]);
        assert!(thinned(&[], 7).is_empty());
    }
}
