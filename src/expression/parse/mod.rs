//! Expressions as text, in numpy's grammar.
//!
//! ```
//! use overparam::prelude::*;
//!
//! let rastrigin = Expression::parse("sum(u^2 - 10*cos(2*pi*u) + 10)", [-5.12, 5.12], [])?;
//! rastrigin.check(50)?;
//!
//! let mistake = Expression::parse("sum(u^2 - 10*cso(2*pi*u))", [-5.12, 5.12], []).unwrap_err();
//! assert_eq!(
//!     mistake.to_string(),
//!     "unknown function 'cso': did you mean 'cos'?\n  \
//!      sum(u^2 - 10*cso(2*pi*u))\n  \
//!      \u{20}            ^^^"
//! );
//! # Ok::<(), overparam::Error>(())
//! ```

mod evaluate;
mod function;
mod program;
mod syntax;
#[cfg(test)]
mod tests;
mod token;

use super::data::Data;
use super::{Array, Bounds, Expression};
use crate::error::Error;
use program::GIVEN;
use std::ops::Range;

/// The widest part of a text that is shown around a mistake, in characters.
const WINDOW: usize = 72;

/// A mistake in the text: where it is, in bytes, and what was expected and found.
#[derive(Clone, Debug, PartialEq)]
struct Mistake {
    span: Range<usize>,
    text: String,
}

impl Mistake {
    fn new(span: Range<usize>, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }

    /// The error, with the part of `text` where the mistake is.
    fn in_text(self, text: &str) -> Error {
        let blank = token::tokens(text).is_ok_and(|tokens| tokens.is_empty());
        let excerpt = if blank { String::new() } else { excerpt(text, &self.span) };
        Error::Text { problem: self.text, excerpt }
    }
}

/// The line that `span` of `text` begins on, cut to what is near it, and under it a caret for each character of the span, both
/// indented and each after the end of a line.
fn excerpt(text: &str, span: &Range<usize>) -> String {
    let start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let end = text[span.start..].find('\n').map_or(text.len(), |end| span.start + end);
    let before: Vec<char> = text[start..span.start].chars().collect();
    let marked: Vec<char> = text[span.start..span.end.clamp(span.start, end)].chars().take(WINDOW / 2).collect();
    let after: Vec<char> = text[span.start..end].chars().skip(marked.len()).collect();
    // As much on the left as on the right, and what one side does not need goes to the other.
    let room = WINDOW - marked.len();
    let right = after.len().min(room - before.len().min(room / 2));
    let left = before.len().min(room - right);
    let shown = |c: &char| if c.is_whitespace() || c.is_control() { ' ' } else { *c };
    let mut line = String::from(if left < before.len() { "…" } else { "" });
    line.extend(before[before.len() - left..].iter().map(shown));
    let indent: usize = line.chars().map(width).sum();
    line.extend(marked.iter().chain(&after[..right]).map(shown));
    line.push_str(if right < after.len() { "…" } else { "" });
    let carets = marked.iter().copied().map(width).sum::<usize>().max(1);
    format!("\n  {}\n  {}{}", line.trim_end(), " ".repeat(indent), "^".repeat(carets))
}

/// The columns of a terminal that a character takes: two in East Asian scripts and of pictures, none where it is put on another.
fn width(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A word of the text as a message shows it.
fn shortened(word: &str) -> String {
    const LONGEST: usize = 20;
    let mut shown: String = word.chars().take(LONGEST).collect();
    if word.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The name of `names` that `given` is likely to stand for: numpy's of what others name so, one that looks like it, or one that it is a
/// part of.
fn spell(given: &str, names: &[&str]) -> Option<String> {
    if given.len() > WINDOW {
        return None;
    }
    const OTHERS: [(&str, &str); 18] = [
        ("ln", "log"),
        ("asin", "arcsin"),
        ("acos", "arccos"),
        ("atan", "arctan"),
        ("pow", "power"),
        ("product", "prod"),
        ("average", "mean"),
        ("clamp", "clip"),
        ("select", "where"),
        ("if", "where"),
        ("concat", "concatenate"),
        ("len", "size"),
        ("fabs", "abs"),
        ("absolute", "abs"),
        ("matmul", "dot"),
        ("flatten", "ravel"),
        ("range", "arange"),
        ("π", "pi"),
    ];
    let other = OTHERS.iter().find(|(other, name)| *other == given && names.contains(name)).map(|(_, name)| name);
    // Up to three edits away, and no more than half of the name.
    let distance = |name: &&str| strsim::damerau_levenshtein(given, name);
    let near = |name: &&&str| distance(name) <= 3.min(name.chars().count().min(given.chars().count()) / 2);
    let nearest = names.iter().filter(near).min_by_key(|name| distance(name));
    let whole = || names.iter().find(|name| given.chars().count() >= 3 && name.contains(given));
    other.or(nearest).or_else(whole).map(|name| (*name).to_owned())
}

/// True for a name that data may have, as texts have them: a letter or _, then letters, digits and _.
fn is_name(name: &str) -> bool {
    let tokens = token::tokens(name).unwrap_or_default();
    matches!(tokens[..], [token::Token { kind: token::Kind::Name(found), .. }] if found == name)
}

impl Expression {
    /// The expression that `text` is, in numpy's grammar, named "expression".
    ///
    /// The coordinates are `u` in the box and `x` in the unit cube, `d` their number and `i` the vector 0, 1, …, d - 1. There are
    /// `+ - * / ^ ** @`, comparisons, slices (`u[1:]`, `u[::2]`, `m[:, 0]`, `u[-1]`), lists (`[1, 2]`) and numpy's functions: `sqrt`,
    /// `exp`, `log`, `sin`, `where(c, a, b)`, `sum(m, axis=1)`, `reshape(u, 13, 3)`, `take(m, places)`, …; `pairs(n)[0]` and `pairs(n)[1]` are
    /// the places of all pairs i < j. Parts may have names, `r = u - 1; sum(r^2)`, and data has those given with it. A # begins a comment.
    ///
    /// # Errors
    /// [`Error::Text`] with the place of the first mistake, or [`Error::Setting`] if a name of the data is taken. Shapes that do not
    /// fit are found when the number of coordinates is known, see [`Expression::check`].
    pub fn parse(
        text: &str,
        bounds: impl Into<Bounds>,
        data: impl IntoIterator<Item = (String, Data)>,
    ) -> Result<Self, Error> {
        let (names, data): (Vec<String>, Vec<Data>) = data.into_iter().unzip();
        let wrong = |expected, given: &str| Error::Setting {
            name: "the name of data",
            expected,
            given: crate::error::excerpt(given),
        };
        for (number, name) in names.iter().enumerate() {
            if !is_name(name) {
                return Err(wrong("a letter, then letters, digits and _", name));
            }
            if GIVEN.contains(&name.as_str()) || function::find(name).is_some() {
                return Err(wrong("one that has no meaning in expressions", name));
            }
            if names[..number].contains(name) {
                return Err(wrong("different for each", &format!("{name} twice")));
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let program = syntax::program(text, &names).map_err(|mistake| mistake.in_text(text))?;
        let text = text.to_owned();
        Ok(Self::with_cube("expression", bounds, move |u: Array, x: Array| {
            evaluate::evaluate(&program, u, x, &data).map_err(|mistake| mistake.in_text(&text))
        }))
    }
}
