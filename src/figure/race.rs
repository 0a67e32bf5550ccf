//! Figure 2: how soon the two optimizers find how good a value.

use polars::prelude::DataFrame;

use super::{
    Error, Figure,
    panel::{Panel, draw},
    run::{Run, runs},
    series::{Between, Series, extent},
    style,
};

/// The order of the panels. A function that is not here comes after, in the order of names.
const ORDER: [&str; 9] = [
    "ackley",
    "levy",
    "michalewicz",
    "rastrigin",
    "rosenbrock",
    "schwefel",
    "sphere",
    "styblinski-tang",
    super::SPIN_GLASS,
];

/// Draws wall-clock time (log) against the best objective so far: one panel per function, three in a row, one thin line per
/// seed and a bold one for their median. Functions without runs are left out.
///
/// The objective is the scaled one, F in [0, 1], on a logarithmic axis where the medians span more than a decade. A value of
/// 0, which such an axis does not have, is drawn near its lower edge, with a mark where a curve arrives there. The panel of the
/// spin glass shows the energy per spin, with the threshold and the ground state. A run which ended keeps its best in the
/// median. What is recorded before the first iteration ends is drawn at the left edge, since a log axis has no 0.
///
/// # Errors
/// A missing or mistyped column, an unknown optimizer, no rows: see [`Error`].
pub fn figure2(traces: &DataFrame) -> Result<Figure, Error> {
    let runs = runs(traces)?;
    let mut functions: Vec<&str> = runs.iter().map(|r| r.function.as_str()).collect();
    functions.dedup();
    functions.sort_by_key(|name| ORDER.iter().position(|o| o == name).unwrap_or(ORDER.len()));
    let panels: Vec<Panel> = functions.iter().map(|f| panel(f, runs.iter().filter(|r| r.function == *f))).collect();
    if panels.is_empty() {
        return Err(Error::NoRuns("any function"));
    }
    let rows = panels.len().div_ceil(3);
    let (top, row, bottom) = (72, 250, 50);
    let height = top + row * rows + bottom;
    let width = [style::COLUMN, style::PAGE * 2 / 3, style::PAGE][panels.len().min(3) - 1];
    // The entries fit into one line of a column only in a smaller size.
    let text = if width == style::COLUMN { style::TEXT - 2 } else { style::TEXT };
    let legend = style::legend(1.0 + 30.0 / (row * rows) as f64).font(style::font(text));
    let layout = style::layout(width, height, style::margin(86, 12, top, bottom), legend);
    Ok(draw(&panels, 3, "wall time [s]", layout, (0.28, 0.33)))
}

fn panel<'a>(function: &str, runs: impl Iterator<Item = &'a Run> + Clone) -> Panel {
    let glass = function == super::SPIN_GLASS;
    let edge = left_edge(runs.clone());
    let series = |run: &Run| -> Series {
        let timed = run.rows.iter().filter(|r| r.seconds.is_finite());
        timed.map(|r| (r.seconds.max(edge), if glass { r.raw_best } else { r.best })).collect()
    };
    let quantity = if glass { "energy per spin" } else { "best objective" };
    let panel = Panel::new(function, quantity, runs, Between::Hold, series);
    if glass { panel.with_known_energies(true) } else { panel }
}

