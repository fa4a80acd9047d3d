//! Results as a roofline plot: an SVG image that needs nothing else.
//!
//! Across, operations per byte; up, operations a second; both by powers of ten. The limits of the machine are lines, each
//! shape a dot in its family's colour.

use crate::result::Run;
use std::fmt::Write;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 640.0;
/// Left, top, right and bottom of the plot's area; families are listed to the right of it.
const AREA: (f64, f64, f64, f64) = (76.0, 74.0, 790.0, 578.0);
const COLOURS: [&str; 10] = [
    "#1f6fb5", "#c4622d", "#2f8f77", "#8a56b8", "#b08a12", "#bf3f6b", "#4f7f2b", "#5b6b8c",
    "#0e8fa0", "#8c5a3c",
];
const STYLE: &str = "\
svg{background:#fcfcfb}text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1c1d1f}\
.t{font-size:19px;font-weight:600}.s{fill:#5d6168;font-size:12.5px}.k{fill:#6b7077;font-size:11.5px}\
.d{font-size:10.5px;fill:#3c4046}.m{text-anchor:middle}.e{text-anchor:end}\
.g{stroke:#e3e3df}.r{stroke:#1c1d1f;stroke-width:2;fill:none}.q{stroke:#8b9097;stroke-width:1.5;stroke-dasharray:5 4;fill:none}";

/// A map by powers of ten onto pixels.
struct Log {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Log {
    /// Whole powers of ten around `values`; those that are not above zero are left out.
    fn around(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let logs = values.filter(|v| v.is_finite() && *v > 0.0).map(f64::log10);
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let (from, to) = if low <= high {
            (low.floor(), high.ceil())
        } else {
            (0.0, 1.0)
        };
        Self {
            from,
            to: to.max(from + 1.0),
            start,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.max(1e-30).log10() - self.from) / (self.to - self.from);
        self.start + part.clamp(0.0, 1.0) * (self.end - self.start)
    }

    fn powers(&self) -> impl Iterator<Item = i32> {
        self.from as i32..=self.to as i32
    }
}

/// The plot of `run`.
#[must_use]
pub fn svg(run: &Run) -> String {
    let (left, top, right, bottom) = AREA;
    let intensity = |row: &crate::result::Row| row.measured.flop / row.measured.bytes.max(1.0);
    let peaks = run.peaks.as_ref();
    let balance = peaks.map(|p| p.gflop_s / p.gb_s);
    let x = Log::around(run.rows.iter().map(intensity).chain(balance), left, right);
    let floor = peaks.map(|p| p.gb_s * 10_f64.powf(x.from));
    let ceiling = peaks.map(|p| p.gflop_s * 1.3);
    let rates = run.rows.iter().map(|row| row.measured.gflop_s());
    let y = Log::around(rates.chain(floor).chain(ceiling), bottom, top);

    let mut body = String::new();
    let mut push =
        |element: std::fmt::Arguments<'_>| body.write_fmt(element).expect("a string grows");
    for power in x.powers() {
        let at = x.at(10_f64.powi(power));
        push(format_args!(
            "<line class=\"g\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>"
        ));
        push(format_args!(
            "<text class=\"k m\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            bottom + 18.0,
            plain(power)
        ));
    }
    for power in y.powers() {
        let at = y.at(10_f64.powi(power));
        push(format_args!(
            "<line class=\"g\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>"
        ));
        push(format_args!(
            "<text class=\"k e\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 8.0,
            at + 4.0,
            plain(power)
        ));
    }
    push(format_args!(
        "<text class=\"s m\" x=\"{:.1}\" y=\"{:.1}\">operations per byte</text>",
        (left + right) / 2.0,
        bottom + 42.0
    ));
    push(format_args!(
        "<text class=\"s\" x=\"{left}\" y=\"{:.1}\">GFLOP/s</text>",
        top - 10.0
    ));
    if let Some(peaks) = peaks {
        if let Some(sheet) = &peaks.datasheet {
            push(format_args!(
                "{}",
                roof("q", sheet.gflop_s, sheet.gb_s, &x, &y)
            ));
        }
        push(format_args!(
            "{}",
            roof("r", peaks.gflop_s, peaks.gb_s, &x, &y)
        ));
        push(format_args!(
            "<text class=\"s e\" x=\"{right}\" y=\"{:.1}\">{} GFLOP/s, {} GB/s</text>",
            y.at(peaks.gflop_s) - 8.0,
            crate::table::short(peaks.gflop_s),
            crate::table::short(peaks.gb_s)
        ));
    }
    let mut families: Vec<&str> = Vec::new();
    for row in &run.rows {
        if !families.contains(&row.family.as_str()) {
            families.push(&row.family);
        }
    }
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for row in &run.rows {
        let family = families
            .iter()
            .position(|family| *family == row.family)
            .unwrap_or(0);
        let at = (x.at(intensity(row)), y.at(row.measured.gflop_s()));
        let name = escaped(&format!("{}:{}", row.family, row.shape));
        let of_limit = row.measured.limit.map_or_else(String::new, |limit| {
            format!(", {:.1} % of its limit", limit.percent.p50)
        });
        push(format_args!(
            "<g><title>{name}: {} us{of_limit}</title><circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{}\" stroke=\"#fcfcfb\"/>",
            crate::table::short(row.measured.us.p50),
            at.0,
            at.1,
            COLOURS[family % COLOURS.len()]
        ));
        // A label where one fits; the others are in the tooltips and the table.
        let free = taken
            .iter()
            .all(|t| (t.1 - at.1).abs() > 11.0 || (t.0 - at.0).abs() > 150.0);
        if free {
            let (side, dx) = if at.0 > right - 150.0 {
                (" e", -8.0)
            } else {
                ("", 8.0)
            };
            push(format_args!(
                "<text class=\"d{side}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                at.0 + dx,
                at.1 + 3.5,
                escaped(&clipped(&row.shape))
            ));
            taken.push(at);
        }
        push(format_args!("</g>"));
    }
    for (index, family) in families.iter().enumerate() {
        let at = top + 10.0 + 24.0 * index as f64;
        push(format_args!(
            "<circle cx=\"{:.1}\" cy=\"{at:.1}\" r=\"6\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            right + 26.0,
            COLOURS[index % COLOURS.len()],
            right + 40.0,
            at + 4.5,
            escaped(family)
        ));
    }
    let title = escaped(&format!("{}, {}", run.machine.name, run.program));
    let how = escaped(&peaks.map_or_else(
        || "no limits measured".to_owned(),
        |p| format!("limits {}", p.how),
    ));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"Roofline of {title}\"><style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fcfcfb\"/>\
         <text class=\"t\" x=\"{left}\" y=\"26\">{title}</text><text class=\"s\" x=\"{left}\" y=\"44\">{how}</text>{body}</svg>\n"
    )
}

