//! Summary cards: what was run and what it found, beside a small drawing.

use super::html::{cell, duration, escape, image, number};
use super::sketch::{Curve, draw};
use crate::descent::{Optimizer, Outcome};
use crate::experiment::{Candidate, Comparison, Run};
use crate::objective::Function;
use crate::report::median;

/// The colors of the paper's figures.
fn color(optimizer: Optimizer) -> &'static str {
    match optimizer {
        Optimizer::Shallow => "#2ca02c",
        Optimizer::Deep => "#e8710a",
    }
}

/// A card with its drawing below, for a table that leaves no room beside it.
fn tall_card(title: &str, table: &str, drawing: &str, caption: &str) -> String {
    format!("<p><b>{title}</b></p>{table}<p>{}<br><small>{caption}</small></p>", image(drawing, caption))
}

/// A card with its drawing beside the table.
fn card(title: &str, table: &str, drawing: &str, caption: &str) -> String {
    // A table around both: the only layout that every notebook viewer keeps.
    format!(
        "<table><tbody><tr><td style=\"text-align: left; vertical-align: top\"><b>{title}</b>{table}</td>\
         <td style=\"text-align: left; vertical-align: top\">{}<br><small>{caption}</small></td></tr></tbody></table>",
        image(drawing, caption)
    )
}

fn empty() -> String {
    "<p>no runs</p>".to_owned()
}

/// The function's name in prose, if it is one of the crate's.
fn title(function: &str) -> String {
    function.parse::<Function>().map_or_else(|_| escape(function), |function| function.title().to_owned())
}

fn colored(optimizer: Optimizer) -> String {
    format!("<span style=\"color: {}\">■</span> {optimizer}", color(optimizer))
}

/// One run: its settings, its result, the best objective over the iterations.
pub(super) fn run(run: &Run) -> String {
    let settings = &run.settings;
    let mut rows = vec![
        ("best objective F", number(run.best)),
        ("raw value f", number(run.raw_best())),
        ("iterations", run.iterations.to_string()),
        (
            "wall time",
            format!("{}, {} per iteration", duration(run.seconds), duration(run.seconds / run.iterations as f64)),
        ),
        ("learning rate", number(settings.learning_rate.initial)),
        (
            "variables",
            format!(
                "{} for {} points in {} dimensions",
                run.dimensions.parameters(run.optimizer),
                run.dimensions.n,
                run.dimensions.d
            ),
        ),
        ("shape", run.dimensions.to_string()),
        ("seed, scalar", format!("{}, {}", run.seed, run.dtype)),
    ];
    match run.outcome {
        Outcome::Finished => {}
        Outcome::Reached => rows.push(("outcome", "<b>reached</b> its target".to_owned())),
        Outcome::Converged => rows.push(("outcome", "<b>converged</b>: it no longer improved".to_owned())),
        Outcome::Diverged => rows.push(("outcome", "<b>diverged</b>: try a smaller learning rate".to_owned())),
        Outcome::Stopped => rows.push(("outcome", "<b>stopped</b> before its end".to_owned())),
    }
    let mut table = String::from("<table><tbody>");
    for (name, value) in rows {
        table.push_str("<tr>");
        cell(&mut table, "td", "left", name);
        cell(&mut table, "td", "left", &value);
        table.push_str("</tr>");
    }
    table.push_str("</tbody></table>");
    let points = run.samples.iter().map(|sample| ((sample.iteration + 1) as f64, sample.best)).collect();
    let drawing = draw(&[Curve { points, color: color(run.optimizer), bold: true }], "iteration + 1", "best F");
    let heading = format!("{}, {} optimizer", title(&run.function), colored(run.optimizer));
    card(&heading, &table, &drawing, "best objective so far")
}

/// Runs over learning rates and seeds: the rates of each optimizer, the best first.
pub(super) fn sweep(runs: &[Run]) -> String {
    let Some(first) = runs.first() else { return empty() };
    let header = [("optimizer", "left"), ("learning rate", "right"), ("lowest F", "right"), ("diverged", "right")];
    let mut table = head(&header);
    for (optimizer, candidates) in ranked(runs) {
        for candidate in candidates {
            let values =
                [colored(optimizer), number(candidate.rate), number(candidate.best), candidate.diverged.to_string()];
            row(&mut table, &header, &values);
        }
    }
    table.push_str("</tbody></table>");
    let curves: Vec<Curve> = ranked(runs)
        .map(|(optimizer, mut candidates)| {
            candidates.sort_by(|a, b| a.rate.total_cmp(&b.rate));
            let points = candidates.iter().map(|candidate| (candidate.rate, candidate.best)).collect();
            Curve { points, color: color(optimizer), bold: true }
        })
        .collect();
    let heading = format!("{}: sweep of {} runs", title(&first.function), runs.len());
    card(
        &heading,
        &table,
        &draw(&curves, "learning rate", "lowest F"),
        "lowest objective over the seeds, by learning rate",
    )
}