/// Half the time of the earliest row past iteration 0, so that a start shows; a microsecond if none has taken time.
fn left_edge<'a>(runs: impl Iterator<Item = &'a Run>) -> f64 {
    let times = runs.flat_map(|r| &r.rows).filter(|r| r.iteration > 0.0).map(|r| r.seconds);
    extent(times.filter(|s| s.is_finite() && *s > 0.0)).map_or(1e-6, |(first, _)| 0.5 * first)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};

    use super::{super::run::tests::table, *};

    /// Entries of the legend when one optimizer has run: they come first.
    const ENTRIES: usize = 2;

    fn figure(runs: &[(&str, &str, u64, &[f64])]) -> Value {
        to_value(figure2(&table(runs)).unwrap()).unwrap()
    }

    #[test]
    fn a_line_a_seed_a_median_an_optimizer_and_one_legend() {
        let plot = figure(&[
            ("sphere", "shallow", 0, &[1.0, 0.5]),
            ("sphere", "shallow", 1, &[1.0, 0.7]),
            ("sphere", "deep", 0, &[1.0, 0.1]),
            ("ackley", "deep", 0, &[1.0, 0.2]),
        ]);
        let data = plot["data"].as_array().unwrap();
        let (seeds, medians, entries) = (4, 3, ["shallow (median)", "deep (median)", "one seed"]);
        assert_eq!(data.len(), entries.len() + seeds + medians);
        let shown: Vec<_> = data.iter().filter(|t| t["showlegend"] != false).map(|t| t["name"].clone()).collect();
        assert_eq!(shown, entries);
        assert_eq!(plot["layout"]["grid"]["columns"], 2);
    }

    #[test]
    fn time_zero_is_drawn_before_the_first_iteration() {
        let plot = figure(&[("sphere", "deep", 0, &[1.0, 0.5, 0.25])]);
        assert_eq!(plot["data"][ENTRIES]["x"], serde_json::json!([0.5, 1.0, 2.0]));
    }

    fn scales(plot: &Value) -> Vec<String> {
        let texts = plot["layout"]["annotations"].as_array().unwrap().iter().filter_map(|a| a["text"].as_str());
        let titles = texts.filter(|text| text.starts_with("best objective"));
        let scales = titles.filter_map(|text| text.split_once('('));
        scales.map(|(_, scale)| scale.trim_end_matches(')').to_owned()).collect()
    }

    #[test]
    fn axes_are_logarithmic_where_the_medians_span_a_decade() {
        let wide = figure(&[("sphere", "shallow", 0, &[1.0, 0.5]), ("sphere", "deep", 0, &[1.0, 0.04])]);
        assert_eq!(wide["layout"]["yaxis"]["type"], "log");
        for values in [&[1.0, 0.5][..], &[1.0, -0.001], &[-1.0, -100.0], &[0.0, 0.0], &[1.0]] {
            let plot = figure(&[("sphere", "deep", 0, values)]);
            assert!(plot["layout"]["yaxis"]["type"].is_null());
            assert_eq!(scales(&plot), ["linear"]);
        }
    }

    #[test]
    fn a_seed_that_reaches_zero_is_marked_at_the_lower_edge() {
        let plot =
            figure(&[("sphere", "deep", 0, &[1.0, 1e-3, 0.0, 0.0]), ("sphere", "deep", 1, &[1.0, 1e-3, 1e-4, 1e-6])]);
        assert_eq!(scales(&plot), ["log"]);
        let edge = 10_f64.powf(plot["layout"]["yaxis"]["range"][0].as_f64().unwrap());
        let zero = plot["layout"]["yaxis"]["tickvals"][0].as_f64().unwrap();
        assert_eq!(plot["layout"]["yaxis"]["ticktext"][0], "0");
        let data = plot["data"].as_array().unwrap();
        assert!(data.iter().any(|trace| trace["name"] == "reaches 0" && trace["showlegend"] != false));
        let mark = data.iter().find(|trace| trace["mode"] == "markers" && trace["showlegend"] == false).unwrap();
        assert_eq!((mark["x"][0].as_f64(), mark["x"].as_array().unwrap().len()), (Some(2.0), 1));
        assert!((mark["y"][0].as_f64().unwrap() / zero - 1.0).abs() < 1e-4 && edge < zero && zero < 1e-6);
    }

    #[test]
    fn every_panel_has_its_scale_however_many_there_are() {
        let names: Vec<String> = (10..30).map(|n| format!("made-up-{n}")).collect();
        let runs: Vec<_> = names.iter().map(|f| (f.as_str(), "deep", 0, &[1.0, 1e-4][..])).collect();
        let plot = figure(&runs);
        assert_eq!(scales(&plot), vec!["log"; 20]);
        for n in [9, 10, 20] {
            assert_eq!(plot["layout"][format!("yaxis{n}")]["type"], "log");
        }
    }

    #[test]
    fn names_of_functions_are_text() {
        let plot = figure(&[("<b>a&b</script>", "deep", 0, &[1.0]), (&"long ".repeat(20), "deep", 0, &[1.0])]);
        let titles: Vec<_> = plot["layout"]["annotations"].as_array().unwrap().iter().step_by(3).collect();
        assert_eq!(titles[0]["text"], "<b>&lt;b&gt;a&amp;b&lt;/script&gt;</b>");
        assert_eq!(titles[1]["text"], "<b>Long long long long long lo…</b>");
    }

    #[test]
    fn rows_without_a_time_are_left_out_and_the_others_sorted_by_it() {
        let mut table = table(&[("sphere", "deep", 0, &[1.0, 0.9, 0.8, 0.7])]);
        let seconds = polars::prelude::Column::new("seconds".into(), [Some(0.5), None, Some(3.0), Some(2.0)]);
        table.with_column(seconds).unwrap();
        let plot = to_value(figure2(&table).unwrap()).unwrap();
        assert_eq!(plot["data"][ENTRIES]["x"], serde_json::json!([1.0, 2.0, 3.0]));
    }

    #[test]
    fn nine_panels_have_nine_places_and_the_glass_its_levels() {
        let runs: Vec<_> = ORDER.iter().map(|f| (*f, "deep", 0, &[1.0, 0.5][..])).collect();
        let plot = figure(&runs);
        let median = &plot["data"].as_array().unwrap()[ENTRIES + 2 * ORDER.len() - 1];
        assert_eq!((&median["xaxis"], &median["yaxis"]), (&"x9".into(), &"y9".into()));
        assert_eq!(plot["layout"]["shapes"].as_array().unwrap().len(), 2);
        assert_eq!(plot["layout"]["shapes"][0]["yref"], "y9");
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let plot = figure(&[("sphere", "deep", 0, &[1.0, f64::NAN, f64::INFINITY, 0.5])]);
        assert_eq!(plot["data"][ENTRIES]["y"], serde_json::json!([1.0, 0.5]));
        let nothing = figure(&[("sphere", "deep", 0, &[f64::NAN])]);
        let drawn = nothing["data"].as_array().unwrap().iter().skip(ENTRIES);
        assert!(drawn.clone().all(|line| line["y"].as_array().is_none_or(Vec::is_empty)), "{nothing}");
    }

    #[test]
    fn no_rows_is_an_error() {
        assert!(matches!(figure2(&table(&[])), Err(Error::NoRuns(_))));
    }
}