/// The lower of two limits, as a line over the whole plot.
fn roof(class: &str, gflop_s: f64, gb_s: f64, x: &Log, y: &Log) -> String {
    let points = [10_f64.powf(x.from), gflop_s / gb_s, 10_f64.powf(x.to)];
    let at = points.map(|intensity| {
        format!(
            "{:.1} {:.1}",
            x.at(intensity),
            y.at(gflop_s.min(gb_s * intensity))
        )
    });
    format!("<path class=\"{class}\" d=\"M{}\"/>", at.join("L"))
}

fn plain(power: i32) -> String {
    if (-3..=5).contains(&power) {
        format!("{}", 10_f64.powi(power))
    } else {
        format!("1e{power}")
    }
}

fn clipped(text: &str) -> String {
    const MOST: usize = 24;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;

    #[test]
    fn every_row_is_a_dot_and_names_cannot_leave_their_element() {
        let mut run = run(
            "kernels",
            &[("linear", "1x2x3", 5.0), ("rope", "2x3x4", 7.0)],
        );
        run.machine.name = "<script>\"&".to_owned();
        let svg = svg(&run);
        assert_eq!(svg.matches("r=\"5\"").count(), 2, "{svg}");
        assert!(
            svg.contains("&lt;script&gt;&quot;&amp;") && !svg.contains("<script"),
            "{svg}"
        );
    }

    #[test]
    fn a_run_without_rows_or_limits_is_still_an_image() {
        let mut run = run("kernels", &[]);
        run.peaks = None;
        let empty = svg(&run);
        assert!(empty.starts_with("<svg") && empty.ends_with("</svg>\n") && !empty.contains("NaN"));
        run = crate::testing::run("kernels", &[("linear", "1x2x3", 5.0)]);
        (run.peaks, run.rows[0].measured.limit) = (None, None);
        let svg = svg(&run);
        assert!(svg.contains("<title>linear:1x2x3: 5.00 us</title>") && !svg.contains("NaN"));
    }
}