/// The same as text.
pub(super) fn sweep_text(runs: &[Run]) -> String {
    let mut text = format!("{:<10} {:>13} {:>14} {:>9}\n", "optimizer", "learning rate", "lowest F", "diverged");
    for (optimizer, candidates) in ranked(runs) {
        for Candidate { rate, best, diverged, .. } in candidates {
            text.push_str(&format!("{optimizer:<10} {rate:>13.3e} {best:>14.6e} {diverged:>9}\n"));
        }
    }
    text.trim_end().to_owned()
}

/// Both optimizers on one function: what their timed runs reached, seed by seed in the drawing.
pub(super) fn comparison(comparison: &Comparison) -> String {
    if comparison.timed.is_empty() {
        return empty();
    }
    let header = [
        ("optimizer", "left"),
        ("learning rate", "right"),
        ("median F", "right"),
        ("lowest F", "right"),
        ("highest F", "right"),
        ("iterations", "right"),
        ("wall time", "right"),
    ];
    let mut table = head(&header);
    for reached in reached(comparison) {
        let Reached { optimizer, rates, low, median, high, iterations, seconds } = reached;
        let values = [
            colored(optimizer),
            range(rates, number),
            number(median),
            number(low),
            number(high),
            format!("{iterations:.0}"),
            duration(seconds),
        ];
        row(&mut table, &header, &values);
    }
    table.push_str("</tbody></table>");
    let curves: Vec<Curve> = comparison
        .timed
        .iter()
        .map(|run| {
            // The first iteration ends at a time above zero, which a logarithmic axis can show.
            let points = run.samples.iter().map(|sample| (sample.seconds, sample.best)).collect();
            Curve { points, color: color(run.optimizer), bold: false }
        })
        .collect();
    let seeds = comparison.timed(Optimizer::Shallow).count();
    let heading =
        format!("{}: {seeds} seeds, {} runs in the sweep", comparison.problem.title(), comparison.sweep.len());
    let caption = "best objective so far, one line per seed; iterations and wall time are medians";
    tall_card(&heading, &table, &draw(&curves, "wall time [s]", "best F"), caption)
}

/// The same as text.
pub(super) fn comparison_text(comparison: &Comparison) -> String {
    let mut text = format!("{}\n", comparison.problem);
    for Reached { optimizer, rates, low, median, high, iterations, seconds } in reached(comparison) {
        let rates = range(rates, |rate| format!("{rate:.3e}"));
        text.push_str(&format!(
            "{optimizer:<8} rate {rates}, F {median:.3e} ({low:.2e} … {high:.2e}), {iterations:.0} iterations in {seconds:.3} s\n"
        ));
    }
    text.trim_end().to_owned()
}

/// The results of the timed runs of one optimizer, over the seeds.
struct Reached {
    optimizer: Optimizer,
    rates: [f64; 2],
    low: f64,
    median: f64,
    high: f64,
    iterations: f64,
    seconds: f64,
}

fn reached(comparison: &Comparison) -> impl Iterator<Item = Reached> {
    Optimizer::ALL.into_iter().filter_map(|optimizer| {
        let of = |value: fn(&Run) -> f64| {
            let mut values: Vec<f64> = comparison.timed(optimizer).map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let best = of(|run| run.best);
        Some(Reached {
            optimizer,
            rates: comparison.rates(optimizer)?,
            low: *best.first()?,
            median: median(&best),
            high: *best.last()?,
            iterations: median(&of(|run| run.iterations as f64)),
            seconds: median(&of(|run| run.seconds)),
        })
    })
}

/// One number, or where they differ the lowest and the highest.
fn range([low, high]: [f64; 2], number: impl Fn(f64) -> String) -> String {
    if low == high { number(low) } else { format!("{} … {}", number(low), number(high)) }
}

/// The optimizers that have runs, with their learning rates.
fn ranked(runs: &[Run]) -> impl Iterator<Item = (Optimizer, Vec<Candidate>)> {
    Optimizer::ALL
        .into_iter()
        .map(move |optimizer| (optimizer, Candidate::rank(runs, optimizer)))
        .filter(|(_, candidates)| !candidates.is_empty())
}

fn head(header: &[(&str, &str)]) -> String {
    let mut table = String::from("<table><thead><tr>");
    for (name, align) in header {
        cell(&mut table, "th", align, name);
    }
    table.push_str("</tr></thead><tbody>");
    table
}

fn row(table: &mut String, header: &[(&str, &str)], values: &[String]) {
    table.push_str("<tr>");
    for ((_, align), value) in header.iter().zip(values) {
        cell(table, "td", align, value);
    }
    table.push_str("</tr>");
}
